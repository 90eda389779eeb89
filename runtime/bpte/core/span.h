// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

namespace bpte {

/// A view of `size` consecutive elements that somebody else owns.
template <typename T>
class Span {
 public:
  constexpr Span() = default;
  constexpr Span(T* data, size_t size) : data_(data), size_(size) {}
  template <size_t N>
  constexpr Span(T (&array)[N]) : data_(array), size_(N) {}
  /// Span<uint8_t> converts to Span<const uint8_t>.
  template <typename U, typename = decltype(static_cast<T (*)[]>(static_cast<U (*)[]>(nullptr)))>
  constexpr Span(Span<U> other) : data_(other.data()), size_(other.size()) {}

  constexpr T* data() const { return data_; }
  constexpr size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr T* begin() const { return data_; }
  constexpr T* end() const { return data_ + size_; }
  /// The caller keeps `index` below size().
  constexpr T& operator[](size_t index) const { return data_[index]; }
  /// The caller keeps `offset + count` within size().
  constexpr Span subspan(size_t offset, size_t count) const { return {data_ + offset, count}; }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace bpte
