# SPDX-License-Identifier: BSD-3-Clause
#
# Finds an ExecuTorch and says what to link. Two kinds exist, and their targets have different names:
#
# - the SDK inside the executorch Python package (>= 1.5, CMake >= 3.28), with targets `executorch::runtime`,
#   `executorch::kernels_optimized`, ...;
# - an ExecuTorch built and installed from source, for instance for bare metal, with the build's own bare names
#   (`executorch`, `portable_ops_lib`, ...).
#
# It looks where find_package(executorch) looks, CMAKE_PREFIX_PATH first. A host build then asks Python (BPTE_PYTHON, an
# active or local virtual environment, python3) where its executorch lies, without importing it. A cross build whose
# toolchain file sets BPTE_EXECUTORCH_WHEEL_PLATFORM lets that Python's pip fetch the package for the platform.
#
# Sets BPTE_EXECUTORCH_RUNTIME: targets that give headers and runtime, no operators; empty when none was found.
# Sets BPTE_EXECUTORCH_KERNELS: every operator library and delegate that this ExecuTorch has and a host program wants.
# Sets BPTE_EXECUTORCH_DIR: for a later find_package(executorch); BPTE_EXECUTORCH_VERSION: if it states one.

include_guard(GLOBAL)

set(BPTE_PYTHON "" CACHE FILEPATH "Python whose executorch package to build with (host builds)")

# The Pythons to ask, that of BPTE_PYTHON first.
function(_bpte_pythons out)
  set(pythons "")
  if(BPTE_PYTHON)
    list(APPEND pythons "${BPTE_PYTHON}")
  endif()
  if(DEFINED ENV{VIRTUAL_ENV})
    list(APPEND pythons "$ENV{VIRTUAL_ENV}/bin/python")
  endif()
  set(${out} "${pythons}" "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../.venv/bin/python" python3 PARENT_SCOPE)
endfunction()

# The folder of the Python package, or "".
function(_bpte_python_executorch out)
  _bpte_pythons(pythons)
  set(script "import importlib.util as u; s = u.find_spec('executorch'); \
print(list(s.submodule_search_locations)[0] if s and s.submodule_search_locations else '')")
  foreach(python IN LISTS pythons)
    # -I keeps the current folder out of the search.
    execute_process(
      COMMAND "${python}" -I -c "${script}"
      OUTPUT_VARIABLE folder
      OUTPUT_STRIP_TRAILING_WHITESPACE
      RESULT_VARIABLE failed
      ERROR_QUIET)
    if(NOT failed AND folder AND EXISTS "${folder}/share/cmake/executorch-config.cmake")
      set(${out} "${folder}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  set(${out} "" PARENT_SCOPE)
endfunction()

# The same package for another platform, fetched into the build folder; "" when that fails.
function(_bpte_executorch_wheel platform out)
  _bpte_pythons(pythons)
  set(folder "${CMAKE_BINARY_DIR}/executorch-${platform}")
  foreach(python IN LISTS pythons)
    execute_process(
      COMMAND "${python}" "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/executorch_wheel.py" ${platform} "${folder}"
      RESULT_VARIABLE failed
      ERROR_VARIABLE errors)
    if(NOT failed)
      set(${out} "${folder}/executorch" PARENT_SCOPE)
      return()
    endif()
    message(STATUS "No executorch for ${platform} from ${python}: ${errors}")
  endforeach()
  set(${out} "" PARENT_SCOPE)
endfunction()

# What to do when none was found, for an error message.
set(BPTE_EXECUTORCH_ADVICE
    "ExecuTorch was not found. Either `pip install executorch` (>= 1.5.1; CMake must be >= 3.28) into the Python named by \
-DBPTE_PYTHON=..., or give an installed ExecuTorch's folder with -DCMAKE_PREFIX_PATH=..., or build without this engine: \
-DBPTE_ENGINE_EXECUTORCH=OFF")

# A macro: find_package() is to define its variables where it is called.
macro(bpte_find_executorch)
  if(NOT TARGET executorch::runtime AND NOT TARGET executorch)
    find_package(executorch CONFIG QUIET)
    if(NOT executorch_FOUND)
      set(_bpte_folder "")
      if(BPTE_EXECUTORCH_WHEEL_PLATFORM)
        _bpte_executorch_wheel(${BPTE_EXECUTORCH_WHEEL_PLATFORM} _bpte_folder)
      elseif(NOT CMAKE_CROSSCOMPILING)
        _bpte_python_executorch(_bpte_folder)
      endif()
      if(_bpte_folder)
        set(executorch_DIR "${_bpte_folder}/share/cmake" CACHE PATH "" FORCE)
        find_package(executorch CONFIG QUIET)
      endif()
    endif()
  endif()

  set(BPTE_EXECUTORCH_RUNTIME "")
  set(BPTE_EXECUTORCH_KERNELS "")
  set(BPTE_EXECUTORCH_DIR "${executorch_DIR}")
  set(BPTE_EXECUTORCH_VERSION "${executorch_VERSION}")
  if(EXECUTORCH_BUILD_VERSION)
    set(BPTE_EXECUTORCH_VERSION "${EXECUTORCH_BUILD_VERSION}")
  endif()
  if(TARGET executorch::runtime)
    set(BPTE_EXECUTORCH_RUNTIME executorch::runtime)
    foreach(_bpte_target kernels_optimized kernels_quantized backend_xnnpack)
      if(TARGET executorch::${_bpte_target})
        list(APPEND BPTE_EXECUTORCH_KERNELS executorch::${_bpte_target})
      endif()
    endforeach()
  elseif(TARGET executorch)
    set(BPTE_EXECUTORCH_RUNTIME executorch)
    if(TARGET executorch_core)
      list(APPEND BPTE_EXECUTORCH_RUNTIME executorch_core)
    endif()
    foreach(_bpte_target portable_ops_lib quantized_ops_lib cortex_m_ops_lib)
      if(TARGET ${_bpte_target})
        list(APPEND BPTE_EXECUTORCH_KERNELS ${_bpte_target})
      endif()
    endforeach()
  endif()
endmacro()
