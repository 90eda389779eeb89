// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/bundle.h>
#include <bpte/core/crc32.h>
#include <bpte/core/internal/aligned.h>
#include <bpte/core/internal/metadata.h>
#include <bpte/core/internal/open.h>

#include <cstring>

namespace bpte {

using internal::Position;
using internal::Reader;
using internal::TensorFields;
using internal::Vector;

namespace {

Vector segment_table(Reader& reader, Position root) {
  return reader.vector(root, schema::kProgramSegments, schema::kSegment);
}

#if BPTE_CORE_BP08
// Of an address: the largest power of two that divides it, as far as 32 bits hold it.
uint32_t alignment_of(uintptr_t address) {
  const uint32_t low = static_cast<uint32_t>(address);
  return low != 0 ? low & (~low + 1) : 0x80000000u;
}
#endif

}  // namespace

int compare(const Text& a, const Text& b) {
  const size_t both = a.size < b.size ? a.size : b.size;
  const int order = both != 0 ? std::memcmp(a.data, b.data, both) : 0;
  return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

bool operator==(const Text& a, const Text& b) {
  return a.size == b.size && compare(a, b) == 0;
}

bool operator==(const Text& a, const char* b) {
  return a == Text{b, std::strlen(b)};
}

// --- Bundle ---

Result<Bundle> Bundle::open(Span<const uint8_t> file, const OpenOptions& options) {
  Result<Bundle> result;
  Bundle& bundle = *result;
  Header& header = bundle.header_;
  Fault& fault = result.fault();
  if (!internal::parse_header(file, header, fault)) {
    return result;
  }
#if BPTE_CORE_BP08
  if (header.format == Format::kBP08) {
    header.file_size = header.metadata_size = file.size();
  }
#endif
  if (internal::check_file_size(header, file.size(), fault) &&
      internal::check_alignment(file.data(), header.base_alignment, fault)) {
    bundle.file_ = file.data();
    bundle.adopt(file.subspan(0, static_cast<size_t>(header.metadata_size)), options, {}, fault);
  }
  return result;
}

bool Bundle::adopt(const Span<const uint8_t>& metadata, const OpenOptions& options,
                   const Span<uint8_t>& scratch, Fault& fault) {
#if BPTE_CORE_CHECKSUMS
  if (bp09() && !internal::check_metadata_crc(header_, metadata, fault)) {
    return false;
  }
#endif
  if (!internal::check_metadata(header_, metadata, fault)) {
    return false;
  }
  metadata_ = metadata;
  root_ = Reader(metadata).root();
  if (!options.verify_checksums) {
    return true;
  }
#if BPTE_CORE_CHECKSUMS
  if (verify(0, segment_count(), header_.metadata_size, scratch, fault)) {
    return true;
  }
#else
  (void)scratch;
  internal::refuse(fault, Error::kUnknownFeature, 0);
#endif
  metadata_ = {};  // a bundle that is refused gives nothing
  return false;
}

const Header& Bundle::header() const {
  return header_;
}

uint32_t Bundle::count(Position table, unsigned field) const {
  return Reader(metadata_).tables(table, field).count;
}

Position Bundle::entry(Position table, unsigned field, uint32_t index, Fault& fault) const {
  Reader reader(metadata_);
  const Vector entries = reader.tables(table, field);
  if (index >= entries.count) {
    internal::refuse(fault, Error::kNoSuchItem, 0, index, entries.count);
    return 0;
  }
  return reader.element(entries, index);
}

Text Bundle::text(Position table, unsigned field) const {
  Reader reader(metadata_);
  const Vector string = reader.string(table, field);
  return {reinterpret_cast<const char*>(reader.pointer(string.at)), string.count};
}

uint32_t Bundle::suite_count() const {
  return count(root_, schema::kProgramSuites);
}

Result<TestSuite> Bundle::suite(uint32_t index) const {
  Result<TestSuite> result;
  result->bundle_ = this;
  result->table_ = entry(root_, schema::kProgramSuites, index, result.fault());
  return result;
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
  Reader reader(metadata_);
  const Vector entries = reader.tables(root_, field);
  uint32_t first = 0;
  uint32_t last = entries.count;
  while (first < last) {
    const uint32_t middle = first + (last - first) / 2;
    const int order = compare(text(reader.element(entries, middle), 0), key);
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
  Reader reader(metadata_);
#if BPTE_CORE_BP08
  if (!bp09()) {
    const Vector program = reader.vector(root_, schema::kProgramProgram, flatbuffer::kByte);
    SegmentInfo info;
    info.file_offset = program.at;
    info.size = program.count;
    info.alignment = alignment_of(reinterpret_cast<uintptr_t>(reader.pointer(program.at)));
    return info;
  }
#endif
  return segment_info(reader.scalar<uint32_t>(root_, schema::kProgramProgramSegment));
}

Span<const uint8_t> Bundle::program() const {
  if (file_ == nullptr) {
    return {};
  }
  const SegmentInfo info = program_info();
  return {file_ + info.file_offset, static_cast<size_t>(info.size)};
}

Result<Span<const uint8_t>> Bundle::case_payload(const TestCase& test_case, Span<uint8_t> buffer,
                                                 bool verify) const {
  Result<Span<const uint8_t>> result;
  Fault& fault = result.fault();
  const uint32_t index = test_case.payload_segment();
  if (index == kNoIndex) {
    return result;
  }
  const SegmentInfo info = segment_info(index);
#if BPTE_CORE_DATA_SOURCE
  if (file_ == nullptr) {
    if (buffer.size() < info.size) {
      internal::refuse_with(fault, Error::kBufferTooSmall, info.file_offset, buffer.size(),
                            info.size);
      return result;
    }
    if (!internal::check_alignment(buffer.data(), schema::kPayloadAlignment, fault)) {
      return result;
    }
  }
#endif
  Span<const uint8_t> bytes;
  if (!load(info.file_offset, info.size, buffer, bytes, fault)) {
    return result;
  }
  if (verify) {
#if BPTE_CORE_CHECKSUMS
    // What was read, not what another reading might give.
    if (!internal::check_segment_crc(index, info, crc32(bytes), fault)) {
      return result;
    }
#else
    internal::refuse(fault, Error::kUnknownFeature, 0);
    return result;
#endif
  }
  *result = bytes;
  return result;
}

uint32_t Bundle::segment_count() const {
  if (!bp09()) {
    return 0;
  }
  Reader reader(metadata_);
  return segment_table(reader, root_).count;
}

Result<SegmentInfo> Bundle::segment(uint32_t index) const {
  Result<SegmentInfo> result;
  const uint32_t count = segment_count();
  if (index >= count) {
    internal::refuse(result.fault(), Error::kNoSuchItem, 0, index, count);
    return result;
  }
  *result = segment_info(index);
  return result;
}

SegmentInfo Bundle::segment_info(uint32_t index) const {
  SegmentInfo info;
  if (bp09()) {
    Reader reader(metadata_);
    const Vector segments = segment_table(reader, root_);
    if (index < segments.count) {
      info = internal::load_segment(reader, segments, index);
      info.file_offset += header_.segment_base_offset;
    }
  }
  return info;
}

Status Bundle::read(uint64_t file_offset, Span<uint8_t> buffer) const {
  Status status;
  read_into(file_offset, buffer, status.fault());
  return status;
}

bool Bundle::read_into(uint64_t file_offset, Span<uint8_t> buffer, Fault& fault) const {
  if (file_offset > header_.file_size || buffer.size() > header_.file_size - file_offset) {
    return internal::refuse(fault, Error::kReadFailed, file_offset, buffer.size(),
                            header_.file_size);
  }
  if (buffer.empty()) {
    return true;
  }
#if BPTE_CORE_DATA_SOURCE
  if (file_ == nullptr) {
    return (source_ != nullptr && source_->read(file_offset, buffer)) ||
           internal::refuse(fault, Error::kReadFailed, file_offset, buffer.size(), 0);
  }
#endif
  std::memcpy(buffer.data(), file_ + file_offset, buffer.size());
  return true;
}

#if BPTE_CORE_DATA_SOURCE
bool Bundle::load(uint64_t file_offset, uint64_t size, const Span<uint8_t>& scratch,
                  Span<const uint8_t>& bytes, Fault& fault) const {
  if (file_ == nullptr) {
    const Span<uint8_t> part =
        scratch.subspan(0, scratch.size() < size ? scratch.size() : static_cast<size_t>(size));
    bytes = part;
    if (part.empty() && size != 0) {
      return internal::refuse_with(fault, Error::kBufferTooSmall, file_offset, 0, 1);
    }
    return read_into(file_offset, part, fault);
  }
  bytes = {file_ + file_offset, static_cast<size_t>(size)};
  return true;
}
#endif

uint32_t Bundle::named_data_count() const {
  return bp09() ? count(root_, schema::kProgramNamedData) : 0;
}

Position Bundle::named_data_entry(uint32_t index, Fault& fault) const {
  // BP08 has no segments to name.
  return entry(bp09() ? root_ : 0, schema::kProgramNamedData, index, fault);
}

Result<Text> Bundle::named_data_key(uint32_t index) const {
  Result<Text> result;
  const Position table = named_data_entry(index, result.fault());
  *result = text(table, schema::kNamedDataKey);
  return result;
}

Result<SegmentInfo> Bundle::named_data_segment(uint32_t index) const {
  Result<SegmentInfo> result;
  const Position table = named_data_entry(index, result.fault());
  return table == 0 ? result
                    : segment(Reader(metadata_).scalar<uint32_t>(table, schema::kNamedDataSegment));
}

Result<SegmentInfo> Bundle::named_data_for(Text key) const {
  return named_data_segment(bp09() ? find(schema::kProgramNamedData, key) : 0);
}

uint32_t Bundle::metadata_count() const {
  return count(root_, schema::kProgramMetadata);
}

Result<Text> Bundle::metadata_text(uint32_t index, unsigned field) const {
  Result<Text> result;
  *result = text(entry(root_, schema::kProgramMetadata, index, result.fault()), field);
  return result;
}

Result<Text> Bundle::metadata_key(uint32_t index) const {
  return metadata_text(index, schema::kKeyValueKey);
}

Result<Text> Bundle::metadata_value(uint32_t index) const {
  return metadata_text(index, schema::kKeyValueValue);
}

Result<Text> Bundle::metadata_for(Text key) const {
  return metadata_value(find(schema::kProgramMetadata, key));
}

// --- TestSuite ---

Text TestSuite::method_name() const {
  return bundle_->text(table_, schema::kSuiteMethodName);
}

uint32_t TestSuite::case_count() const {
  return bundle_->count(table_, schema::kSuiteTestCases);
}

Result<TestCase> TestSuite::test_case(uint32_t index) const {
  Result<TestCase> result;
  result->bundle_ = bundle_;
  result->table_ = bundle_->entry(table_, schema::kSuiteTestCases, index, result.fault());
  result->suite_table_ = table_;
  return result;
}

// --- TestCase ---

Text TestCase::name() const {
  return bundle_->text(table_, schema::kCaseName);
}

uint32_t TestCase::input_count() const {
  return bundle_->count(table_, schema::kCaseInputs);
}

uint32_t TestCase::output_count() const {
  return bundle_->count(table_, schema::kCaseExpectedOutputs);
}

// That of the first tensor: opening saw to it that the others' is the same.
uint32_t TestCase::payload_segment() const {
  if (!bundle_->bp09()) {
    return kNoIndex;
  }
  Reader reader(bundle_->metadata_);
  constexpr unsigned kFields[] = {schema::kCaseInputs, schema::kCaseExpectedOutputs};
  for (const unsigned field : kFields) {
    const Vector values = reader.tables(table_, field);
    for (uint32_t i = 0; i < values.count; ++i) {
      const Position value = reader.element(values, i);
      if (reader.scalar<uint8_t>(value, schema::kValueType) !=
          static_cast<uint8_t>(ValueKind::kTensor)) {
        continue;
      }
      const Position payload = reader.field(reader.table(value, schema::kValueTable),
                                            schema::kTensorPayload, schema::kPayloadRef);
      return reader.load<uint32_t>(payload + schema::kPayloadRefAtSegment);
    }
  }
  return kNoIndex;
}

SegmentInfo TestCase::payload() const {
  const uint32_t index = payload_segment();
  return index == kNoIndex ? SegmentInfo() : bundle_->segment_info(index);
}

Result<Value> TestCase::input(uint32_t index, Span<const uint8_t> payload_bytes) const {
  return value(index, payload_bytes, schema::kCaseInputs);
}

Result<Value> TestCase::expected_output(uint32_t index, Span<const uint8_t> payload_bytes) const {
  return value(index, payload_bytes, schema::kCaseExpectedOutputs);
}

Result<Value> TestCase::value(uint32_t index, const Span<const uint8_t>& payload_bytes,
                              unsigned field) const {
  Result<Value> result;
  Value& value = *result;
  const Position entry = bundle_->entry(table_, field, index, result.fault());
  Reader reader(bundle_->metadata_);
  const Position table = reader.table(entry, schema::kValueTable);
  value.kind = static_cast<ValueKind>(reader.scalar<uint8_t>(entry, schema::kValueType));
  if (value.kind == ValueKind::kBool) {
    value.bool_value = reader.scalar<uint8_t>(table, schema::kBoolVal) != 0;
  } else if (value.kind == ValueKind::kInt || value.kind == ValueKind::kDouble) {
    // Eight bytes either way.
    const int64_t bits = reader.scalar<int64_t>(table, schema::kIntVal);
    void* const member = value.kind == ValueKind::kInt ? static_cast<void*>(&value.int_value)
                                                       : static_cast<void*>(&value.double_value);
    std::memcpy(member, &bits, sizeof bits);
  } else if (value.kind == ValueKind::kTensor) {
    const TensorFields fields = internal::read_tensor(reader, table);
    TensorView& tensor = value.tensor;
    tensor.scalar_type = fields.scalar_type;
    // Opening found both aligned: the vector of int32 within the metadata, that in memory.
    tensor.sizes = {internal::as_aligned<int32_t>(reader.pointer(fields.sizes.at)),
                    fields.sizes.count};
    tensor.dim_order = {reader.pointer(fields.dim_order.at), fields.dim_order.count};
    if (!bundle_->bp09()) {
      tensor.data = {reader.pointer(fields.data.at), fields.data.count};
      return result;
    }
    const uint64_t offset = reader.load<uint64_t>(fields.payload);
    const uint64_t size = reader.load<uint64_t>(fields.payload + schema::kPayloadRefAtSize);
    if (size > payload_bytes.size() || offset > payload_bytes.size() - size) {
      internal::refuse_with(result.fault(), Error::kBufferTooSmall, fields.payload,
                            payload_bytes.size(), offset + size);
      return result;
    }
    tensor.data = payload_bytes.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
  }
  return result;
}

Tolerance TestCase::tolerance(uint32_t output_index) const {
  Reader reader(bundle_->metadata_);
  Vector entries = reader.tables(table_, schema::kCaseTolerances);
  if (entries.count == 0) {
    entries = reader.tables(suite_table_, schema::kSuiteTolerances);
  }
  const uint32_t index = entries.count == 1 ? 0 : output_index;
  bool valid;  // opening saw to it
  return internal::read_tolerance(
      reader, index < entries.count ? reader.element(entries, index) : 0, valid);
}

}  // namespace bpte
