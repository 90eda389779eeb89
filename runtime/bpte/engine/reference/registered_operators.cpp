// SPDX-License-Identifier: BSD-3-Clause
#include "internal/method.h"

/// The list of operators to register: operators.def, or a file with some of its lines. Only this
/// table refers to the kernels, so a linker that collects garbage drops those that are not listed.
#ifndef BPTE_REFERENCE_OPERATORS
#define BPTE_REFERENCE_OPERATORS "operators.def"
#endif

namespace bpte::reference {

#define BPTE_OPERATOR(name, function) bool function(Call& call);
#include BPTE_REFERENCE_OPERATORS
#undef BPTE_OPERATOR

namespace {

constexpr RegisteredOperator kOperators[] = {
#define BPTE_OPERATOR(name, function) {name, function},
#include BPTE_REFERENCE_OPERATORS
#undef BPTE_OPERATOR
};

}  // namespace

Span<const RegisteredOperator> registered_operators() {
  return kOperators;
}

}  // namespace bpte::reference
