// SPDX-License-Identifier: BSD-3-Clause
//
// compare() of targets with little flash, in a namespace of its own, so that one program can hold
// both. The types are the same, except for their names.
#define bpte bpte_small
#undef BPTE_CORE_SMALL
#define BPTE_CORE_SMALL 1
#include "../../runtime/bpte/core/compare.cpp"
#include "../../runtime/bpte/core/internal/walk.cpp"
#include "../../runtime/bpte/core/scalar_type.cpp"

extern "C" void compare_small(const void* expected, const void* actual, const void* tolerance,
                              void* result) {
  *static_cast<bpte::Comparison*>(result) = bpte::compare(
      *static_cast<const bpte::Value*>(expected), *static_cast<const bpte::Value*>(actual),
      *static_cast<const bpte::Tolerance*>(tolerance));
}
