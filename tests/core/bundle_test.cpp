// SPDX-License-Identifier: BSD-3-Clause

// Tests what an opened bundle gives, and the errors that callers and data sources can make. Files
// that break rules are in tests/contract/breakers.py.

#include <bpte/core/bundle.h>
#include <bpte/core/crc32.h>

#include <cmath>
#include <cstring>
#include <initializer_list>

#include "check.h"
#include "memory_source.h"
#include "samples.h"

namespace {

using bpte::Bundle;
using bpte::Error;
using bpte::Span;
using bpte_test::MemorySource;

alignas(128) uint8_t metadata_buffer[8192];
alignas(16) uint8_t payload_buffer[256];

Span<const uint8_t> plain() {
  return bpte_test::kPlain;
}

float float_at(Span<const uint8_t> data, size_t index) {
  float value = 0;
  std::memcpy(&value, data.data() + index * sizeof value, sizeof value);
  return value;
}

void check_content(const Bundle& bundle, bool bp09) {
  CHECK(bundle.suite_count() == 2);
  const auto forward = bundle.suite(0);
  CHECK(forward.ok());
  CHECK(forward->method_name() == "forward");
  CHECK(forward->case_count() == 2);
  CHECK(bundle.suite(1)->method_name() == "generate");
  CHECK(bundle.suite_for({"generate", 8})->case_count() == 1);

  for (uint32_t i = 0; i < 2; ++i) {
    const auto test_case = forward->test_case(i);
    CHECK(test_case.ok());
    CHECK(test_case->name() == (i == 0 ? "größte" : ""));
    CHECK(test_case->input_count() == 3);
    CHECK(test_case->output_count() == 2);
    const auto payload = bundle.case_payload(*test_case, payload_buffer, true);
    CHECK(payload.ok());
    CHECK(test_case->payload().size == payload->size());
    CHECK(payload->size() == (bp09 ? 72 : 0));

    const auto first = test_case->input(0, *payload);
    CHECK(first.ok());
    CHECK(first->kind == bpte::ValueKind::kTensor);
    const bpte::TensorView& tensor = first->tensor;
    CHECK(tensor.scalar_type == bpte::ScalarType::kFloat);
    CHECK(tensor.sizes.size() == 2);
    CHECK(tensor.sizes[0] == 2);
    CHECK(tensor.sizes[1] == 3);
    CHECK(tensor.dim_order.size() == 2);
    CHECK(tensor.dim_order[0] == 0);
    CHECK(tensor.dim_order[1] == 1);
    CHECK(tensor.data.size() == 24);
    CHECK(reinterpret_cast<uintptr_t>(tensor.data.data()) % 16 == 0);
    CHECK(float_at(tensor.data, 0) == static_cast<float>(i));
    CHECK(float_at(tensor.data, 5) == static_cast<float>(i) + 1.25f);
    const auto second = test_case->input(1, *payload);
    CHECK(second->tensor.scalar_type == bpte::ScalarType::kChar);
    CHECK(second->tensor.sizes.size() == 3);
    CHECK(second->tensor.dim_order[1] == 2);
    CHECK(second->tensor.data.size() == 5);
    CHECK(second->tensor.data[4] == 4);
    const auto third = test_case->input(2, *payload);
    CHECK(third->kind == bpte::ValueKind::kInt);
    CHECK(third->int_value == -7);
    const auto output = test_case->expected_output(0, *payload);
    CHECK(output->tensor.dim_order[0] == 1);
    CHECK(float_at(output->tensor.data, 5) == 5.0f - static_cast<float>(i));
    const auto scalar = test_case->expected_output(1, *payload);
    CHECK(scalar->kind == bpte::ValueKind::kDouble);
    CHECK(scalar->double_value == 0.5);
    CHECK(test_case->input(3, *payload).fault().error == Error::kNoSuchItem);
    CHECK(test_case->expected_output(2, *payload).fault().error == Error::kNoSuchItem);
    // A buffer that case_payload() did not return.
    if (bp09) {
      const auto cut = test_case->input(1, payload->subspan(0, 36));
      CHECK(cut.fault().error == Error::kBufferTooSmall);
      CHECK(cut.fault().expected == 37);
      CHECK(test_case->input(0, {}).fault().error == Error::kBufferTooSmall);
    }
  }

  // The case's tolerance comes before the suite's, and that before the default.
  const auto own = forward->test_case(0)->tolerance(1);
  CHECK(own.rtol == 1e-3);
  CHECK(own.atol == 1e-4);
  CHECK(own.max_outlier_share == 0);
  CHECK(std::isnan(own.min_sqnr_db));
  CHECK(own.nan_policy == bpte::NanPolicy::kUnequal);
  const auto inherited = forward->test_case(1)->tolerance(0);
  CHECK(std::isnan(inherited.rtol));
  CHECK(inherited.max_outlier_share == 0.25);
  CHECK(inherited.min_sqnr_db == -3.0);
  CHECK(inherited.nan_policy == bpte::NanPolicy::kEqual);
  const auto default_one = bundle.suite(1)->test_case(0)->tolerance(0);
  CHECK(std::isnan(default_one.rtol));
  CHECK(std::isnan(default_one.atol));

  const auto scalars = bundle.suite(1)->test_case(0);
  CHECK(scalars->payload().size == 0);
  const auto nothing = bundle.case_payload(*scalars, {}, true);
  CHECK(nothing.ok());
  CHECK(nothing->empty());
  CHECK(scalars->input(0, {})->kind == bpte::ValueKind::kBool);
  CHECK(scalars->input(0, {})->bool_value);
  CHECK(scalars->expected_output(0, {})->kind == bpte::ValueKind::kInt);
  CHECK(scalars->expected_output(0, {})->int_value == 0);

  CHECK(bundle.metadata_count() == 2);
  CHECK(*bundle.metadata_key(0) == "model");
  CHECK(bundle.metadata_value(0)->size == 0);
  CHECK(*bundle.metadata_key(1) == "producer");
  CHECK(*bundle.metadata_value(1) == "by hand");
  CHECK(*bundle.metadata_for({"producer", 8}) == "by hand");
  CHECK(bundle.metadata_key(2).fault().error == Error::kNoSuchItem);

  CHECK(bundle.segment_count() == (bp09 ? 4u : 0u));
  CHECK(bundle.segment(4).fault().error == Error::kNoSuchItem);
  CHECK(bundle.named_data_count() == (bp09 ? 1u : 0u));
  if (bp09) {
    CHECK(*bundle.named_data_key(0) == "weights");
    CHECK(bundle.named_data_segment(0)->file_offset == bundle.segment(3)->file_offset);
  }
  CHECK(bundle.named_data_key(1).fault().error == Error::kNoSuchItem);
  CHECK(bundle.named_data_segment(1).fault().error == Error::kNoSuchItem);

  CHECK(bundle.suite(2).fault().error == Error::kNoSuchItem);
  CHECK(bundle.suite(bpte::kNoIndex).fault().error == Error::kNoSuchItem);
  CHECK(bundle.suite_for({"forwar", 6}).fault().error == Error::kNoSuchItem);
  CHECK(forward->test_case(2).fault().error == Error::kNoSuchItem);
  const auto none = bundle.suite(2);
  CHECK(none->method_name().size == 0);
  CHECK(none->case_count() == 0);  // empty, but safe to ask

  const bpte::SegmentInfo program = bundle.program_info();
  CHECK(program.size == 300);
  uint8_t head[4] = {};
  CHECK(bundle.read(program.file_offset + 1, head).ok());
  CHECK(head[0] == 1);
  CHECK(head[3] == 4);
  CHECK(!bundle.read(bundle.header().file_size, {head, 1}).ok());
  CHECK(!bundle.read(~uint64_t{0}, head).ok());
  CHECK(bundle.read(bundle.header().file_size, {head, 0}).ok());
}

// Look-up by key finds each of nine and nothing else.
void check_look_up(Span<const uint8_t> file) {
  const auto bundle = Bundle::open(file);
  CHECK(bundle.ok());
  CHECK(bundle->suite_count() == 9);
  CHECK(bundle->metadata_count() == 10);
  for (uint32_t i = 0; i < bundle->suite_count(); ++i) {
    const bpte::Text method = bundle->suite(i)->method_name();
    CHECK(bundle->suite_for(method)->method_name().data == method.data);
  }
  for (uint32_t i = 0; i < bundle->metadata_count(); ++i) {
    const bpte::Text key = *bundle->metadata_key(i);
    CHECK(bundle->metadata_for(key)->data == bundle->metadata_value(i)->data);
  }
  for (uint32_t i = 0; i < bundle->named_data_count(); ++i) {
    CHECK(bundle->named_data_for(*bundle->named_data_key(i)).ok());
  }
  for (const char* const other : {"@", "Y", "ZZ", "a\x02", "aaa", "\xc3", "\xf0\x9f\x99\x83"}) {
    const bpte::Text key{other, std::strlen(other)};
    CHECK(bundle->suite_for(key).fault().error == Error::kNoSuchItem);
    CHECK(bundle->named_data_for(key).fault().error == Error::kNoSuchItem);
    CHECK(bundle->metadata_for(key).fault().error == Error::kNoSuchItem);
  }
  CHECK(bundle->suite_for({}).fault().error == Error::kNoSuchItem);
}

TEST_CASE("look-up by key in BP09") {
  check_look_up(bpte_test::kKeys);
}

TEST_CASE("look-up by key in BP08") {
  check_look_up(bpte_test::kKeysBP08);
}

TEST_CASE("texts are ordered by their bytes") {
  CHECK(bpte::compare({"a", 1}, {"ab", 2}) < 0);
  CHECK(bpte::compare({"b", 1}, {"ab", 2}) > 0);
  CHECK(bpte::compare({"\xff", 1}, {"\x7f", 1}) > 0);
  CHECK(bpte::compare({}, {}) == 0);
}

TEST_CASE("a BP09 bundle in place") {
  const auto bundle = Bundle::open(plain());
  CHECK(bundle.ok());
  check_content(*bundle, true);
  CHECK(bundle->header().base_alignment == 128);
  CHECK(bundle->header().file_size == plain().size());
  CHECK(reinterpret_cast<uintptr_t>(bundle->program().data()) % 128 == 0);
  CHECK(bundle->program().data() > plain().data());
  CHECK(bundle->program().size() == 300);
  CHECK(bundle->program_info().alignment == 128);
  for (uint32_t i = 0; i < 4; ++i) {
    CHECK(bundle->verify_segment(i, {}).ok());
  }
  CHECK(bundle->verify_segment(4, {}).fault().error == Error::kNoSuchItem);
  CHECK(bundle->verify_checksums({}).ok());
}

TEST_CASE("a BP08 bundle in place") {
  const auto old = Bundle::open(bpte_test::kPlainBP08);
  CHECK(old.ok());
  check_content(*old, false);
  CHECK(old->program().size() == 300);
  CHECK(old->program()[299] == 0);
  CHECK(old->program_info().alignment >= 128);
  CHECK(old->verify_checksums({}).ok());
}

// Room for a copy of kPlain from any place after a multiple of 128, up to 127 bytes on.
uint8_t copy_buffer[sizeof bpte_test::kPlain + 256];

uint8_t* aligned_copy_buffer() {
  return copy_buffer + (128 - reinterpret_cast<uintptr_t>(copy_buffer) % 128);
}

TEST_CASE("a BP09 bundle in place must be aligned as it says") {
  uint8_t* const aligned = aligned_copy_buffer();
  for (const size_t shift : {1u, 4u, 16u, 64u}) {
    std::memcpy(aligned + shift, plain().data(), plain().size());
    const auto bundle = Bundle::open({aligned + shift, plain().size()});
    CHECK(bundle.fault().error == Error::kMisalignedBase);
    CHECK(bundle.fault().expected == 128);
    CHECK(bundle.fault().value == reinterpret_cast<uintptr_t>(aligned + shift));
  }
}

TEST_CASE("a BP08 bundle in place must be aligned to 16 bytes") {
  uint8_t* const aligned = aligned_copy_buffer();
  const size_t size = sizeof bpte_test::kPlainBP08;
  CHECK(size < plain().size());
  std::memcpy(aligned + 8, bpte_test::kPlainBP08, size);
  const auto old = Bundle::open({aligned + 8, size});
  CHECK(old.fault().error == Error::kMisalignedBase);
  CHECK(old.fault().expected == 16);
  std::memcpy(aligned + 16, bpte_test::kPlainBP08, size);
  const auto shifted = Bundle::open({aligned + 16, size});
  CHECK(shifted.ok());
  CHECK(shifted->program_info().alignment == 16);
}

TEST_CASE("the header is parsed from its first bytes") {
  const auto header = bpte::Header::parse(plain().subspan(0, bpte::kHeaderProbeSize));
  CHECK(header.ok());
  CHECK(header->format == bpte::Format::kBP09);
  CHECK(header->file_size == plain().size());
  CHECK(header->header_length == 64);
  CHECK(header->segment_base_offset + header->segment_data_size == header->file_size);
  const auto longer = bpte::Header::parse({bpte_test::kLongerHeader, bpte::kHeaderProbeSize});
  CHECK(longer.ok());
  CHECK(longer->header_length == 128);
  const auto old = bpte::Header::parse({bpte_test::kPlainBP08, bpte::kHeaderProbeSize});
  CHECK(old.ok());
  CHECK(old->format == bpte::Format::kBP08);
  CHECK(old->base_alignment == 16);
  CHECK(bpte::Header::parse({}).fault().error == Error::kTooShort);
}

bpte::OpenOptions verifying() {
  bpte::OpenOptions options;
  options.verify_checksums = true;
  return options;
}

TEST_CASE("a BP09 bundle from a source") {
  MemorySource source(plain());
  const auto bundle = Bundle::open(source, metadata_buffer, verifying());
  CHECK(bundle.ok());
  check_content(*bundle, true);
  CHECK(bundle->program().empty());
  CHECK(bundle->verify_checksums({}).fault().error == Error::kBufferTooSmall);
  uint8_t one[1];
  CHECK(bundle->verify_checksums(one).ok());
}

TEST_CASE("a metadata buffer that is too small or misaligned is refused") {
  MemorySource source(plain());
  const auto header = bpte::Header::parse(plain());
  const size_t needed = static_cast<size_t>(header->metadata_size);
  const auto small = Bundle::open(source, {metadata_buffer, needed - 1});
  CHECK(small.fault().error == Error::kBufferTooSmall);
  CHECK(small.fault().expected == needed);
  CHECK(Bundle::open(source, {metadata_buffer, needed}, verifying()).ok());
  const auto tiny = Bundle::open(source, {metadata_buffer, 64});
  CHECK(tiny.fault().error == Error::kBufferTooSmall);
  CHECK(tiny.fault().expected == bpte::kHeaderProbeSize);
  const auto odd = Bundle::open(source, {metadata_buffer + 8, needed});
  CHECK(odd.fault().error == Error::kMisalignedBase);
  CHECK(odd.fault().expected == 16);
}

TEST_CASE("a payload buffer that is too small or misaligned is refused") {
  MemorySource source(plain());
  const auto again = Bundle::open(source, metadata_buffer);
  const auto test_case = again->suite(0)->test_case(0);
  const auto short_payload = again->case_payload(*test_case, {payload_buffer, 71}, false);
  CHECK(short_payload.fault().error == Error::kBufferTooSmall);
  CHECK(short_payload.fault().expected == 72);
  CHECK(again->case_payload(*test_case, {payload_buffer + 8, 72}, false).fault().error ==
        Error::kMisalignedBase);
}

// It lies in the metadata buffer as a whole.
TEST_CASE("a BP08 bundle from a source") {
  MemorySource old_source(bpte_test::kPlainBP08);
  const auto old = Bundle::open(old_source, metadata_buffer);
  CHECK(old.ok());
  check_content(*old, false);
  CHECK(old->program().size() == 300);
  CHECK(old->program().data() > metadata_buffer);
}

// A source whose reading number `failing` fails, and whose bytes differ from reading `changing` on.
class Faulty : public MemorySource {
 public:
  using MemorySource::MemorySource;
  bool read(uint64_t offset, Span<uint8_t> buffer) override {
    const bool ok = MemorySource::read(offset, buffer);
    if (reads == failing) {
      return false;
    }
    if (reads >= changing && at >= offset && at - offset < buffer.size()) {
      buffer[static_cast<size_t>(at - offset)] ^= 0x40;
    }
    return ok;
  }
  unsigned failing = ~0u;
  unsigned changing = ~0u;
  uint64_t at = 0;
};

// How often a source is read when a bundle is opened with its checksums.
unsigned reads_of_opening() {
  Faulty counted(plain());
  CHECK(Bundle::open(counted, metadata_buffer, verifying()).ok());
  CHECK(counted.reads >= 2 + 4);
  return counted.reads;
}

TEST_CASE("any reading that fails is reported") {
  const unsigned reads = reads_of_opening();
  for (unsigned i = 1; i <= reads; ++i) {
    Faulty source(plain());
    source.failing = i;
    CHECK(Bundle::open(source, metadata_buffer, verifying()).fault().error == Error::kReadFailed);
  }
}

TEST_CASE("a header that changes between its two readings is seen") {
  for (const uint64_t at : {16u, 24u, 40u, 57u}) {
    Faulty source(plain());
    source.changing = 2;
    source.at = at;
    CHECK(Bundle::open(source, metadata_buffer).fault().error == Error::kSourceChanged);
  }
}

TEST_CASE("any byte that changes at any reading is seen with checksums") {
  const unsigned reads = reads_of_opening();
  size_t unseen = 0;
  for (uint64_t at = 0; at < plain().size(); at += 5) {
    for (unsigned i = 1; i <= reads; ++i) {
      Faulty source(plain());
      source.changing = i;
      source.at = at;
      const auto bundle = Bundle::open(source, metadata_buffer, verifying());
      if (bundle.ok()) {
        // The byte was read before it changed: the next read of it finds the change. The metadata
        // is not read again.
        unseen +=
            bundle->verify_checksums(payload_buffer).ok() && at >= bundle->header().metadata_size
                ? 1
                : 0;
      }
    }
  }
  CHECK(unseen == 0);
}

TEST_CASE("a payload that changed or cannot be read since the opening is seen") {
  Faulty source(plain());
  const auto bundle = Bundle::open(source, metadata_buffer, verifying());
  const auto test_case = bundle->suite(0)->test_case(1);
  source.changing = 0;
  source.at = test_case->payload().file_offset + 7;
  const auto changed = bundle->case_payload(*test_case, payload_buffer, true);
  CHECK(changed.fault().error == Error::kSegmentChecksum);
  CHECK(changed.fault().segment == 2);
  source.failing = source.reads + 1;
  CHECK(bundle->case_payload(*test_case, payload_buffer, true).fault().error == Error::kReadFailed);
}

class Resizing : public MemorySource {
 public:
  using MemorySource::MemorySource;
  uint64_t size() const override { return MemorySource::size() + (calls++ > 0 ? 1 : 0); }
  mutable unsigned calls = 0;
};

TEST_CASE("a source that changes its size is refused") {
  Resizing resizing(plain());
  CHECK(Bundle::open(resizing, metadata_buffer).fault().error == Error::kSourceChanged);
}

TEST_CASE("a source that does not tell its size serves BP09 alone") {
  MemorySource silent(plain(), false);
  CHECK(Bundle::open(silent, metadata_buffer).ok());
  MemorySource silent_and_cut(plain().subspan(0, plain().size() - 1), false);
  CHECK(Bundle::open(silent_and_cut, metadata_buffer).fault().error == Error::kTruncated);
  MemorySource silent_old(bpte_test::kPlainBP08, false);
  CHECK(Bundle::open(silent_old, metadata_buffer).fault().error == Error::kReadFailed);
}

// A bundle of 12 GiB that no memory holds, whose second segment begins past 4 GiB: the metadata of
// kPlain with a few numbers changed, and zeros after it.
class Huge : public bpte::DataSource {
 public:
  static constexpr uint64_t kFirst = uint64_t{5} << 30;

