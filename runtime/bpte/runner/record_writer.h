// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/bundle.h>
#include <bpte/runner/runner.h>

#include <cstddef>
#include <cstdint>

namespace bpte {

/// Writes the result protocol's lines (docs/result-protocol.md): one JSON object each, and the
/// CRC-32 over them. Commas and quotes are seen to; that objects and arrays are closed is the
/// caller's part. No heap, no printf.
class RecordWriter {
 public:
  explicit RecordWriter(Output& output) : output_(output) {}

  /// A record is everything between these two.
  void begin_record(const char* event);
  void end_record();
  /// The last record's end: adds the checksum of the records before it.
  void end_last_record();
  /// Ends a line that was left in the middle, so that what follows begins a new one. A reader will
  /// find the record broken.
  void abandon_record();

  void key(const char* name);
  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }

  void text(const char* value);
  /// What is not valid UTF-8 becomes U+FFFD.
  void text(Text value);
  void integer(uint64_t value);
  void integer(int64_t value);
  void boolean(bool value);
  /// As many digits as it takes to read it back; a string where JSON has no number.
  void real(double value);
  /// As many as it takes to read it back as a float.
  void real32(float value);
  void hex(uint64_t value, size_t min_digits, const char* prefix);

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
