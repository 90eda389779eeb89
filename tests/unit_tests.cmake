# SPDX-License-Identifier: BSD-3-Clause
#
# bpte_add_unit_tests(TARGET PREFIX SOURCE...): a program of test cases (check.h), from sources, or from the objects of
# bpte_compile_unit_tests() where several programs run the same cases. CTest knows each as "PREFIX/its name":
#
#     ctest --test-dir build/host -N               lists them
#     ctest --test-dir build/host -R core.bundle/  runs those of one program
#
# Test cases are compiled without optimisation, which took most of a build's time; what they test is compiled as ever.
# The program alone takes doctest's options: `bundle_test --list-test-cases`, `bundle_test --test-case="*past 4 GiB*"`.
# Without doctest the programs are left out, and CTest lists one skipped test that says what to install.
include_guard(GLOBAL)

find_package(doctest 2.4.9 QUIET)
if(doctest_FOUND)
  include(doctest)  # doctest_discover_tests()
  add_library(bpte_check_main OBJECT ${CMAKE_CURRENT_LIST_DIR}/check_main.cpp)
  target_link_libraries(bpte_check_main PUBLIC doctest::doctest)
  target_compile_features(bpte_check_main PUBLIC cxx_std_17)
  target_compile_options(bpte_check_main PRIVATE -O0)
else()
  set(missing "doctest is not installed (apt-get install doctest-dev): the C++ unit tests are not built")
  message(WARNING "${missing}")
  add_test(NAME "C++ unit tests, which need doctest-dev" COMMAND ${CMAKE_COMMAND} -E echo "${missing}")
  set_tests_properties("C++ unit tests, which need doctest-dev" PROPERTIES SKIP_REGULAR_EXPRESSION "not installed")
endif()

set(BPTE_TESTS ${CMAKE_CURRENT_LIST_DIR})

function(_bpte_unit_test_options target)
  target_include_directories(${target} PRIVATE ${BPTE_TESTS})
  target_compile_options(${target} PRIVATE -O0)
  if(NOT doctest_FOUND)
    set_target_properties(${target} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endfunction()

# Test cases as objects, compiled once: "$<TARGET_OBJECTS:TARGET>" is a SOURCE of bpte_add_unit_tests().
function(bpte_compile_unit_tests target)
  add_library(${target} OBJECT ${ARGN})
  _bpte_unit_test_options(${target})
  target_link_libraries(${target} PRIVATE $<TARGET_NAME_IF_EXISTS:doctest::doctest>)
endfunction()

function(bpte_add_unit_tests target prefix)
  add_executable(${target} ${ARGN})
  _bpte_unit_test_options(${target})
  if(NOT doctest_FOUND)
    return()
  endif()
  target_link_libraries(${target} PRIVATE bpte_check_main)
  # doctest passes a test that checks nothing, and a filter that selects nothing.
  doctest_discover_tests(${target} TEST_PREFIX "${prefix}/"
    PROPERTIES FAIL_REGULAR_EXPRESSION "assertions: +0 [|]")
endfunction()
