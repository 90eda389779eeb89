# SPDX-License-Identifier: BSD-3-Clause
#
# What a firmware's build needs to know of its board, out of its board.toml: so that no address is written twice.
# Sets BPTE_BOARD_DIR, BPTE_BOARD_NAME; BPTE_REGION_<name>_ORIGIN and _LENGTH; BPTE_PERIPHERAL_<key>; BPTE_LOAD_ADDRESS.

set(BPTE_BOARD "" CACHE STRING "A folder of boards/, or the path of one of your own")
if(BPTE_BOARD STREQUAL "")
  message(FATAL_ERROR "Which board? -DBPTE_BOARD=corstone-300, or the path of a folder with a board.toml")
endif()
if(IS_ABSOLUTE "${BPTE_BOARD}")
  set(BPTE_BOARD_DIR "${BPTE_BOARD}")
else()
  set(BPTE_BOARD_DIR "${CMAKE_CURRENT_LIST_DIR}/../${BPTE_BOARD}")
endif()
get_filename_component(BPTE_BOARD_DIR "${BPTE_BOARD_DIR}" REALPATH)
if(NOT EXISTS "${BPTE_BOARD_DIR}/board.toml")
  message(FATAL_ERROR "${BPTE_BOARD_DIR}: no board.toml there")
endif()
get_filename_component(BPTE_BOARD_NAME "${BPTE_BOARD_DIR}" NAME)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${BPTE_BOARD_DIR}/board.toml")

# The tables that concern a build have one `key = value` in a line, addresses in hexadecimal.
set(_table "")
file(STRINGS "${BPTE_BOARD_DIR}/board.toml" _lines)
foreach(_line IN LISTS _lines)
  if(_line MATCHES "^\\[([A-Za-z0-9_.-]+)\\]")
    set(_table "${CMAKE_MATCH_1}")
  elseif(_table STREQUAL "memory" AND _line MATCHES
                                      "^([a-z]+) = { origin = (0x[0-9A-Fa-f]+), length = (0x[0-9A-Fa-f]+) }")
    set(BPTE_REGION_${CMAKE_MATCH_1}_ORIGIN "${CMAKE_MATCH_2}")
    set(BPTE_REGION_${CMAKE_MATCH_1}_LENGTH "${CMAKE_MATCH_3}")
  elseif(_table STREQUAL "peripherals" AND _line MATCHES "^([a-z0-9_]+) = (0x[0-9A-Fa-f]+|[0-9_]+)")
    set(_key "${CMAKE_MATCH_1}")
    string(REPLACE "_" "" BPTE_PERIPHERAL_${_key} "${CMAKE_MATCH_2}")
  elseif(_table STREQUAL "bundle" AND _line MATCHES "^load_address = (0x[0-9A-Fa-f]+)")
    set(BPTE_LOAD_ADDRESS "${CMAKE_MATCH_1}")
  endif()
endforeach()

foreach(_name rom ram arena bundle)
  if(NOT DEFINED BPTE_REGION_${_name}_ORIGIN)
    message(FATAL_ERROR "${BPTE_BOARD_DIR}/board.toml: [memory] does not say where `${_name}` lies")
  endif()
endforeach()

# Writes memory.ld, which firmware.ld includes. The code goes to `rom`, or, when `large`, to the region `code` that a
# board may have for programs too big for it.
function(bpte_write_memory_script file large)
  set(text "MEMORY {\n")
  foreach(name rom code ram arena bundle)
    if(DEFINED BPTE_REGION_${name}_ORIGIN)
      string(TOUPPER ${name} upper)
      string(APPEND text
             "  ${upper}_ : ORIGIN = ${BPTE_REGION_${name}_ORIGIN}, LENGTH = ${BPTE_REGION_${name}_LENGTH}\n")
    endif()
  endforeach()
  string(APPEND text "}\n")
  foreach(name ROM RAM ARENA BUNDLE)
    string(APPEND text "REGION_ALIAS(\"${name}\", ${name}_)\n")
  endforeach()
  if(large AND DEFINED BPTE_REGION_code_ORIGIN)
    string(APPEND text "REGION_ALIAS(\"CODE\", CODE_)\n")
  else()
    string(APPEND text "REGION_ALIAS(\"CODE\", ROM_)\n")
  endif()
  file(CONFIGURE OUTPUT "${file}" CONTENT "${text}" @ONLY)
endfunction()
