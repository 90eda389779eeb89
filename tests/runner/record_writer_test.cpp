// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/crc32.h>
#include <bpte/core/format_number.h>
#include <bpte/runner/record_writer.h>

#include <cstdio>
#include <cstring>
#include <limits>

#include "check.h"

namespace {

class Buffer final : public bpte::Output {
 public:
  void write(const char* data, size_t size) override {
    if (size > sizeof text_ - 1 - size_) size = sizeof text_ - 1 - size_;
    std::memcpy(text_ + size_, data, size);
    size_ += size;
    text_[size_] = '\0';
  }
  bool is(const char* expected) const {
    if (std::strcmp(text_, expected) == 0) return true;
    std::printf("  %s  instead of\n  %s", text_, expected);
    return false;
  }
  const char* text() const { return text_; }

 private:
  char text_[2048] = {};
  size_t size_ = 0;
};

bpte::Text text(const char* data, size_t size) {
  return {data, size};
}

TEST_CASE("every kind of value in a record") {
  Buffer out;
  bpte::RecordWriter writer(out);
  writer.begin_record("case");
  writer.key(bpte::Key{"a"});
  writer.integer(std::numeric_limits<uint64_t>::max());
  writer.key(bpte::Key{"b"});
  writer.integer(std::numeric_limits<int64_t>::min());
  writer.key(bpte::Key{"c"});
  writer.begin_array();
  writer.integer(uint64_t{1});
  writer.real(0.5);
  writer.real32(0.1f);
  writer.real(std::numeric_limits<double>::quiet_NaN());
  writer.real32(-std::numeric_limits<float>::infinity());
  writer.boolean(true);
  writer.begin_object();
  writer.key(bpte::Key{"d"});
  writer.text("e");
  writer.end_object();
  writer.begin_array();
  writer.end_array();
  writer.end_array();
  writer.key(bpte::Key{"f"});
  writer.hex(0x71000400, 8, "0x");
  writer.end_record();
  CHECK(
      out.is("#bpte {\"event\":\"case\",\"a\":18446744073709551615,\"b\":-9223372036854775808,"
             "\"c\":[1,0.5,0.1,\"nan\",\"-inf\",true,{\"d\":\"e\"},[]],\"f\":\"0x71000400\"}\n"));
}

void check_text(const char* data, size_t size, const char* json) {
  Buffer out;
  bpte::RecordWriter writer(out);
  writer.begin_record("x");
  writer.key(bpte::Key{"t"});
  writer.text(text(data, size));
  writer.end_record();
  char expected[256];
  std::snprintf(expected, sizeof expected, "#bpte {\"event\":\"x\",\"t\":\"%s\"}\n", json);
  CHECK(out.is(expected));
}

TEST_CASE("text is escaped to ASCII JSON") {
  check_text("plain", 5, "plain");
  check_text("", 0, "");
  check_text("say \"hi\\\"", 9, "say \\\"hi\\\\\\\"");
  check_text("a\nb\x7f\0c", 6, "a\\u000ab\\u007f\\u0000c");
  check_text("\xC3\xA4", 2, "\\u00e4");
  check_text("\xE2\x82\xAC", 3, "\\u20ac");
  check_text("\xF0\x9F\x98\x80", 4, "\\ud83d\\ude00");
  // Not UTF-8: a lone continuation, an overlong form, a surrogate, past the last code point, cut
  // short.
  check_text("\x80", 1, "\\ufffd");
  check_text("\xC0\x80", 2, "\\ufffd\\ufffd");
  check_text("\xED\xA0\x80", 3, "\\ufffd\\ufffd\\ufffd");
  check_text("\xF4\x90\x80\x80", 4, "\\ufffd\\ufffd\\ufffd\\ufffd");
  check_text("a\xE2\x82", 3, "a\\ufffd\\ufffd");
}

TEST_CASE("the last record has the checksum of those before") {
  Buffer out;
  bpte::RecordWriter writer(out);
  writer.begin_record("begin");
  writer.end_record();
  writer.begin_record("case");
  writer.key(bpte::Key{"broken"});
  writer.abandon_record();  // is not counted
  writer.begin_record("case");
  writer.end_record();
  writer.begin_record("end");
  writer.end_last_record();

  constexpr char kRecords[] = "{\"event\":\"begin\"}\n{\"event\":\"case\"}\n";
  const uint32_t crc =
      bpte::crc32({reinterpret_cast<const uint8_t*>(kRecords), sizeof kRecords - 1});
  char expected[256];
  std::snprintf(expected, sizeof expected,
                "#bpte {\"event\":\"begin\"}\n#bpte {\"event\":\"case\",\"broken\":\n"
                "#bpte {\"event\":\"case\"}\n#bpte {\"event\":\"end\",\"crc32\":\"%08x\"}\n",
                static_cast<unsigned>(crc));
  CHECK(out.is(expected));
}

}  // namespace
