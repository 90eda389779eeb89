# SPDX-License-Identifier: BSD-3-Clause
set(BPTE_CPU_FLAGS "-mcpu=cortex-m7 -mthumb -mfloat-abi=hard -mfpu=fpv5-d16")
include(${CMAKE_CURRENT_LIST_DIR}/../../cmake/arm-none-eabi.cmake)
