# SPDX-License-Identifier: BSD-3-Clause
#
# Arm's GNU toolchain with picolibc. A board's toolchain.cmake sets BPTE_CPU_FLAGS and includes this.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
set(CMAKE_ASM_COMPILER arm-none-eabi-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)

# picolibc is small, and its printf supports every length (ExecuTorch's messages need %zu).
set(_flags "${BPTE_CPU_FLAGS} --specs=picolibcpp.specs -ffunction-sections -fdata-sections")
set(CMAKE_C_FLAGS_INIT "${_flags}")
set(CMAKE_ASM_FLAGS_INIT "${_flags}")
set(CMAKE_CXX_FLAGS_INIT
    "${_flags} -fno-exceptions -fno-rtti -fno-unwind-tables -fno-asynchronous-unwind-tables -fno-threadsafe-statics \
-fno-use-cxa-atexit")
