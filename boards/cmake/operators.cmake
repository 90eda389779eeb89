# SPDX-License-Identifier: BSD-3-Clause
#
# bpte_program_operators(out arguments...): runs operators.py on the programs in BPTE_BOARD_PROGRAMS; gives its output.
#
# bpte_link_executorch_operators(target): links the operators of an ExecuTorch built for bare metal: those that the
# programs in BPTE_BOARD_PROGRAMS use, or all. The Ethos-U delegate is linked when the install has it with its driver, and
# a program asks for it or all are wanted.

set(BPTE_BOARD_PROGRAMS "" CACHE STRING ".pte or .bpte files whose operators alone are linked; empty: all operators")
# Where the package that these sources belong to lies: beside them in a checkout, around them when installed.
if(EXISTS "${BPTE_ROOT}/python/bpte/__init__.py")
  set(BPTE_PYTHON_PATH "${BPTE_ROOT}/python")
else()
  get_filename_component(BPTE_PYTHON_PATH "${BPTE_ROOT}/../.." REALPATH)
endif()
set(BPTE_PYTHON "" CACHE FILEPATH "Python that has bpte's dependencies; needed for BPTE_BOARD_PROGRAMS")

function(bpte_program_operators out)
  set(python "${BPTE_PYTHON}")
  if(NOT python)
    find_package(Python3 REQUIRED COMPONENTS Interpreter)
    set(python "${Python3_EXECUTABLE}")
  endif()
  set(script "${BPTE_ROOT}/boards/operators.py")
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env "PYTHONPATH=${BPTE_PYTHON_PATH}" "${python}" "${script}" ${ARGN}
            ${BPTE_BOARD_PROGRAMS}
    OUTPUT_VARIABLE output
    RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "The operators of ${BPTE_BOARD_PROGRAMS} could not be selected")
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${script}" ${BPTE_BOARD_PROGRAMS})
  set(${out} "${output}" PARENT_SCOPE)
endfunction()

function(bpte_link_executorch_operators target)
  target_link_libraries(${target} PRIVATE bpte::executorch)
  set(delegate OFF)
  if(BPTE_BOARD_PROGRAMS)
    get_target_property(includes executorch INTERFACE_INCLUDE_DIRECTORIES)
    list(GET includes 0 include)
    set(registration "${CMAKE_CURRENT_BINARY_DIR}/operators.cpp")
    bpte_program_operators(libraries --include "${include}" -o "${registration}")
    target_sources(${target} PRIVATE "${registration}")
    set_source_files_properties("${registration}" PROPERTIES COMPILE_OPTIONS -Wno-psabi)
    foreach(library portable quantized cortex_m)
      if(libraries MATCHES "${library}\n")
        target_link_libraries(${target} PRIVATE ${library}_kernels)
      endif()
    endforeach()
    if(libraries MATCHES "delegate EthosUBackend")
      set(delegate ON)
    endif()
  else()
    target_link_libraries(${target} PRIVATE bpte::executorch_kernels)
    set(delegate ON)
  endif()

  if(delegate AND DEFINED BPTE_PERIPHERAL_npu AND TARGET executorch_delegate_ethos_u AND TARGET ethosu_core_driver)
    target_sources(${target} PRIVATE "${BPTE_ROOT}/runtime/bpte/platform/cortex_m/npu_ethosu.cpp")
    target_link_libraries(${target} PRIVATE executorch_delegate_ethos_u ethosu_core_driver)
    target_compile_definitions(${target} PRIVATE BPTE_BOARD_NPU=${BPTE_PERIPHERAL_npu}
                                                 BPTE_BOARD_NPU_IRQ=${BPTE_PERIPHERAL_npu_irq})
    target_link_options(${target} PRIVATE
      LINKER:--wrap=_ZN10executorch7runtime16register_backendERKNS0_7BackendE)
    # Registered by a constructor that nothing refers to.
    target_link_options(${target} PRIVATE
      "SHELL:LINKER:--whole-archive $<TARGET_FILE:executorch_delegate_ethos_u> LINKER:--no-whole-archive")
  endif()
endfunction()
