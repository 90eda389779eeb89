# SPDX-License-Identifier: BSD-3-Clause
#
# bpte_add_bundle(target file.bpte [SECTION section] [ALIGN bytes] [SYMBOL name])
#
# Links a bundle into a target, aligned, so that it is used in place:
#
#   extern "C" const uint8_t bpte_bundle[], bpte_bundle_end[];
#   bpte::Bundle::open({bpte_bundle, size_t(bpte_bundle_end - bpte_bundle)});
#
# SECTION (default .bpte_bundle): the linker script places it. ALIGN (default: the base_alignment that the file's header
# states; 16 for BP08): a power of two, at least the default. SYMBOL (default bpte_bundle): for several bundles in one
# target. The target is linked again when the file changes. The project must have ASM enabled.

include_guard(GLOBAL)

# The u32 base_alignment of the header: bytes 48 to 51, little-endian (schema/README.md).
function(_bpte_base_alignment file out)
  file(READ "${file}" identifier OFFSET 4 LIMIT 4 HEX)
  if(identifier STREQUAL "42503038") # BP08
    set(${out} 16 PARENT_SCOPE)
    return()
  endif()
  file(READ "${file}" bytes OFFSET 48 LIMIT 4 HEX)
  if(NOT identifier STREQUAL "42503039" OR NOT bytes MATCHES "^(..)(..)(..)(..)$")
    message(FATAL_ERROR "bpte_add_bundle: ${file}: no .bpte file (`bpte check` says more)")
  endif()
  math(EXPR alignment "0x${CMAKE_MATCH_4}${CMAKE_MATCH_3}${CMAKE_MATCH_2}${CMAKE_MATCH_1}")
  set(${out} ${alignment} PARENT_SCOPE)
endfunction()

function(bpte_add_bundle target file)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "SECTION;ALIGN;SYMBOL" "")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "bpte_add_bundle: unknown argument ${arg_UNPARSED_ARGUMENTS}")
  endif()
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if(NOT "ASM" IN_LIST languages)
    message(FATAL_ERROR "bpte_add_bundle: enable ASM: project(... LANGUAGES CXX ASM)")
  endif()
  get_filename_component(file "${file}" ABSOLUTE)
  if(NOT EXISTS "${file}")
    message(FATAL_ERROR "bpte_add_bundle: ${file}: no such file")
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")

  _bpte_base_alignment("${file}" needed)
  if(NOT DEFINED arg_ALIGN)
    set(arg_ALIGN ${needed})
  endif()
  math(EXPR not_power "${arg_ALIGN} & (${arg_ALIGN} - 1)")
  if(not_power OR arg_ALIGN LESS needed)
    message(FATAL_ERROR "bpte_add_bundle: ALIGN ${arg_ALIGN}: ${file} needs a power of two, at least ${needed}")
  endif()
  if(NOT DEFINED arg_SECTION)
    set(arg_SECTION .bpte_bundle)
  endif()
  if(NOT DEFINED arg_SYMBOL)
    set(arg_SYMBOL bpte_bundle)
  endif()

  set(source "${CMAKE_CURRENT_BINARY_DIR}/${target}.${arg_SYMBOL}.S")
  file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT "  .section @arg_SECTION@, \"a\"
  .balign @arg_ALIGN@
  .global @arg_SYMBOL@, @arg_SYMBOL@_end
@arg_SYMBOL@:
  .incbin \"@file@\"
@arg_SYMBOL@_end:
  .byte 0
#if defined(__ELF__) && !defined(__arm__)
  .section .note.GNU-stack, \"\", %progbits
#endif
")
  set_source_files_properties("${source}" PROPERTIES OBJECT_DEPENDS "${file}")
  target_sources(${target} PRIVATE "${source}")
endfunction()
