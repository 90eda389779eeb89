// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/crc32.h>
#include <bpte/core/format_number.h>
#include <bpte/core/internal/utf8.h>
#include <bpte/runner/record_writer.h>

#include <cmath>
#include <cstring>

namespace bpte {

namespace {

constexpr uint32_t kReplacement = 0xFFFD;

}  // namespace

void RecordWriter::put(const char* data, size_t size) {
  if (size == 0) return;
  crc_ = bpte::crc32({reinterpret_cast<const uint8_t*>(data), size}, crc_);
  output_.write(data, size);
}

void RecordWriter::put(const char* text) {
  put(text, std::strlen(text));
}

void RecordWriter::separate() {
  if (needs_comma_) put(",");
  needs_comma_ = true;
}

void RecordWriter::open(char bracket) {
  separate();
  put(&bracket, 1);
  needs_comma_ = false;
}

void RecordWriter::close(char bracket) {
  put(&bracket, 1);
  needs_comma_ = true;
}

void RecordWriter::begin_record(const char* event) {
  output_.write("#bpte ", 6);
  crc_before_ = crc_;
  in_record_ = true;
  needs_comma_ = false;
  begin_object();
  field(key::kEvent, event);
}

void RecordWriter::end_record() {
  end_object();
  put("\n");
  in_record_ = false;
}

void RecordWriter::end_last_record() {
  key(key::kCrc32);
  crc32(crc_before_);
  end_record();
}

void RecordWriter::abandon_record() {
  if (!in_record_) return;
  output_.write("\n", 1);
  crc_ = crc_before_;
  in_record_ = false;
}

void RecordWriter::key(Key member) {
  text(member.name);
  put(":");
  needs_comma_ = false;
}

void RecordWriter::text(const char* value) {
  text(Text{value, std::strlen(value)});
}

void RecordWriter::text(Text value) {
  separate();
  put("\"");
  const uint8_t* at = reinterpret_cast<const uint8_t*>(value.data);
  const uint8_t* const end = at + value.size;
  while (at != end) {
    const uint8_t* const start = at;
    while (at != end && *at >= 0x20 && *at < 0x7F && *at != '"' && *at != '\\') ++at;
    put(reinterpret_cast<const char*>(start), static_cast<size_t>(at - start));
    if (at != end) {
      const uint32_t code_point = internal::take_code_point(at, end);
      escape(code_point == internal::kNotUtf8 ? kReplacement : code_point);
    }
  }
  put("\"");
}

void RecordWriter::escape(uint32_t code_point) {
  if (code_point == '"' || code_point == '\\') {
    const char escaped[] = {'\\', static_cast<char>(code_point)};
    put(escaped, sizeof escaped);
    return;
  }
  char escaped[6] = {'\\', 'u'};
  if (code_point >= 0x10000) {
    format_hex(0xD800 + ((code_point - 0x10000) >> 10), 4, Span<char>(escaped + 2, 4));
    put(escaped, sizeof escaped);
    code_point = 0xDC00 + (code_point & 0x3FF);
  }
  format_hex(code_point, 4, Span<char>(escaped + 2, 4));
  put(escaped, sizeof escaped);
}

void RecordWriter::integer(uint64_t value) {
  char number[kMaxNumberLength];
  separate();
  put(number, format_uint(value, Span<char>(number)));
}

void RecordWriter::integer(int64_t value) {
  char number[kMaxNumberLength];
  separate();
  put(number, format_int(value, Span<char>(number)));
}

void RecordWriter::boolean(bool value) {
  separate();
  put(value ? "true" : "false");
}

void RecordWriter::real(double value) {
  char number[kMaxNumberLength];
  const size_t size = format_double(value, Span<char>(number));
  if (std::isfinite(value)) {
    separate();
    put(number, size);
  } else {
    text(Text{number, size});
  }
}

void RecordWriter::real32(float value) {
  char number[kMaxNumberLength];
  const size_t size = format_float(value, Span<char>(number));
  if (std::isfinite(value)) {
    separate();
    put(number, size);
  } else {
    text(Text{number, size});
  }
}

void RecordWriter::hex(uint64_t value, size_t min_digits, const char* prefix) {
  char number[kMaxNumberLength];
  const size_t size = format_hex(value, min_digits, Span<char>(number));
  separate();
  put("\"");
  put(prefix);
  put(number, size);
  put("\"");
}

}  // namespace bpte
