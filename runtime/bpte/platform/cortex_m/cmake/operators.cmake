# SPDX-License-Identifier: BSD-3-Clause
#
# bpte_program_operators(out arguments...): runs operators.py on the programs in BPTE_BOARD_PROGRAMS; gives its output.
#
# bpte_link_executorch_operators(target): links the operators of an ExecuTorch built for bare metal: those that the
# programs in BPTE_BOARD_PROGRAMS use, or all. The Ethos-U delegate is linked when a program or the option for all
# operators asks for it, the install has it, and there is something behind it: its driver for a board with an NPU, or
# the functional model (BPTE_ETHOSU_MODEL), or both.

set(BPTE_BOARD_PROGRAMS "" CACHE STRING ".pte or .bpte files whose operators alone are linked; empty: all operators")

function(bpte_program_operators out)
  set(script "${BPTE_ROOT}/runtime/bpte/platform/cortex_m/cmake/operators.py")
  bpte_run_python(output "${script}" ${ARGN} ${BPTE_BOARD_PROGRAMS})
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

  set(driver OFF)
  if(DEFINED BPTE_BOARD_NPU AND TARGET ethosu_core_driver)
    set(driver ON)
  endif()
  if(delegate AND TARGET executorch_delegate_ethos_u AND (driver OR TARGET bpte_ethosu))
    _bpte_link_ethosu_delegate(${target} ${driver})
  endif()
endfunction()

function(_bpte_link_ethosu_delegate target driver)
  set(cortex_m "${BPTE_ROOT}/runtime/bpte/platform/cortex_m")
  # A constructor registers it; nothing refers to that by name.
  target_link_libraries(${target} PRIVATE executorch_delegate_ethos_u)
  target_link_options(${target} PRIVATE
    "SHELL:LINKER:--whole-archive $<TARGET_FILE:executorch_delegate_ethos_u> LINKER:--no-whole-archive")
  target_compile_definitions(${target} PRIVATE BPTE_NPU_DELEGATE)
  if(driver)
    target_sources(${target} PRIVATE "${cortex_m}/npu_ethosu.cpp")
    target_link_libraries(${target} PRIVATE ethosu_core_driver)
    target_link_options(${target} PRIVATE
      LINKER:--wrap=_ZN10executorch7runtime16register_backendERKNS0_7BackendE)
  endif()
  if(TARGET bpte_ethosu)
    bpte_npu_model(${target} ${driver})
  endif()
endfunction()

# bpte_npu_model(target driver): the functional model of the Ethos-U behind the entry points of its driver. `driver`:
# whether that is linked, too, for an NPU that answers.
function(bpte_npu_model target driver)
  target_sources(${target} PRIVATE "${BPTE_ROOT}/runtime/bpte/platform/cortex_m/npu_model.cpp")
  target_compile_definitions(${target} PRIVATE BPTE_NPU_MODEL)
  if(driver)
    target_compile_definitions(${target} PRIVATE BPTE_NPU_DRIVER)
    foreach(entry reserve_driver release_driver invoke_v3)
      target_link_options(${target} PRIVATE LINKER:--wrap=ethosu_${entry})
    endforeach()
  endif()
endfunction()
