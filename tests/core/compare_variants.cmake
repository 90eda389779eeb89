# SPDX-License-Identifier: BSD-3-Clause

# compare() and crc32() for this machine (bpte::core), for targets with little flash (bpte_compare_small), and for x86
# without AVX2 (bpte_compare_baseline). Tests and benchmarks link each.
include_guard(GLOBAL)

set(small_definition BPTE_CORE_SMALL=1)
set(baseline_definition BPTE_CORE_NO_AVX2=1)
foreach(variant IN ITEMS small baseline)
  add_library(bpte_compare_${variant} STATIC EXCLUDE_FROM_ALL
    ${PROJECT_SOURCE_DIR}/runtime/bpte/core/compare.cpp
    ${PROJECT_SOURCE_DIR}/runtime/bpte/core/crc32.cpp
    ${PROJECT_SOURCE_DIR}/runtime/bpte/core/scalar_type.cpp
    ${PROJECT_SOURCE_DIR}/runtime/bpte/core/internal/judge_blocks.cpp
    ${PROJECT_SOURCE_DIR}/runtime/bpte/core/internal/vector_kernels.cpp
    ${PROJECT_SOURCE_DIR}/runtime/bpte/core/internal/walk.cpp
  )
  target_include_directories(bpte_compare_${variant} PUBLIC ${PROJECT_SOURCE_DIR}/runtime)
  target_compile_definitions(bpte_compare_${variant} PRIVATE ${${variant}_definition})
  target_compile_options(bpte_compare_${variant} PRIVATE ${BPTE_COMPARE_OPTIONS})
  target_link_libraries(bpte_compare_${variant} PRIVATE bpte_warnings)
endforeach()
