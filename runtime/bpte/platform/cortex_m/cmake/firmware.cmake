# SPDX-License-Identifier: BSD-3-Clause
#
# bpte_firmware(target [STACK bytes] [HEAP bytes]): makes an executable a firmware of the board: start-up, faults, console,
# linker script.

if(BPTE_BOARD_ENGINE STREQUAL "executorch")
  set(_stack_size 16384)
  set(_heap_size 16384)
else()
  set(_stack_size 8192)
  set(_heap_size 0)
endif()
if(BPTE_BOARD_STACK_SIZE)
  set(_stack_size ${BPTE_BOARD_STACK_SIZE})
endif()

set(_cortex_m "${BPTE_ROOT}/runtime/bpte/platform/cortex_m")

# What a board's folder may hold beside its data: a driver for another UART, and the functions that start-up calls
# (hooks.h).
set(_uart "${_cortex_m}/uart.cpp")
if(EXISTS "${BPTE_BOARD_DIR}/uart.cpp")
  set(_uart "${BPTE_BOARD_DIR}/uart.cpp")
endif()
set(_init "")
if(EXISTS "${BPTE_BOARD_DIR}/init.cpp")
  set(_init "${BPTE_BOARD_DIR}/init.cpp")
endif()

# These are objects, not a library, because nothing refers to the vector table by name.
add_library(bpte_board OBJECT
  ${_cortex_m}/clock.cpp
  ${_cortex_m}/console.cpp
  ${_cortex_m}/fault.cpp
  ${_cortex_m}/npu.cpp
  ${_cortex_m}/semihosting.cpp
  ${_cortex_m}/startup.cpp
  ${_cortex_m}/system_calls.c
  ${_uart}
  ${_init}
)
target_include_directories(bpte_board PUBLIC ${_cortex_m})
target_compile_features(bpte_board PUBLIC cxx_std_17)
target_compile_definitions(bpte_board PUBLIC ${BPTE_BOARD_DEFINITIONS}
                                             BPTE_ENGINE_STEPPING=$<BOOL:${BPTE_ENGINE_STEPPING}>
                                             BPTE_RUNNER_WIRE=$<BOOL:${BPTE_RUNNER_WIRE}>)
target_link_libraries(bpte_board PUBLIC bpte::core PRIVATE bpte_warnings)
# The start-up runs before memory is set up: the compiler must not turn its loops into calls of memcpy or memset.
set_source_files_properties(${_cortex_m}/startup.cpp PROPERTIES COMPILE_OPTIONS -fno-tree-loop-distribute-patterns)

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
    -L${BPTE_BOARD_FACTS}
    -T${_cortex_m}/firmware.ld
    LINKER:--defsym=__stack_size=${arg_STACK}
    LINKER:--defsym=__heap_size=${arg_HEAP}
    LINKER:--gc-sections
    LINKER:--print-memory-usage
    LINKER:-Map=$<TARGET_FILE_DIR:${target}>/${target}.map
  )
  set_target_properties(${target} PROPERTIES
    SUFFIX .elf
    LINK_DEPENDS "${_cortex_m}/firmware.ld;${BPTE_BOARD_FACTS}/memory.ld"
  )
endfunction()
