# SPDX-License-Identifier: BSD-3-Clause
#
# bpte_run_python(out script arguments...): runs a script that uses bpte's Python package; gives what it prints. BPTE_PYTHON
# runs it, else an active virtual environment's Python, else python3.

set(BPTE_PYTHON "" CACHE FILEPATH "Python that reads board.toml, and has bpte's dependencies for BPTE_BOARD_PROGRAMS")

# Where the package that these sources belong to lies: beside them in a checkout, around them when installed.
if(EXISTS "${BPTE_ROOT}/python/bpte/__init__.py")
  set(BPTE_PYTHON_PATH "${BPTE_ROOT}/python")
else()
  get_filename_component(BPTE_PYTHON_PATH "${BPTE_ROOT}/../.." REALPATH)
endif()

function(bpte_run_python out script)
  set(python "${BPTE_PYTHON}")
  if(NOT python AND DEFINED ENV{VIRTUAL_ENV})
    set(python "$ENV{VIRTUAL_ENV}/bin/python")
  elseif(NOT python)
    set(python python3)
  endif()
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env "PYTHONPATH=${BPTE_PYTHON_PATH}" PYTHONDONTWRITEBYTECODE=1 "${python}" "${script}" ${ARGN}
    OUTPUT_VARIABLE output
    ERROR_VARIABLE errors
    RESULT_VARIABLE failed)
  if(failed)
    get_filename_component(name "${script}" NAME)
    message(FATAL_ERROR "${name} failed (${python}; -DBPTE_PYTHON=... names another Python):\n${errors}")
  endif()
  set(${out} "${output}" PARENT_SCOPE)
endfunction()
