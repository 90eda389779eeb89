// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/format_number.h>
#include <bpte/core/span.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace bpte {

/// One line of text, built in place, as Engine::message() returns it. Text that does not fit is cut
/// off, and "..." says so.
class Message {
 public:
  const char* c_str() const { return text_; }
  bool empty() const { return size_ == 0; }

  void clear() {
    size_ = 0;
    text_[0] = '\0';
  }

  Message& operator<<(const char* text) {
    while (*text != '\0') put(*text++);
    return *this;
  }
  Message& operator<<(Span<const char> text) {
    for (const char c : text) put(c);
    return *this;
  }
  /// Any integer type except characters.
  template <typename T, typename = std::enable_if_t<std::is_integral_v<T>>>
  Message& operator<<(T value) {
    static_assert(!std::is_same_v<T, char> && !std::is_same_v<T, bool>);
    if constexpr (std::is_signed_v<T>) {
      return number(format_int(value, scratch()));
    } else {
      return number(format_uint(value, scratch()));
    }
  }
  Message& operator<<(double value) { return number(format_double(value, scratch())); }

  /// "[1, 3, 224]"
  template <typename T>
  Message& list(const T* values, size_t count) {
    put('[');
    for (size_t i = 0; i < count; ++i) {
      if (i != 0) *this << ", ";
      *this << static_cast<int64_t>(values[i]);
    }
    put(']');
    return *this;
  }

 private:
  static constexpr size_t kCapacity = 256;

  void put(char c) {
    if (size_ + 1 < kCapacity) {
      text_[size_++] = c;
      text_[size_] = '\0';
    } else {
      for (size_t i = 0; i < 3; ++i) text_[size_ - 1 - i] = '.';
    }
  }
  Span<char> scratch() { return Span<char>(number_); }
  Message& number(size_t size) { return *this << Span<const char>(number_, size); }

  char text_[kCapacity] = {};
  char number_[kMaxNumberLength] = {};
  size_t size_ = 0;
};

}  // namespace bpte
