// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/bundle.h>
#include <bpte/core/internal/flatbuffer.h>
#include <bpte/core/span.h>

#include <cstddef>
#include <cstdint>

namespace bpte::reference {

using flatbuffer::Position;
using flatbuffer::Vector;

/// The core's reader, for a program that is decoded again and again while it runs. Its functions
/// are const, because reading changes nothing that a caller can see except malformed(). An element
/// past a vector's end reads as 0.
class FlatBuffer {
 public:
  FlatBuffer() = default;
  explicit FlatBuffer(Span<const uint8_t> bytes) : reader_(bytes), size_(bytes.size()) {}

  size_t size() const { return size_; }
  bool malformed() const { return reader_.bad(); }
  const uint8_t* pointer(Position at) const { return reader_.pointer(at); }

  Position root() const { return reader_.root(); }
  template <typename T>
  T scalar(Position table, uint16_t id, T absent) const {
    return reader_.scalar<T>(table, id, absent);
  }
  Position table(Position table, uint16_t id) const { return reader_.table(table, id); }
  Vector vector(Position table, uint16_t id, uint32_t element_size) const {
    return reader_.vector(table, id, flatbuffer::shape(element_size, element_size));
  }
  Text string(Position table, uint16_t id) const {
    const Vector found = reader_.string(table, id);
    if (!found) return {};
    return {reinterpret_cast<const char*>(pointer(found.at)), found.count};
  }
  template <typename T>
  T element(const Vector& vector, uint32_t index) const {
    if (index >= vector.count) return T{};
    return reader_.load<T>(vector.at + index * static_cast<uint32_t>(sizeof(T)));
  }
  Position table_element(const Vector& vector, uint32_t index) const {
    return index < vector.count ? reader_.element(vector, index) : 0;
  }

 private:
  mutable flatbuffer::Reader reader_;
  size_t size_ = 0;
};

}  // namespace bpte::reference
