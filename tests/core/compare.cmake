# SPDX-License-Identifier: BSD-3-Clause

# compare() and crc32() as this machine has them, as targets with little flash do ("small"), and as x86 without AVX2 does
# ("baseline"). The C++ tests run on each; tests/core/test_compare.py drives the tools.
set(small_definition BPTE_CORE_SMALL=1)
set(baseline_definition BPTE_CORE_NO_AVX2=1)
foreach(variant IN ITEMS default small baseline)
  if(variant STREQUAL default)
    set(library bpte::core)
    set(suffix "")
  else()
    set(library bpte_compare_${variant})
    set(suffix _${variant})
    add_library(${library} STATIC
      ${PROJECT_SOURCE_DIR}/runtime/bpte/core/blocks.cpp
      ${PROJECT_SOURCE_DIR}/runtime/bpte/core/compare.cpp
      ${PROJECT_SOURCE_DIR}/runtime/bpte/core/crc32.cpp
      ${PROJECT_SOURCE_DIR}/runtime/bpte/core/scalar_type.cpp
    )
    target_include_directories(${library} PUBLIC ${PROJECT_SOURCE_DIR}/runtime)
    target_compile_definitions(${library} PRIVATE ${${variant}_definition})
    target_compile_options(${library} PRIVATE ${BPTE_COMPARE_OPTIONS})
    target_link_libraries(${library} PRIVATE bpte_warnings)
    set_target_properties(${library} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  endif()

  add_executable(compare_test${suffix} compare_test.cpp)
  target_link_libraries(compare_test${suffix} PRIVATE ${library} bpte_warnings)
  add_test(NAME core.compare${suffix} COMMAND compare_test${suffix})

  add_executable(compare_tool${suffix} compare_tool.cpp)
  target_link_libraries(compare_tool${suffix} PRIVATE ${library} bpte_warnings)

  # For benchmarks/compare.py, which builds it.
  add_library(compare_benchmark${suffix} MODULE EXCLUDE_FROM_ALL
    ${PROJECT_SOURCE_DIR}/benchmarks/compare.cpp)
  target_link_libraries(compare_benchmark${suffix} PRIVATE ${library} bpte_warnings)
endforeach()
