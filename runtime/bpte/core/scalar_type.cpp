// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/internal/element.h>
#include <bpte/core/internal/type_facts.h>
#include <bpte/core/scalar_type.h>
#include <bpte/core/tensor_view.h>

#include <type_traits>

namespace bpte {

size_t element_size(ScalarType type) {
  // A file or an engine may give a number that has no row.
  return (size_t{1} << internal::type_facts(type).size) >> 1;
}

bool fits_float32(ScalarType type) {
  switch (type) {
#define BPTE_ROW(enumerator, number, name, stored, encoded, ...) \
  case ScalarType::enumerator:                                   \
    return std::is_same_v<decltype(internal::encoding::encoded::value(stored{})), float>;
    BPTE_FOR_EACH_SCALAR_TYPE(BPTE_ROW)
#undef BPTE_ROW
  }
  return false;
}

const char* to_string(ScalarType type) {
  switch (type) {
#define BPTE_ROW(enumerator, number, name, ...) \
  case ScalarType::enumerator:                  \
    return name;
    BPTE_FOR_EACH_SCALAR_TYPE(BPTE_ROW)
#undef BPTE_ROW
  }
  return "unknown";
}

const char* to_string(ValueKind kind) {
  switch (kind) {
    case ValueKind::kNone:
      return "none";
    case ValueKind::kTensor:
      return "tensor";
    case ValueKind::kInt:
      return "int";
    case ValueKind::kBool:
      return "bool";
    case ValueKind::kDouble:
      return "double";
  }
  return "none";
}

}  // namespace bpte
