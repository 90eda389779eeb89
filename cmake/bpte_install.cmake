# SPDX-License-Identifier: BSD-3-Clause
#
# `cmake --install`: libraries, headers, bpte-run, and the package that find_package(bpte) reads. Targets that need
# ExecuTorch are exported separately, so that the others can be used without it.
include(CMakePackageConfigHelpers)

set(BPTE_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/bpte")

install(TARGETS bpte_core bpte_engine bpte_runner EXPORT bpteTargets)
if(TARGET bpte_ethosu)  # each engine uses it
  install(TARGETS bpte_ethosu EXPORT bpteTargets)
endif()
install(EXPORT bpteTargets NAMESPACE bpte:: DESTINATION "${BPTE_CMAKE_DIR}")
foreach(engine executorch reference)
  if(NOT TARGET bpte_${engine})
    continue()
  endif()
  install(TARGETS bpte_${engine} EXPORT bpte-${engine}-targets)
  if(TARGET bpte_${engine}_kernels)
    install(TARGETS bpte_${engine}_kernels EXPORT bpte-${engine}-targets)
  endif()
  if(engine STREQUAL "executorch")
    install(TARGETS bpte_devtools EXPORT bpte-executorch-targets)
  endif()
  install(EXPORT bpte-${engine}-targets NAMESPACE bpte:: DESTINATION "${BPTE_CMAKE_DIR}")
endforeach()
if(TARGET bpte-run)
  install(TARGETS bpte-run)
endif()

install(
  DIRECTORY "${PROJECT_SOURCE_DIR}/runtime/bpte"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING
  PATTERN "*.h"
  PATTERN "platform" EXCLUDE)

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/bpteConfig.cmake.in" bpteConfig.cmake
                              INSTALL_DESTINATION "${BPTE_CMAKE_DIR}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(bpteConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/bpteConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/bpteConfigVersion.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/bpte_add_bundle.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/bpte_find_executorch.cmake" DESTINATION "${BPTE_CMAKE_DIR}")
