// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/executorch/values.h>

namespace bpte {

namespace aten = ::executorch::aten;

Value value_of(const ::executorch::runtime::EValue& actual) {
  Value value;
  if (actual.isInt()) {
    value.kind = ValueKind::kInt;
    value.int_value = actual.toInt();
  } else if (actual.isDouble()) {
    value.kind = ValueKind::kDouble;
    value.double_value = actual.toDouble();
  } else if (actual.isBool()) {
    value.kind = ValueKind::kBool;
    value.bool_value = actual.toBool();
  } else if (actual.isTensor()) {
    const aten::Tensor& tensor = actual.toTensor();
    value.kind = ValueKind::kTensor;
    value.tensor.scalar_type = static_cast<ScalarType>(tensor.scalar_type());
    value.tensor.sizes = {tensor.sizes().data(), tensor.sizes().size()};
    value.tensor.dim_order = {tensor.dim_order().data(), tensor.dim_order().size()};
    value.tensor.data = {static_cast<const uint8_t*>(tensor.const_data_ptr()), tensor.nbytes()};
  }
  return value;
}

TensorArgument::Form::Form(const TensorView& view) {
  uint32_t stride = 1;
  for (size_t i = view.sizes.size(); i-- > 0;) {
    const uint8_t dimension = view.dim_order[i];
    dim_order[i] = dimension;
    sizes[dimension] = view.sizes[dimension];
    strides[dimension] = static_cast<aten::StridesType>(stride);
    stride *= static_cast<uint32_t>(view.sizes[dimension]);
  }
}

TensorArgument::TensorArgument(const TensorView& form, void* data)
    : form_(form),
      impl_(static_cast<aten::ScalarType>(form.scalar_type),
            static_cast<ssize_t>(form.sizes.size()), form_.sizes, data, form_.dim_order,
            form_.strides) {}

}  // namespace bpte
