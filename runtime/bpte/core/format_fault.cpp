// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/error.h>

namespace bpte {

namespace {

// What went wrong, for people. In a text, # stands for the value found, ~ for it as a signed
// number, $ for it in hexadecimal, @ for what the rule wants.
const char* text_of(Error error) {
  switch (error) {
    case Error::kOk:
    case Error::kCount_:
      break;
    case Error::kTooShort:
      return "# bytes, at least @ are needed";
    case Error::kNotABundle:
      return "bytes 4 to 7 are $, not \"BP..\"";
    case Error::kUnknownVersion:
      return "identifier $ is neither BP08 nor BP09, or left out of this build";
    case Error::kSchemaVersion:
      return "version is #, only @ is known";
    case Error::kHeaderMagic:
      return "bytes 8 to 11 are $, not \"BH01\"";
    case Error::kHeaderLength:
      return "header_length is #, against @";
    case Error::kHeaderReserved:
      return "a reserved byte is #, not 0";
    case Error::kUnknownFeature:
      return "required_features has bits that are not known: $";
    case Error::kBaseAlignment:
      return "# is no power of two, or below @";
    case Error::kMetadataSize:
      return "# bytes do not fit, limit @";
    case Error::kSegmentBase:
      return "# is not the next multiple of @ after the metadata";
    case Error::kFileSize:
      return "the header says #, its parts end at @";
    case Error::kTruncated:
      return "# bytes are there, the header says @: copy the file again";
    case Error::kTrailingBytes:
      return "# bytes are there, the header says @";
    case Error::kOverflow:
      return "a sum or product leaves 64 bits: #, limit @";
    case Error::kMisalignedBase:
      return "the address $ is no multiple of @: place the bytes at one";
    case Error::kMetadataChecksum:
      return "the bytes give $, the header says another value";
    case Error::kMetadataMalformed:
      return "not a valid FlatBuffer of the schema";
    case Error::kPadding:
      return "a padding byte is #, not 0";
    case Error::kSegmentsMissing:
      return "there is no segment table";
    case Error::kSegmentAlignment:
      return "# does not agree with alignment @";
    case Error::kSegmentOrder:
      return "begins at #, before the one in front of it ends at @";
    case Error::kSegmentGap:
      return "begins at #, though the one in front of it ends at @ and its alignment needs less";
    case Error::kSegmentBounds:
      return "ends at #, segment_data_size is @";
    case Error::kSegmentChecksum:
      return "the bytes give $, the table says another value";
    case Error::kProgramMissing:
      return "no program, an empty one, or segment # of @";
    case Error::kProgramAlignment:
      return "the program's segment is aligned to #, it must be @ or more";
    case Error::kProgramInline:
      return "BP09 metadata holds a program of # bytes";
    case Error::kSuitesMissing:
      return "there is no vector of test suites";
    case Error::kMethodNameMissing:
      return "the method's name is absent or empty";
    case Error::kDuplicateSuite:
      return "suite # has the same method";
    case Error::kCasesMissing:
      return "there is no vector of test cases";
    case Error::kInputsMissing:
      return "there is no vector of inputs";
    case Error::kOutputsMissing:
      return "there is no vector of expected outputs";
    case Error::kValueMissing:
      return "no value, or one of the unknown type #";
    case Error::kTextEncoding:
      return "a text of # bytes is not UTF-8, or holds a NUL";
    case Error::kToleranceCount:
      return "# tolerances for @ expected outputs";
    case Error::kToleranceValue:
      return "a tolerance is negative, NaN, a share outside 0 to 1, or of an unknown NaN policy";
    case Error::kScalarType:
      return "type # is unknown, or none that a bundle carries";
    case Error::kSizesMissing:
      return "a tensor has no sizes";
    case Error::kNegativeSize:
      return "a size is ~";
    case Error::kRank:
      return "# dimensions, limit @";
    case Error::kDimOrderMissing:
      return "a tensor has no dim_order";
    case Error::kDimOrder:
      return "# in a dim_order for rank @: not a permutation";
    case Error::kPayloadMissing:
      return "a tensor of @ bytes has no payload";
    case Error::kPayloadInline:
      return "BP09 metadata holds a payload of # bytes";
    case Error::kPayloadSegment:
      return "the payload's segment is #, against @";
    case Error::kPayloadAlignment:
      return "# is no multiple of @";
    case Error::kPayloadBounds:
      return "ends past its segment: #, limit @";
    case Error::kPayloadSize:
      return "the payload has # bytes, sizes and type want @";
    case Error::kNamedData:
      return "a key is absent, empty or there twice, or its segment is past the table: #";
    case Error::kKeyValue:
      return "a key or value is absent, or a key is there twice";
    case Error::kUnknownMethod:
      return "the program has no method of this name";
    case Error::kReadFailed:
      return "the source did not give # bytes";
    case Error::kSourceChanged:
      return "two readings of the same bytes differ";
    case Error::kBufferTooSmall:
      return "the buffer has # bytes, @ are needed";
    case Error::kNoSuchItem:
      return "item # of @";
  }
  return "no violation";
}

class Writer {
 public:
  explicit Writer(Span<char> buffer) : buffer_(buffer) {}

  void put(char c) {
    // One place stays free for the NUL.
    if (size_ + 1 < buffer_.size()) {
      buffer_[size_++] = c;
    }
  }

  void put(const char* text) {
    while (*text != '\0') {
      put(*text++);
    }
  }

  void put(uint64_t value, uint32_t base) {
    char digits[20];
    unsigned count = 0;
    do {
      // Long division by base in 32-bit steps: 64-bit division is a library call on small targets.
      uint32_t remainder = 0;
      uint64_t quotient = 0;
      for (int shift = 48; shift >= 0; shift -= 16) {
        const uint32_t part = remainder << 16 | static_cast<uint32_t>(value >> shift & 0xFFFF);
        quotient = quotient << 16 | part / base;
        remainder = part % base;
      }
      digits[count++] = "0123456789abcdef"[remainder];
      value = quotient;
    } while (value != 0);
    while (count > 0) {
      put(digits[--count]);
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
  out.put_index("input ", fault.input);
  out.put_index("output ", fault.output);
  out.put_index("segment ", fault.segment);
  out.put(": ");
  for (const char* text = text_of(fault.error); *text != '\0'; ++text) {
    switch (*text) {
      case '#':
        out.put(fault.value, 10);
        break;
      case '@':
        out.put(fault.expected, 10);
        break;
      case '$':
        out.put("0x");
        out.put(fault.value, 16);
        break;
      case '~': {
        const bool negative = static_cast<int64_t>(fault.value) < 0;
        if (negative) {
          out.put('-');
        }
        out.put(negative ? ~fault.value + 1 : fault.value, 10);
        break;
      }
      default:
        out.put(*text);
    }
  }
  if (fault.offset != 0) {
    out.put(" (file offset ");
    out.put(fault.offset, 10);
    out.put(')');
  }
  return out.finish();
}

}  // namespace bpte
