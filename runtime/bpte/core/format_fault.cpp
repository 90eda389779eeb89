// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/error.h>
#include <bpte/core/format_number.h>
#include <bpte/core/internal/rule_texts.h>
#include <bpte/core/internal/strings.h>

namespace bpte {

namespace {

static_assert(internal::count_strings(internal::kRuleTexts) ==
                  2 * (static_cast<unsigned>(Error::kCount_) + 1),
              "two texts for each rule, and the last two for none of them");

class Writer {
 public:
  explicit Writer(Span<char> buffer) : buffer_(buffer) {}

  void put(char c) {
    // Keeps one place free for the NUL.
    if (size_ + 1 < buffer_.size()) {
      buffer_[size_++] = c;
    }
  }

  void put(const char* text) {
    while (*text != '\0') {
      put(*text++);
    }
  }

  void put_hex(uint64_t value) {
    put("0x");
    put(value, 16);
  }

  void put_signed(uint64_t value) {
    const bool negative = static_cast<int64_t>(value) < 0;
    if (negative) {
      put('-');
    }
    put(negative ? ~value + 1 : value, 10);
  }

  // Four bytes of a file. Those that are not printable become \xNN, so that a terminal takes none
  // for a command.
  void put_characters(uint64_t value) {
    for (int i = 0; i < 4; ++i, value >>= 8) {
      const uint32_t c = value & 0xFF;
      if (c >= 0x20 && c < 0x7F) {
        put(static_cast<char>(c));
      } else {
        put("\\x");
        put(c >> 4, 16);
        put(c & 15, 16);
      }
    }
  }

  // The second text of a rule.
  void put_values(const char* text, const Fault& fault) {
    for (; *text != '\0'; ++text) {
      switch (*text) {
        case '#':
          put(fault.value, 10);
          break;
        case '$':
          put_hex(fault.value);
          break;
        case '~':
          put_signed(fault.value);
          break;
        case '%':
          put_characters(fault.value);
          break;
        case '@':
          put(fault.expected, 10);
          break;
        case '^':
          put_hex(fault.expected);
          break;
        default:
          put(*text);
      }
    }
  }

  void put(uint64_t value, uint32_t base) {
    char digits[kMaxNumberLength];
    const size_t count = base == 16 ? format_hex(value, 1, Span<char>(digits))
                                    : format_uint(value, Span<char>(digits));
    for (size_t i = 0; i < count; ++i) {
      put(digits[i]);
    }
  }

  void put_index(const char* name, uint32_t index) {
    if (index != kNoIndex) {
      put(separator_);
      separator_ = ", ";
      put(name);
      put(index, 10);
    }
  }

  size_t finish() {
    if (buffer_.empty()) {
      return 0;
    }
    buffer_[size_] = '\0';
    return size_;
  }

 private:
  Span<char> buffer_;
  size_t size_ = 0;
  const char* separator_ = ": ";
};

}  // namespace

size_t format_fault(const Fault& fault, Span<char> buffer) {
  Writer out(buffer);
  out.put(to_string(fault.error));
  out.put_index("suite ", fault.suite);
  out.put_index("case ", fault.test_case);
  out.put_index("step ", fault.step);
  out.put_index("input ", fault.input);
  out.put_index("output ", fault.output);
  out.put_index("segment ", fault.segment);
  out.put(": ");
  const Error known = fault.error < Error::kCount_ ? fault.error : Error::kCount_;
  const char* const text =
      internal::nth_string(internal::kRuleTexts, 2 * static_cast<unsigned>(known));
  const char* const values = internal::nth_string(text, 1);
  out.put(text);
  if (*values != '\0' && (fault.value != 0 || fault.expected != 0)) {
    out.put(": ");
    out.put_values(values, fault);
  }
  if (fault.offset != 0) {
    out.put(" (file offset ");
    out.put(fault.offset, 10);
    out.put(')');
  }
  return out.finish();
}

}  // namespace bpte
