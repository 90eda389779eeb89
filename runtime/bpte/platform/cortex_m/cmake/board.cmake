# SPDX-License-Identifier: BSD-3-Clause
#
# Reads the board's board.toml (board_facts.py). Sets BPTE_BOARD_DIR, BPTE_BOARD_NAME, BPTE_BOARD_DEFINITIONS, and
# BPTE_BOARD_FACTS: the folder with memory.ld.

set(BPTE_BOARD "" CACHE STRING "A folder of boards/, or the path of one of your own")
if(BPTE_BOARD STREQUAL "")
  message(FATAL_ERROR "Which board? -DBPTE_BOARD=corstone-300, or the path of a folder with a board.toml")
endif()
if(IS_ABSOLUTE "${BPTE_BOARD}")
  set(BPTE_BOARD_DIR "${BPTE_BOARD}")
else()
  set(BPTE_BOARD_DIR "${BPTE_ROOT}/boards/${BPTE_BOARD}")
endif()
get_filename_component(BPTE_BOARD_DIR "${BPTE_BOARD_DIR}" REALPATH)
foreach(_file board.toml toolchain.cmake)
  if(NOT EXISTS "${BPTE_BOARD_DIR}/${_file}")
    message(FATAL_ERROR "${BPTE_BOARD_DIR}: no ${_file} there (boards/README.md says what a board's folder holds)")
  endif()
endforeach()

set(_large "")
if(BPTE_BOARD_ENGINE STREQUAL "executorch")
  set(_large --large) # its operators do not fit a tightly coupled memory
endif()
set(BPTE_BOARD_FACTS "${CMAKE_BINARY_DIR}/board")
set(_script "${CMAKE_CURRENT_LIST_DIR}/board_facts.py")
bpte_run_python(_output "${_script}" "${BPTE_BOARD_DIR}" "${BPTE_BOARD_FACTS}" ${_large})
include("${BPTE_BOARD_FACTS}/board_facts.cmake")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${BPTE_BOARD_DIR}/board.toml" "${_script}"
                                                               "${BPTE_PYTHON_PATH}/bpte/run/board.py")
