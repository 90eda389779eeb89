// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A reader of FlatBuffers that trusts nothing. It checks every access against the buffer, so it
// needs no separate verification pass, no generated code and no recursion. It refuses what
// FlatBuffers' own verifier refuses (https://flatbuffers.dev/internals): positions outside the
// buffer or misaligned, offsets of zero or of 2^31 and more, odd vtables, unterminated strings.
//
// The reader remembers a violation (bad()); everything read after it looks absent. So a walk need
// not check each access, only bad() before it relies on what it read.

#include <bpte/core/span.h>

#include <cstdint>
#include <cstring>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "FlatBuffers are little-endian; this reader loads them as they are"
#endif

namespace bpte::flatbuffer {

/// FlatBuffers' own limit: offsets are signed 32-bit in places.
inline constexpr uint32_t kMaxSize = 0x7FFFFFFFu;

/// Where a table, field or element lies, counted from the buffer's first byte. 0 (where the root
/// offset lies, never anything else) stands for "absent".
using Position = uint32_t;

/// Size and alignment in bytes of a scalar, struct or element, in one argument.
using Shape = uint32_t;
constexpr Shape shape(uint32_t size, uint32_t align) {
  return size << 8 | align;
}
/// The shape of an offset, which refers to a table, string or vector.
inline constexpr Shape kOffset = shape(4, 4);
inline constexpr Shape kByte = shape(1, 1);
inline constexpr Shape kU32 = shape(4, 4);

/// A Vector as one number, count above position. A 32-bit target passes and returns that in
/// registers, and a struct of two words through memory: functions that are not inline take and give
/// this, for a Vector.
enum class PackedVector : uint64_t { kAbsent = 0 };

/// A vector whose elements lie inside the buffer.
struct Vector {
  Position at = 0;  ///< of the first element; 0 when absent
  uint32_t count = 0;

  Vector() = default;
  Vector(PackedVector packed)
      : at(static_cast<Position>(packed)),
        count(static_cast<uint32_t>(static_cast<uint64_t>(packed) >> 32)) {}
  operator PackedVector() const { return PackedVector{uint64_t{count} << 32 | at}; }
  explicit operator bool() const { return at != 0; }
};

/// The buffer must outlive the reader. Alignment is checked relative to the buffer's first byte. A
/// caller that makes typed pointers from positions must align that byte to the schema's largest
/// alignment; load() needs no alignment.
class Reader {
 public:
  Reader() = default;
  /// A buffer larger than kMaxSize is bad from the start.
  explicit Reader(const Span<const uint8_t>& buffer)
      : data_(buffer.data()), size_(static_cast<uint32_t>(buffer.size())) {
    if (buffer.size() > kMaxSize) {
      size_ = 0;
      bad_at_ = 0;
    }
  }

  /// Whether anything read so far broke a rule of FlatBuffers, and where that was first found.
  bool bad() const { return bad_at_ != kNone; }
  Position bad_at() const { return bad_at_; }
  /// Calls the buffer bad at `at`, for a rule of the caller's own; gives 0, "absent".
  Position fail(Position at);

  /// The root table (the offset at position 0).
  Position root();

  /// Where a field's value, a scalar or struct, lies in the table. `index` is the field's number in
  /// the schema, from 0.
  Position field(Position table, unsigned index, Shape shape);

  /// A scalar field, or `otherwise` when absent.
  template <typename T>
  T scalar(Position table, unsigned index, T otherwise) {
    const Position at = field(table, index, shape(sizeof(T), sizeof(T)));
    return at != 0 ? load<T>(at) : otherwise;
  }
  /// The same for those whose default is 0. (An argument less in each call.)
  template <typename T>
  T scalar(Position table, unsigned index) {
    const Position at = field(table, index, shape(sizeof(T), sizeof(T)));
    return at != 0 ? load<T>(at) : T{0};
  }

  /// What an offset field leads to: a table, or a union's value.
  Position table(Position table, unsigned index);

  /// A vector of elements of this shape.
  [[gnu::always_inline]] Vector vector(Position table, unsigned index, Shape element) {
    return find(table, index, element);
  }
  /// A vector of tables.
  [[gnu::always_inline]] Vector tables(Position table, unsigned index) {
    return find_tables(table, index);
  }
  /// A string: its bytes without the NUL that must follow them.
  [[gnu::always_inline]] Vector string(Position table, unsigned index) {
    return find_string(table, index);
  }

  /// Element `index` (below count) of a vector of tables (kOffset).
  Position element(const Vector& vector, uint32_t index) { return follow(vector.at + 4 * index); }

  /// Loads from a position that one of the calls above gave, within the size that it checked.
  template <typename T>
  T load(Position at) const {
    T value;
    std::memcpy(&value, data_ + at, sizeof value);
    return value;
  }
  const uint8_t* pointer(Position at) const { return data_ + at; }

 private:
  static constexpr uint32_t kNone = 0xFFFFFFFFu;

  PackedVector find(Position table, unsigned index, Shape element);
  PackedVector find_tables(Position table, unsigned index);
  PackedVector find_string(Position table, unsigned index);
  bool holds(Position at, uint32_t size, uint32_t align);
  Position follow(Position at);

  const uint8_t* data_ = nullptr;
  uint32_t size_ = 0;
  Position bad_at_ = kNone;
};

}  // namespace bpte::flatbuffer
