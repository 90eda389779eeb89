// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/scalar_type.h>
#include <bpte/core/tensor_view.h>

namespace bpte {

size_t element_size(ScalarType type) {
  switch (type) {
#define BPTE_ROW(enumerator, number, name, stored, ...) \
  case ScalarType::enumerator:                          \
    return sizeof(stored);
    BPTE_FOR_EACH_SCALAR_TYPE(BPTE_ROW)
#undef BPTE_ROW
  }
  return 0;  // a number that came out of a file or an engine and is none of ours
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
