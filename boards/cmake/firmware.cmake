# SPDX-License-Identifier: BSD-3-Clause
#
# bpte_firmware(target [STACK bytes] [HEAP bytes]): makes an executable a firmware of the board: start-up, faults, console,
# linker script.

if(BPTE_BOARD_ENGINE STREQUAL "executorch")
  set(_stack_size 16384)
  set(_heap_size 16384)
  set(_large ON) # its operators are larger than a tightly coupled memory
else()
  set(_stack_size 8192)
  set(_heap_size 0)
  set(_large OFF)
endif()
if(BPTE_BOARD_STACK_SIZE)
  set(_stack_size ${BPTE_BOARD_STACK_SIZE})
endif()

set(_cortex_m "${BPTE_ROOT}/runtime/bpte/platform/cortex_m")
# Objects, because nothing refers to the vector table by name.
add_library(bpte_board OBJECT
  ${_cortex_m}/clock.cpp
  ${_cortex_m}/console.cpp
  ${_cortex_m}/fault.cpp
  ${_cortex_m}/semihosting.cpp
  ${_cortex_m}/startup.cpp
  ${_cortex_m}/system_calls.c
  ${_cortex_m}/uart.cpp
)
target_include_directories(bpte_board PUBLIC ${_cortex_m} ${BPTE_ROOT}/runtime)
target_compile_features(bpte_board PUBLIC cxx_std_17)
target_compile_definitions(bpte_board PUBLIC
  BPTE_BOARD_NAME="${BPTE_BOARD_NAME}"
  BPTE_BOARD_UART=${BPTE_PERIPHERAL_uart}
  BPTE_BOARD_CLOCK_HZ=${BPTE_PERIPHERAL_clock_hz}
  BPTE_BOARD_LOAD_ADDRESS=${BPTE_LOAD_ADDRESS}
  BPTE_BOARD_BUNDLE_ORIGIN=${BPTE_REGION_bundle_ORIGIN}
  BPTE_BOARD_BUNDLE_LENGTH=${BPTE_REGION_bundle_LENGTH}
)
target_link_libraries(bpte_board PRIVATE bpte_warnings)
# The start-up runs before there is a memory to copy to: no call to memcpy or memset may be made of its loops.
set_source_files_properties(${_cortex_m}/startup.cpp PROPERTIES COMPILE_OPTIONS -fno-tree-loop-distribute-patterns)

bpte_write_memory_script("${CMAKE_CURRENT_BINARY_DIR}/memory.ld" ${_large})
set(_memory_folder "${CMAKE_CURRENT_BINARY_DIR}")

function(bpte_firmware target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "STACK;HEAP" "")
  if(NOT DEFINED arg_STACK)
    set(arg_STACK ${_stack_size})
  endif()
  if(NOT DEFINED arg_HEAP)
    set(arg_HEAP ${_heap_size})
  endif()
  target_link_libraries(${target} PRIVATE bpte_board bpte_warnings)
  target_link_options(${target} PRIVATE
    -nostartfiles
    -L${_memory_folder}
    -T${_cortex_m}/firmware.ld
    LINKER:--defsym=__stack_size=${arg_STACK}
    LINKER:--defsym=__heap_size=${arg_HEAP}
    LINKER:--gc-sections
    LINKER:--print-memory-usage
    LINKER:-Map=$<TARGET_FILE_DIR:${target}>/${target}.map
  )
  set_target_properties(${target} PROPERTIES
    SUFFIX .elf
    LINK_DEPENDS "${_cortex_m}/firmware.ld;${_memory_folder}/memory.ld"
  )
endfunction()
