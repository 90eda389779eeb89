// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/bundle.h>
#include <bpte/runner/protocol_keys.h>
#include <bpte/runner/runner.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace bpte {

/// Writes the result protocol's lines (docs/result-protocol.md), one JSON object each, and the
/// CRC-32 over them. The writer puts commas and quotes; the caller closes objects and arrays. No
/// heap, no printf.
class RecordWriter {
 public:
  explicit RecordWriter(Output& output) : output_(output) {}

  /// Begin and end of a record.
  void begin_record(const char* event);
  void end_record();
  /// Ends the last record: adds the checksum of the records before it.
  void end_last_record();
  /// Ends an incomplete line, so that the next record begins on a new one. A reader will find the
  /// incomplete record broken.
  void abandon_record();

  /// A member's key. Its value is written next: an object, an array, or one of the values below.
  void key(Key member);
  /// A member and its value: text, a boolean, a floating-point number or an integer.
  void field(Key member, const char* value) { field(member, Text{value, std::strlen(value)}); }
  void field(Key member, Text value) {
    key(member);
    text(value);
  }
  template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T>>>
  void field(Key member, T value) {
    key(member);
    if constexpr (std::is_same_v<T, bool>) {
      boolean(value);
    } else if constexpr (std::is_floating_point_v<T>) {
      real(value);
    } else if constexpr (std::is_signed_v<T>) {
      integer(int64_t{value});
    } else {
      integer(uint64_t{value});
    }
  }

  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }

  void text(const char* value);
  /// Bytes that are not valid UTF-8 become U+FFFD.
  void text(Text value);
  void integer(uint64_t value);
  void integer(int64_t value);
  void boolean(bool value);
  /// With as many digits as reading it back takes; a string when it is not a number in JSON.
  void real(double value);
  /// With as many digits as reading it back as a float takes.
  void real32(float value);
  /// A string: `prefix` and lower-case hexadecimal digits, at least `min_digits` of them.
  void hex(uint64_t value, size_t min_digits, const char* prefix);
  void crc32(uint32_t value) { hex(value, 8, ""); }

 private:
  void open(char bracket);
  void close(char bracket);
  void separate();
  void escape(uint32_t code_point);
  void put(const char* data, size_t size);
  void put(const char* text);

  Output& output_;
  uint32_t crc_ = 0;         // over everything so far
  uint32_t crc_before_ = 0;  // over the records before the one being written
  bool in_record_ = false;
  bool needs_comma_ = false;
};

}  // namespace bpte