  Huge() {
    const auto header = bpte::Header::parse(plain()).get();
    size_ = static_cast<size_t>(header.metadata_size);
    std::memcpy(metadata_, plain().data(), size_);
    // The segment table: its first entry is offset 0, size 300, alignment 128.
    const uint32_t entry[5] = {0, 0, 300, 0, 128};
    size_t at = 72;
    while (at + 96 <= size_ && std::memcmp(metadata_ + at, entry, sizeof entry) != 0) {
      at += 4;
    }
    CHECK(at + 96 <= size_);
    uint64_t offset = 0;
    const uint64_t sizes[] = {kFirst, 72, 72, (uint64_t{7} << 30) + 1};
    for (unsigned i = 0; i < 4; ++i) {
      const uint32_t alignment = i == 0 ? 128 : i == 3 ? 1 : 16;
      offset += (alignment - offset % alignment) % alignment;
      std::memcpy(metadata_ + at + 24 * i, &offset, 8);
      std::memcpy(metadata_ + at + 24 * i + 8, &sizes[i], 8);
      offset += sizes[i];
    }
    file_size_ = header.segment_base_offset + offset;
    std::memcpy(metadata_ + 16, &file_size_, 8);
    std::memcpy(metadata_ + 40, &offset, 8);
    std::memset(metadata_ + 56, 0, 4);
    const uint32_t crc = bpte::crc32({metadata_, size_});
    std::memcpy(metadata_ + 56, &crc, 4);
  }

