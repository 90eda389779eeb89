// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/bundle.h>
#include <bpte/core/crc32.h>
#include <bpte/core/internal/checksum.h>
#include <bpte/core/internal/metadata.h>
#include <bpte/core/internal/open.h>

#include <cstring>

namespace bpte {

using internal::Position;
using internal::Reader;
using internal::TensorFields;
using internal::Vector;

namespace {

Text to_text(const Reader& reader, const Vector& string) {
  return {reinterpret_cast<const char*>(reader.pointer(string.at)), string.count};
}

Vector tables(Reader& reader, Position table, unsigned index) {
  return reader.vector(table, index, 4, 4);
}

Vector segments(Reader& reader, Position root) {
  return reader.vector(root, schema::kProgramSegments, schema::kSegmentSize, schema::kSegmentAlign);
}

#if BPTE_CORE_BP08
uint32_t lowest_bit(uint64_t value) {
  const uint64_t bit = value & (~value + 1);
  return bit > 0x80000000u || bit == 0 ? 0x80000000u : static_cast<uint32_t>(bit);
}
#endif

Fault no_such_item(uint64_t index, uint64_t count) {
  return internal::make_fault(Error::kNoSuchItem, 0, index, count);
}

}  // namespace

bool operator==(const Text& a, const Text& b) {
  return a.size == b.size && (a.size == 0 || std::memcmp(a.data, b.data, a.size) == 0);
}

bool operator==(const Text& a, const char* b) {
  return a == Text{b, std::strlen(b)};
}

Result<Bundle> Bundle::open(Span<const uint8_t> file, const OpenOptions& options) {
  const Result<Header> parsed = Header::parse(file);
  if (!parsed.ok()) {
    return parsed.fault();
  }
  Bundle bundle;
  bundle.header_ = parsed.get();
  Header& header = bundle.header_;
#if BPTE_CORE_BP08
  if (header.format == Format::kBP08) {
    header.file_size = header.metadata_size = file.size();
  }
#endif
  const Status size = internal::check_file_size(header, file.size());
  if (!size.ok()) {
    return size.fault();
  }
  const uintptr_t address = reinterpret_cast<uintptr_t>(file.data());
  if (address % header.base_alignment != 0) {
    return internal::make_fault(Error::kMisalignedBase, 0, address, header.base_alignment);
  }
  bundle.file_ = file.data();
  bundle.metadata_ = file.subspan(0, static_cast<size_t>(header.metadata_size));
  const Status checked = bundle.check(options, {});
  if (!checked.ok()) {
    return checked.fault();
  }
  return bundle;
}

Status Bundle::check(const OpenOptions& options, Span<uint8_t> scratch) {
  const Status metadata = internal::check_metadata_bytes(header_, metadata_);
  if (!metadata.ok()) {
    return metadata;
  }
  root_ = Reader(metadata_).root();
  if (!options.verify_checksums) {
    return Status();
  }
#if BPTE_CORE_CHECKSUMS
  return verify_checksums(scratch);
#else
  (void)scratch;
  return internal::make_fault(Error::kUnknownFeature, 0, 0, 0);
#endif
}

const Header& Bundle::header() const {
  return header_;
}

uint32_t Bundle::suite_count() const {
  Reader reader(metadata_);
  return tables(reader, root_, schema::kProgramSuites).count;
}

Result<TestSuite> Bundle::suite(uint32_t index) const {
  Reader reader(metadata_);
  const Vector suites = tables(reader, root_, schema::kProgramSuites);
  if (index >= suites.count) {
    return no_such_item(index, suites.count);
  }
  TestSuite suite;
  suite.bundle_ = this;
  suite.table_ = reader.element(suites, index);
  return suite;
}

Result<TestSuite> Bundle::suite_for(Text method_name) const {
  const uint32_t count = suite_count();
  for (uint32_t i = 0; i < count; ++i) {
    const Result<TestSuite> found = suite(i);
    if (found.ok() && found->method_name() == method_name) {
      return found;
    }
  }
  return no_such_item(count, count);
}

SegmentInfo Bundle::program_info() const {
  Reader reader(metadata_);
#if BPTE_CORE_BP08
  if (header_.format == Format::kBP08) {
    const Vector program = reader.vector(root_, schema::kProgramProgram, 1, 1);
    SegmentInfo info;
    info.file_offset = program.at;
    info.size = program.count;
    info.alignment = lowest_bit(program.at | reinterpret_cast<uintptr_t>(metadata_.data()));
    return info;
  }
#endif
  return segment(reader.scalar<uint32_t>(root_, schema::kProgramProgramSegment, 0)).get();
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
  const uint32_t index = test_case.payload_segment();
  if (index == kNoIndex) {
    return Span<const uint8_t>();
  }
  const SegmentInfo info = segment(index).get();
  if (file_ == nullptr) {
    if (buffer.size() < info.size) {
      return internal::make_fault(Error::kBufferTooSmall, info.file_offset, buffer.size(),
                                  info.size);
    }
    const uintptr_t address = reinterpret_cast<uintptr_t>(buffer.data());
    if (address % schema::kPayloadAlignment != 0) {
      return internal::make_fault(Error::kMisalignedBase, 0, address, schema::kPayloadAlignment);
    }
  }
  Span<const uint8_t> bytes;
  Status status = load(info.file_offset, info.size, buffer, &bytes);
  if (status.ok() && verify) {
#if BPTE_CORE_CHECKSUMS
    status = internal::check_segment_crc(index, info, crc32(bytes));
#else
    status = internal::make_fault(Error::kUnknownFeature, 0, 0, 0);
#endif
  }
  if (!status.ok()) {
    return status.fault();
  }
  return bytes;
}

uint32_t Bundle::segment_count() const {
#if BPTE_CORE_BP08
  if (header_.format == Format::kBP08) {
    return 0;
  }
#endif
  Reader reader(metadata_);
  return segments(reader, root_).count;
}

Result<SegmentInfo> Bundle::segment(uint32_t index) const {
  const uint32_t count = segment_count();
  if (index >= count) {
    return no_such_item(index, count);
  }
  Reader reader(metadata_);
  SegmentInfo info = internal::load_segment(reader, segments(reader, root_), index);
  info.file_offset += header_.segment_base_offset;
  return info;
}

Status Bundle::read(uint64_t file_offset, Span<uint8_t> buffer) const {
  if (file_offset > header_.file_size || buffer.size() > header_.file_size - file_offset) {
    return internal::make_fault(Error::kReadFailed, file_offset, buffer.size(), header_.file_size);
  }
  if (buffer.empty()) {
    return Status();
  }
#if BPTE_CORE_DATA_SOURCE
  if (file_ == nullptr) {
    if (source_ == nullptr || !source_->read(file_offset, buffer)) {
      return internal::make_fault(Error::kReadFailed, file_offset, buffer.size(), 0);
    }
    return Status();
  }
#endif
  std::memcpy(buffer.data(), file_ + file_offset, buffer.size());
  return Status();
}

Status Bundle::load(uint64_t file_offset, uint64_t size, Span<uint8_t> scratch,
                    Span<const uint8_t>* bytes) const {
#if BPTE_CORE_DATA_SOURCE
  if (file_ == nullptr) {
    const Span<uint8_t> part =
        scratch.subspan(0, scratch.size() < size ? scratch.size() : static_cast<size_t>(size));
    if (part.empty() && size != 0) {
      return internal::make_fault(Error::kBufferTooSmall, file_offset, 0, 1);
    }
    *bytes = part;
    return read(file_offset, part);
  }
#endif
  (void)scratch;
  *bytes = {file_ + file_offset, static_cast<size_t>(size)};
  return Status();
}

uint32_t Bundle::named_data_count() const {
#if BPTE_CORE_BP08
  if (header_.format == Format::kBP08) {
    return 0;
  }
#endif
  Reader reader(metadata_);
  return tables(reader, root_, schema::kProgramNamedData).count;
}

Result<Text> Bundle::entry_text(unsigned entries, uint32_t index, unsigned field) const {
  Reader reader(metadata_);
  const Vector found = tables(reader, root_, entries);
  if (index >= found.count) {
    return no_such_item(index, found.count);
  }
  return to_text(reader, reader.string(reader.element(found, index), field));
}

Result<Text> Bundle::named_data_key(uint32_t index) const {
  if (index >= named_data_count()) {
    return no_such_item(index, named_data_count());
  }
  return entry_text(schema::kProgramNamedData, index, schema::kNamedDataKey);
}

Result<SegmentInfo> Bundle::named_data_segment(uint32_t index) const {
  if (index >= named_data_count()) {
    return no_such_item(index, named_data_count());
  }
  Reader reader(metadata_);
  const Position entry = reader.element(tables(reader, root_, schema::kProgramNamedData), index);
  return segment(reader.scalar<uint32_t>(entry, schema::kNamedDataSegment, 0));
}

uint32_t Bundle::metadata_count() const {
  Reader reader(metadata_);
  return tables(reader, root_, schema::kProgramMetadata).count;
}

Result<Text> Bundle::metadata_key(uint32_t index) const {
  return entry_text(schema::kProgramMetadata, index, schema::kKeyValueKey);
}

Result<Text> Bundle::metadata_value(uint32_t index) const {
  return entry_text(schema::kProgramMetadata, index, schema::kKeyValueValue);
}

// --- TestSuite ---

Text TestSuite::method_name() const {
  Reader reader(bundle_->metadata_);
  return to_text(reader, reader.string(table_, schema::kSuiteMethodName));
}

uint32_t TestSuite::case_count() const {
  Reader reader(bundle_->metadata_);
  return tables(reader, table_, schema::kSuiteTestCases).count;
}

Result<TestCase> TestSuite::test_case(uint32_t index) const {
  Reader reader(bundle_->metadata_);
  const Vector cases = tables(reader, table_, schema::kSuiteTestCases);
  if (index >= cases.count) {
    return no_such_item(index, cases.count);
  }
  TestCase test_case;
  test_case.bundle_ = bundle_;
  test_case.table_ = reader.element(cases, index);
  test_case.suite_table_ = table_;
  return test_case;
}

// --- TestCase ---

Text TestCase::name() const {
  Reader reader(bundle_->metadata_);
  return to_text(reader, reader.string(table_, schema::kCaseName));
}

uint32_t TestCase::input_count() const {
  Reader reader(bundle_->metadata_);
  return tables(reader, table_, schema::kCaseInputs).count;
}

uint32_t TestCase::output_count() const {
  Reader reader(bundle_->metadata_);
  return tables(reader, table_, schema::kCaseExpectedOutputs).count;
}

// That of the first tensor: opening saw to it that the others' is the same.
uint32_t TestCase::payload_segment() const {
#if BPTE_CORE_BP08
  if (bundle_->header_.format == Format::kBP08) {
    return kNoIndex;
  }
#endif
  Reader reader(bundle_->metadata_);
  constexpr unsigned kFields[] = {schema::kCaseInputs, schema::kCaseExpectedOutputs};
  for (const unsigned field : kFields) {
    const Vector values = tables(reader, table_, field);
    for (uint32_t i = 0; i < values.count; ++i) {
      const Position value = reader.element(values, i);
      if (reader.scalar<uint8_t>(value, schema::kValueType, 0) !=
          static_cast<uint8_t>(ValueKind::kTensor)) {
        continue;
      }
      const Position payload =
          reader.field(reader.table(value, schema::kValueTable), schema::kTensorPayload,
                       schema::kPayloadRefSize, schema::kPayloadRefAlign);
      return reader.load<uint32_t>(payload + schema::kPayloadRefAtSegment);
    }
  }
  return kNoIndex;
}

SegmentInfo TestCase::payload() const {
  const uint32_t index = payload_segment();
  return index == kNoIndex ? SegmentInfo() : bundle_->segment(index).get();
}

Result<Value> TestCase::input(uint32_t index, Span<const uint8_t> payload_bytes) const {
  return value(schema::kCaseInputs, index, payload_bytes);
}

Result<Value> TestCase::expected_output(uint32_t index, Span<const uint8_t> payload_bytes) const {
  return value(schema::kCaseExpectedOutputs, index, payload_bytes);
}

Result<Value> TestCase::value(unsigned values, uint32_t index,
                              Span<const uint8_t> payload_bytes) const {
  Reader reader(bundle_->metadata_);
  const Vector vector = tables(reader, table_, values);
  if (index >= vector.count) {
    return no_such_item(index, vector.count);
  }
  const Position entry = reader.element(vector, index);
  const Position table = reader.table(entry, schema::kValueTable);
  Value value;
  value.kind = static_cast<ValueKind>(reader.scalar<uint8_t>(entry, schema::kValueType, 0));
  switch (value.kind) {
    case ValueKind::kNone:
      break;
    case ValueKind::kInt:
      value.int_value = reader.scalar<int64_t>(table, schema::kIntVal, 0);
      break;
    case ValueKind::kBool:
      value.bool_value = reader.scalar<uint8_t>(table, schema::kBoolVal, 0) != 0;
      break;
    case ValueKind::kDouble:
      value.double_value = reader.scalar<double>(table, schema::kDoubleVal, 0);
      break;
    case ValueKind::kTensor: {
      const TensorFields fields = internal::read_tensor(reader, table);
      TensorView& tensor = value.tensor;
      tensor.scalar_type = fields.scalar_type;
      // Opening found both aligned: the vector of int32 within the metadata, that in memory.
      tensor.sizes = {reinterpret_cast<const int32_t*>(reader.pointer(fields.sizes.at)),
                      fields.sizes.count};
      tensor.dim_order = {reader.pointer(fields.dim_order.at), fields.dim_order.count};
#if BPTE_CORE_BP08
      if (bundle_->header_.format == Format::kBP08) {
        tensor.data = {reader.pointer(fields.data.at), fields.data.count};
        break;
      }
#endif
      const uint64_t offset = reader.load<uint64_t>(fields.payload);
      const uint64_t size = reader.load<uint64_t>(fields.payload + schema::kPayloadRefAtSize);
      if (size > payload_bytes.size() || offset > payload_bytes.size() - size) {
        return internal::make_fault(Error::kBufferTooSmall, fields.payload, payload_bytes.size(),
                                    offset + size);
      }
      tensor.data = payload_bytes.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
      break;
    }
  }
  return value;
}

Tolerance TestCase::tolerance(uint32_t output_index) const {
  Reader reader(bundle_->metadata_);
  Vector entries = tables(reader, table_, schema::kCaseTolerances);
  if (entries.count == 0) {
    entries = tables(reader, suite_table_, schema::kSuiteTolerances);
  }
  const uint32_t index = entries.count == 1 ? 0 : output_index;
  if (index >= entries.count) {
    return Tolerance();
  }
  return internal::read_tolerance(reader, reader.element(entries, index)).tolerance;
}

}  // namespace bpte
