// SPDX-License-Identifier: BSD-3-Clause

// What an opened bundle gives, except suites and cases (test_case.cpp).

#include <bpte/core/bundle.h>
#include <bpte/core/internal/metadata.h>
#include <bpte/core/internal/open.h>

#include <cstring>

namespace bpte {

using internal::Position;
using internal::Reader;
using internal::result_of;
using internal::Vector;

namespace {

Vector segment_table(Reader& reader, Position root) {
  return reader.vector(root, schema::kProgramSegments, schema::kSegment);
}

#if BPTE_CORE_BP08
// The largest power of two, of those that 32 bits hold, that divides an address.
uint32_t alignment_of(uintptr_t address) {
  const uint32_t low = static_cast<uint32_t>(address);
  return low != 0 ? low & (~low + 1) : 0x80000000u;
}
#endif

}  // namespace

const Header& Bundle::header() const {
  return header_;
}

uint32_t Bundle::count(Position table, unsigned field) const {
  return reader_.tables(table, field).count;
}

Position Bundle::entry(Position table, unsigned field, uint32_t index, Fault& fault) const {
  const Vector entries = reader_.tables(table, field);
  if (index >= entries.count) {
    (void)internal::refuse(fault, Error::kNoSuchItem, 0, index, entries.count);
    return 0;
  }
  return reader_.element(entries, index);
}

Position Bundle::read_entry(Position table, uint32_t index, const internal::Fields& fields,
                            void* into, Fault& fault) const {
  const Position at = entry(table, fields.list, index, fault);
  (void)internal::read_fields(reader_, at, fields, into);  // checked at opening
  return at;
}

Text Bundle::text(Position table, unsigned field) const {
  const Vector string = reader_.string(table, field);
  return {reinterpret_cast<const char*>(reader_.pointer(string.at)), string.count};
}

uint32_t Bundle::suite_count() const {
  return count(root_, schema::kProgramSuites);
}

Result<TestSuite> Bundle::suite(uint32_t index) const {
  return result_of<TestSuite>([&](TestSuite& suite, Fault& fault) {
    suite.bundle_ = this;
    suite.table_ = entry(root_, schema::kProgramSuites, index, fault);
  });
}

Result<TestSuite> Bundle::suite_for(Text method_name) const {
  if (bp09()) {
    return suite(find(schema::kProgramSuites, method_name));
  }
  uint32_t index = 0;
  Result<TestSuite> found = suite(0);
  while (found.ok() && !(found->method_name() == method_name)) {
    found = suite(++index);
  }
  return found;
}

uint32_t Bundle::find(unsigned field, const Text& key) const {
  static_assert(
      schema::kSuiteMethodName == 0 && schema::kNamedDataKey == 0 && schema::kKeyValueKey == 0,
      "the key is the first field of each");
  const Vector entries = reader_.tables(root_, field);
  uint32_t first = 0;
  uint32_t last = entries.count;
  while (first < last) {
    const uint32_t middle = first + (last - first) / 2;
    const int order = compare(text(reader_.element(entries, middle), schema::kKey), key);
    if (order == 0) {
      return middle;
    }
    if (order < 0) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  return entries.count;
}

SegmentInfo Bundle::program_info() const {
#if BPTE_CORE_BP08
  if (!bp09()) {
    const Vector program = reader_.vector(root_, schema::kProgramProgram, flatbuffer::kByte);
    SegmentInfo info;
    info.file_offset = program.at;
    info.size = program.count;
    info.alignment = alignment_of(reinterpret_cast<uintptr_t>(reader_.pointer(program.at)));
    return info;
  }
#endif
  return segment_info(reader_.scalar<uint32_t>(root_, schema::kProgramProgramSegment));
}

Span<const uint8_t> Bundle::program() const {
  if (file_ == nullptr) {
    return {};
  }
  const SegmentInfo info = program_info();
  return {file_ + info.file_offset, static_cast<size_t>(info.size)};
}

Error Bundle::payload(uint64_t file_offset, uint64_t size, const Span<uint8_t>& buffer,
                      Span<const uint8_t>& bytes, Fault& fault) const {
  if (from_source()) {
    if (buffer.size() < size) {
      return internal::refuse_with(fault, Error::kBufferTooSmall, file_offset, buffer.size(), size);
    }
    BPTE_TRY(internal::check_alignment(buffer.data(), schema::kPayloadAlignment, fault));
  }
  return load(file_offset, size, buffer, bytes, fault);
}

Result<Span<const uint8_t>> Bundle::case_payload(const TestCase& test_case, Span<uint8_t> buffer,
                                                 bool verify) const {
  return result_of<Span<const uint8_t>>([&](Span<const uint8_t>& payload, Fault& fault) {
    const uint32_t index = test_case.payload_segment();
    if (index == kNoIndex) {
      return Error::kOk;
    }
    const SegmentInfo info = segment_info(index);
    Span<const uint8_t> bytes;
    BPTE_TRY(this->payload(info.file_offset, info.size, buffer, bytes, fault));
    if (verify) {
      // Verifies the bytes that were read: another reading might give others.
      BPTE_TRY(internal::check_segment(index, info, bytes, fault));
    }
    payload = bytes;
    return Error::kOk;
  });
}

uint32_t Bundle::segment_count() const {
  if (!bp09()) {
    return 0;
  }
  return segment_table(reader_, root_).count;
}

Result<SegmentInfo> Bundle::segment(uint32_t index) const {
  return result_of<SegmentInfo>([&](SegmentInfo& info, Fault& fault) {
    const uint32_t count = segment_count();
    if (index >= count) {
      return internal::refuse(fault, Error::kNoSuchItem, 0, index, count);
    }
    info = segment_info(index);
    return Error::kOk;
  });
}

SegmentInfo Bundle::segment_info(uint32_t index) const {
  SegmentInfo info;
  if (bp09()) {
    const Vector segments = segment_table(reader_, root_);
    if (index < segments.count) {
      info = internal::load_segment(reader_, segments, index);
      info.file_offset += header_.segment_base_offset;
    }
  }
  return info;
}

Status Bundle::read(uint64_t file_offset, Span<uint8_t> buffer) const {
  return internal::status_of([&](Fault& fault) { return read_into(file_offset, buffer, fault); });
}

Error Bundle::read_into(uint64_t file_offset, const Span<uint8_t>& buffer, Fault& fault) const {
  const uint64_t size = header_.file_size;
  if (file_offset > size || buffer.size() > size - file_offset) {
    return internal::refuse(fault, Error::kReadFailed, file_offset, buffer.size(), size);
  }
  if (buffer.empty()) {
    return Error::kOk;
  }
  if (from_source()) {
    if (source_ == nullptr || !source_->read(file_offset, buffer)) {
      return internal::refuse(fault, Error::kReadFailed, file_offset, buffer.size(), 0);
    }
    return Error::kOk;
  }
  std::memcpy(buffer.data(), file_ + file_offset, buffer.size());
  return Error::kOk;
}

Error Bundle::load(uint64_t file_offset, uint64_t size, const Span<uint8_t>& scratch,
                   Span<const uint8_t>& bytes, Fault& fault) const {
  if (!from_source()) {
    bytes = {file_ + file_offset, static_cast<size_t>(size)};
    return Error::kOk;
  }
  const size_t part = scratch.size() < size ? scratch.size() : static_cast<size_t>(size);
  if (part == 0 && size != 0) {
    return internal::refuse_with(fault, Error::kBufferTooSmall, file_offset, 0, 1);
  }
  bytes = scratch.subspan(0, part);
  return read_into(file_offset, scratch.subspan(0, part), fault);
}

uint32_t Bundle::named_data_count() const {
  return bp09() ? count(root_, schema::kProgramNamedData) : 0;
}

Result<Text> Bundle::named_data_key(uint32_t index) const {
  return entry_text(schema::kProgramNamedData, index, schema::kNamedDataKey);
}

Result<SegmentInfo> Bundle::named_data_segment(uint32_t index) const {
  return result_of<SegmentInfo>([&](SegmentInfo& info, Fault& fault) {
    // BP08 has no segments to name.
    const Position at = entry(bp09() ? root_ : 0, schema::kProgramNamedData, index, fault);
    if (at != 0) {
      info = segment_info(reader_.scalar<uint32_t>(at, schema::kNamedDataSegment));
    }
  });
}

Result<NamedDataRole> Bundle::named_data_role(uint32_t index) const {
  return result_of<NamedDataRole>([&](NamedDataRole& role, Fault& fault) {
    const Position at = entry(bp09() ? root_ : 0, schema::kProgramNamedData, index, fault);
    role = static_cast<NamedDataRole>(reader_.scalar<uint8_t>(at, schema::kNamedDataRole));
  });
}

Result<Text> Bundle::named_data_file_name(uint32_t index) const {
  return entry_text(schema::kProgramNamedData, index, schema::kNamedDataFileName);
}

Result<SegmentInfo> Bundle::named_data_for(Text key) const {
  return named_data_segment(bp09() ? find(schema::kProgramNamedData, key) : 0);
}

uint32_t Bundle::metadata_count() const {
  return count(root_, schema::kProgramMetadata);
}

// A text of an entry of metadata, or of named data, which BP08 does not have.
Result<Text> Bundle::entry_text(unsigned list, uint32_t index, unsigned field) const {
  return result_of<Text>([&](Text& found, Fault& fault) {
    const bool has_list = bp09() || list != schema::kProgramNamedData;
    found = text(entry(has_list ? root_ : 0, list, index, fault), field);
  });
}

Result<Text> Bundle::metadata_key(uint32_t index) const {
  return entry_text(schema::kProgramMetadata, index, schema::kKeyValueKey);
}

Result<Text> Bundle::metadata_value(uint32_t index) const {
  return entry_text(schema::kProgramMetadata, index, schema::kKeyValueValue);
}

Result<Text> Bundle::metadata_for(Text key) const {
  return metadata_value(find(schema::kProgramMetadata, key));
}

#if BPTE_CORE_BUDGETS
uint32_t Bundle::budget_count() const {
  return count(root_, schema::kProgramBudgets);
}

Result<Budget> Bundle::budget(uint32_t index) const {
  return result_of<Budget>([&](Budget& budget, Fault& fault) {
    read_entry(root_, index, internal::kBudgetFields, &budget, fault);
  });
}
#endif

}  // namespace bpte
