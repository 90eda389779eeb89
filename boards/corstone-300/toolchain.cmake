# SPDX-License-Identifier: BSD-3-Clause
set(BPTE_CPU_FLAGS "-mcpu=cortex-m55 -mthumb -mfloat-abi=hard")
include(${CMAKE_CURRENT_LIST_DIR}/../../cmake/arm-none-eabi.cmake)
