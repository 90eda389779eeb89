// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "method.h"

namespace bpte::reference {

/// The most integers in a list that has one for each dimension.
inline constexpr size_t kMaxInts = 2 * kRankLimit;

struct Ints {
  int64_t items[kMaxInts] = {};
  size_t count = 0;
};

/// One call of an operator, as its kernel sees it. Arguments are counted as in the operator's
/// schema, `out` included; each access checks the argument and reports what is wrong with it, under
/// the instruction's and operator's name, and returns false: the kernel returns false as well.
///
/// A kernel first gets and checks all its arguments, gives its outputs their sizes and counts its
/// work; then, when checking(), it returns true before it reads or writes any data.
class Call {
 public:
  Call(Method& method, Vector arguments, bool checking, uint32_t number, Text name, Text overload,
       Report& report)
      : method_(method),
        arguments_(arguments),
        checking_(checking),
        number_(number),
        name_(name),
        overload_(overload),
        report_(report) {}

  bool checking() const { return checking_; }

  [[nodiscard]] bool tensor(size_t argument, Tensor& tensor);
  /// A tensor of float32.
  [[nodiscard]] bool floats(size_t argument, Tensor& tensor);
  /// float32, or None: then `present` is false.
  [[nodiscard]] bool optional_floats(size_t argument, Tensor& tensor, bool& present);
  /// A tensor that may be written.
  [[nodiscard]] bool out(size_t argument, Tensor& tensor);
  [[nodiscard]] bool out_floats(size_t argument, Tensor& tensor);
  /// An item of a list of tensors.
  [[nodiscard]] bool list_size(size_t argument, uint32_t& size) {
    return named(method_.list_size(value(argument), size, report_));
  }
  [[nodiscard]] bool list_tensor(size_t argument, uint32_t index, Tensor& tensor);
  [[nodiscard]] bool list_out(size_t argument, uint32_t index, Tensor& tensor);
  /// An item of a list of optional tensors, or None: then `present` is false.
  [[nodiscard]] bool list_optional(size_t argument, uint32_t index, Tensor& tensor, bool& present);

  [[nodiscard]] bool integer(size_t argument, int64_t& number) {
    return named(method_.integer(value(argument), number, report_));
  }
  [[nodiscard]] bool boolean(size_t argument, bool& value);
  /// An Int, Bool or Double.
  [[nodiscard]] bool number(size_t argument, double& number) {
    return named(method_.number(value(argument), number, report_));
  }
  [[nodiscard]] bool is_none(size_t argument) const;
  [[nodiscard]] bool text(size_t argument, Text& text) {
    return named(method_.text(value(argument), text, report_));
  }
  /// A list of at most kMaxInts integers, or None.
  [[nodiscard]] bool ints(size_t argument, Ints& list);
  /// A list of any length, item by item.
  [[nodiscard]] bool int_item(size_t argument, uint32_t index, int64_t& number);
  /// A dimension, counted from the end when negative; rank 0 has dimension 0.
  [[nodiscard]] bool dimension(size_t argument, size_t rank, size_t& dimension);
  [[nodiscard]] bool to_dimension(int64_t number, size_t rank, size_t& dimension);

  /// Gives an output its sizes. Refuses sizes that it cannot have.
  [[nodiscard]] bool resize(Tensor& out, const int32_t* sizes, size_t rank) {
    return named(method_.resize(out, sizes, rank, report_));
  }
  [[nodiscard]] bool resize_like(Tensor& out, const Tensor& other) {
    return resize(out, other.sizes, other.rank);
  }
  [[nodiscard]] bool set_integer(size_t argument, int64_t number) {
    return named(method_.set_integer(value(argument), number, report_));
  }
  [[nodiscard]] bool view(size_t argument, const Tensor& source, const int32_t* sizes,
                          size_t rank) {
    return named(method_.view(value(argument), source, sizes, rank, report_));
  }

  /// Counts elementary operations against the limit.
  [[nodiscard]] bool work(uint64_t amount) { return named(method_.work(amount, report_)); }

  /// "instruction 3, aten::add.out: what". Always false.
  bool invalid(const char* what) { return fail(EngineError::kInvalidProgram) << what; }
  bool unsupported(const char* what) { return fail(EngineError::kUnsupported) << what; }
  /// Reports a failure that the data causes at run time.
  bool failed(const char* what) { return fail(EngineError::kExecutionFailed) << what; }

 private:
  Report& fail(EngineError error);
  /// The index of the argument's value, or an index that does not exist.
  uint32_t value(size_t argument) const;
  [[nodiscard]] bool usable(const Tensor& tensor, bool as_output);
  [[nodiscard]] bool is_float(const Tensor& tensor);
  /// Adds the operator's name to what a method reported.
  [[nodiscard]] bool named(bool ok);

  Method& method_;
  Vector arguments_;
  bool checking_;
  uint32_t number_;
  Text name_;
  Text overload_;
  Report& report_;
};

}  // namespace bpte::reference
