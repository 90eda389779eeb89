// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/tensor_view.h>
#include <executorch/runtime/core/evalue.h>

namespace bpte {

/// ExecuTorch's value as one of ours: a view of its tensor, or its scalar. kNone for what no bundle
/// can hold: none, a string, a list. A tensor's dtype and data are not checked.
Value value_of(const ::executorch::runtime::EValue& value);

/// A tensor for ExecuTorch, with the form of a view and data that the caller names. The view must
/// be consistent, as every one from a bundle is, and its dtype one of ExecuTorch's. Holds sizes,
/// dim_order and strides: it must stay where it is as long as tensor() is used.
class TensorArgument {
 public:
  TensorArgument(const TensorView& form, void* data);
  TensorArgument(const TensorArgument&) = delete;
  TensorArgument& operator=(const TensorArgument&) = delete;

  ::executorch::aten::Tensor tensor() { return ::executorch::aten::Tensor(&impl_); }

 private:
  // What TensorImpl refers to, and reads as it is made.
  struct Form {
    explicit Form(const TensorView& view);
    ::executorch::aten::SizesType sizes[kMaxRank];
    ::executorch::aten::DimOrderType dim_order[kMaxRank];
    ::executorch::aten::StridesType strides[kMaxRank];
  };

  Form form_;
  ::executorch::aten::TensorImpl impl_;
};

}  // namespace bpte
