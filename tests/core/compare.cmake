# SPDX-License-Identifier: BSD-3-Clause

# The C++ tests run with each variant of compare(). tests/core/test_compare.py runs the tools.
include(compare_variants.cmake)
bpte_compile_unit_tests(compare_cases compare_test.cpp)
target_link_libraries(compare_cases PRIVATE bpte::core bpte_warnings)
foreach(library IN ITEMS bpte::core bpte_compare_small bpte_compare_baseline)
  string(REGEX REPLACE "^(bpte::core|bpte_compare)" "" suffix ${library})
  bpte_add_unit_tests(compare_test${suffix} core.compare${suffix} $<TARGET_OBJECTS:compare_cases>)
  target_link_libraries(compare_test${suffix} PRIVATE ${library})

  add_executable(compare_tool${suffix} compare_tool.cpp)
  target_link_libraries(compare_tool${suffix} PRIVATE ${library} bpte_warnings)
endforeach()
