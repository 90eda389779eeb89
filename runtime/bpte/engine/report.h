// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/bundle.h>
#include <bpte/engine/engine.h>
#include <bpte/engine/message.h>

namespace bpte {

/// An error and one line about it. The first failure stays, and later ones are dropped, so that the
/// message names the cause and not its consequences.
class Report {
 public:
  void clear() {
    error_ = EngineError::kOk;
    muted_ = false;
    message_.clear();
  }
  bool ok() const { return error_ == EngineError::kOk; }
  EngineError error() const { return error_; }
  const char* message() const { return message_.c_str(); }

  /// Starts a failure. What is then put into the report is its message.
  Report& fail(EngineError error) {
    muted_ = !ok();
    if (!muted_) error_ = error;
    return *this;
  }
  Report& invalid_program() { return fail(EngineError::kInvalidProgram); }
  Report& unsupported() { return fail(EngineError::kUnsupported); }
  template <typename T>
  Report& operator<<(T value) {
    if (!muted_) message_ << value;
    return *this;
  }
  Report& operator<<(Text text) { return *this << Span<const char>(text.data, text.size); }
  template <typename T>
  Report& list(const T* values, size_t count) {
    if (!muted_) message_.list(values, count);
    return *this;
  }
  /// Always false: lets a function that failed end in `return report.fail(...) << ...`.
  operator bool() const { return false; }
  /// The same for a function that gives the error.
  operator EngineError() const { return error_; }

  /// Replaces the error of a failure that came up only at run time.
  void rename(EngineError from, EngineError to) {
    if (error_ == from) error_ = to;
  }

 private:
  EngineError error_ = EngineError::kOk;
  bool muted_ = false;
  Message message_;
};

}  // namespace bpte