  uint64_t size() const override { return file_size_; }
  bool read(uint64_t offset, Span<uint8_t> buffer) override {
    if (offset > file_size_ || buffer.size() > file_size_ - offset) {
      return false;
    }
    last_offset = offset;
    for (size_t i = 0; i < buffer.size(); ++i) {
      buffer[i] = offset + i < size_ ? metadata_[offset + i] : 0;
    }
    return true;
  }
  uint64_t last_offset = 0;

 private:
  uint8_t metadata_[sizeof metadata_buffer];
  size_t size_ = 0;
  uint64_t file_size_ = 0;
};

TEST_CASE("offsets past 4 GiB are read where they say") {
  static Huge source;
  const auto bundle = Bundle::open(source, metadata_buffer);
  CHECK(bundle.ok());
  CHECK(bundle->program_info().size == Huge::kFirst);
  CHECK(bundle->program().empty());
  const auto test_case = bundle->suite(0)->test_case(0);
  const uint64_t offset = test_case->payload().file_offset;
  CHECK(offset > Huge::kFirst);
  const auto payload = bundle->case_payload(*test_case, payload_buffer, false);
  CHECK(payload.ok());
  CHECK(payload->size() == 72);
  CHECK(source.last_offset == offset);
  uint8_t last[1] = {7};
  CHECK(bundle->read(bundle->header().file_size - 1, last).ok());
  CHECK(last[0] == 0);
  // In place, the bytes in memory are too few.
  Span<const uint8_t> part = {metadata_buffer, sizeof metadata_buffer};
  CHECK(Bundle::open(part).fault().error == Error::kTruncated);
}

TEST_CASE("a fault's text names place and values and is cut to fit") {
  char text[200];
  bpte::Fault fault;
  fault.error = Error::kPayloadBounds;
  fault.suite = 0;
  fault.test_case = 1;
  fault.input = 0;
  fault.offset = 688;
  fault.value = 4096;
  fault.expected = 1024;
  const char wanted[] =
      "payload_bounds: suite 0, case 1, input 0: the payload ends past its segment: it ends at "
      "4096, "
      "the segment has 1024 bytes (file offset 688)";
  CHECK(bpte::format_fault(fault, text) == sizeof wanted - 1);
  CHECK(std::strcmp(text, wanted) == 0);
  // Cut to fit, terminated whatever the size.
  for (size_t size = 1; size < sizeof wanted; ++size) {
    text[size] = '#';
    CHECK(bpte::format_fault(fault, {text, size}) == size - 1);
    CHECK(std::strncmp(text, wanted, size - 1) == 0);
    CHECK(text[size - 1] == '\0');
    CHECK(text[size] == '#');
  }
  CHECK(bpte::format_fault(fault, {}) == 0);
}

TEST_CASE("a fault's text prints numbers of either sign and full width") {
  char text[200];
  bpte::Fault fault;
  fault.error = Error::kNegativeSize;
  fault.value = static_cast<uint64_t>(int64_t{-2147483648});
  bpte::format_fault(fault, text);
  CHECK(std::strcmp(text, "negative_size: a size is negative: -2147483648") == 0);
  fault.error = Error::kTruncated;
  fault.value = ~uint64_t{0};
  fault.expected = 12345678901234567890u;
  bpte::format_fault(fault, text);
  CHECK(std::strstr(text, "18446744073709551615 bytes") != nullptr);
  CHECK(std::strstr(text, "12345678901234567890") != nullptr);
}

TEST_CASE("a fault's text escapes bytes of the file") {
  char text[200];
  bpte::Fault fault;
  fault.error = Error::kNotABundle;
  fault.value = 0x0A1B5042;
  bpte::format_fault(fault, text);
  CHECK(std::strstr(text, "\"BP\\x1b\\x0a\"") != nullptr);
}

TEST_CASE("a fault's text leaves out values that are not known") {
  char text[200];
  bpte::Fault fault;
  fault.error = Error::kPayloadBounds;
  bpte::format_fault(fault, text);
  CHECK(std::strcmp(text, "payload_bounds: the payload ends past its segment") == 0);
}

TEST_CASE("every rule has a name and a text of its own") {
  char text[200];
  bpte::Fault fault;
  for (unsigned i = 1; i < static_cast<unsigned>(Error::kCount_); ++i) {
    fault.error = static_cast<Error>(i);
    bpte::format_fault(fault, text);
    const char* const name = bpte::to_string(fault.error);
    CHECK(std::strncmp(text, name, std::strlen(name)) == 0);
    CHECK(std::strstr(text, "no violation") == nullptr);
    CHECK(std::strcmp(name, bpte::to_string(static_cast<Error>(i - 1))) != 0);
  }
  CHECK(std::strcmp(bpte::to_string(Error::kOk), "ok") == 0);
  CHECK(std::strcmp(bpte::to_string(Error::kNoSuchItem), "no_such_item") == 0);
  CHECK(std::strcmp(bpte::to_string(static_cast<Error>(250)), "unknown") == 0);
}

}  // namespace
