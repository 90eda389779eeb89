# SPDX-License-Identifier: BSD-3-Clause
# The Cortex-M85 has everything of the Cortex-M55's instruction set, and GCC before 13 knows only the latter.
execute_process(
  COMMAND arm-none-eabi-gcc -mcpu=cortex-m85 -E -x c /dev/null
  RESULT_VARIABLE _unknown
  OUTPUT_QUIET ERROR_QUIET)
if(_unknown)
  set(BPTE_CPU_FLAGS "-mcpu=cortex-m55 -mthumb -mfloat-abi=hard")
else()
  set(BPTE_CPU_FLAGS "-mcpu=cortex-m85 -mthumb -mfloat-abi=hard")
endif()
include(${CMAKE_CURRENT_LIST_DIR}/../../cmake/arm-none-eabi.cmake)
