// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/error.h>

namespace bpte {

/// Success, or the violation that stands in its way.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(const Fault& fault) : fault_(fault) {}
  bool ok() const { return fault_.error == Error::kOk; }
  const Fault& fault() const { return fault_; }
  Fault& fault() { return fault_; }

 private:
  Fault fault_;
};

/// A value, or the violation that stands in its way. T is a plain view type: default-constructible,
/// trivially copyable.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result() = default;
  Result(const T& value) : value_(value) {}
  Result(const Fault& fault) : fault_(fault) {}
  bool ok() const { return fault_.error == Error::kOk; }
  const Fault& fault() const { return fault_; }
  Fault& fault() { return fault_; }
  /// Meaningful only when ok(); otherwise an empty T, whose members are safe to call.
  const T& get() const { return value_; }
  T& get() { return value_; }
  const T* operator->() const { return &value_; }
  T* operator->() { return &value_; }
  const T& operator*() const { return value_; }
  T& operator*() { return value_; }

 private:
  T value_{};
  Fault fault_;
};

}  // namespace bpte
