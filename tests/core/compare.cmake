# SPDX-License-Identifier: BSD-3-Clause

# The C++ tests run with each variant of compare(). tests/core/test_compare.py runs the tools.
include(compare_variants.cmake)
foreach(library IN ITEMS bpte::core bpte_compare_small bpte_compare_baseline)
  string(REGEX REPLACE "^(bpte::core|bpte_compare)" "" suffix ${library})
  bpte_add_unit_tests(compare_test${suffix} core.compare${suffix} compare_test.cpp)
  target_link_libraries(compare_test${suffix} PRIVATE ${library} bpte_warnings)

  add_executable(compare_tool${suffix} compare_tool.cpp)
  target_link_libraries(compare_tool${suffix} PRIVATE ${library} bpte_warnings)
endforeach()
