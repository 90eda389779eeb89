# SPDX-License-Identifier: BSD-3-Clause

# The C++ tests run on each variant of compare(); tests/core/test_compare.py drives the tools.
include(compare_variants.cmake)
foreach(library IN ITEMS bpte::core bpte_compare_small bpte_compare_baseline)
  string(REGEX REPLACE "^(bpte::core|bpte_compare)" "" suffix ${library})
  add_executable(compare_test${suffix} compare_test.cpp)
  target_link_libraries(compare_test${suffix} PRIVATE ${library} bpte_warnings)
  add_test(NAME core.compare${suffix} COMMAND compare_test${suffix})

  add_executable(compare_tool${suffix} compare_tool.cpp)
  target_link_libraries(compare_tool${suffix} PRIVATE ${library} bpte_warnings)
endforeach()
