// SPDX-License-Identifier: BSD-3-Clause

// What an opened bundle's suites and cases give.

#include <bpte/core/internal/aligned.h>
#include <bpte/core/internal/metadata.h>
#include <bpte/core/internal/refuse.h>

namespace bpte {

using internal::Position;
using internal::Reader;
using internal::TensorFields;
using internal::Vector;

namespace {

// `payload_bytes` are those of the case's segment; BP08's payloads lie in the metadata.
Error tensor_view(Reader& reader, Position table, bool bp09,
                  const Span<const uint8_t>& payload_bytes, TensorView& tensor, Fault& fault) {
  const TensorFields fields = internal::read_tensor(reader, table);
  tensor.scalar_type = fields.scalar_type;
  // Opening has checked both alignments: of the vector of int32 in the metadata, and of the
  // metadata in memory.
  tensor.sizes = {internal::as_aligned<int32_t>(reader.pointer(fields.sizes.at)),
                  fields.sizes.count};
  tensor.dim_order = {reader.pointer(fields.dim_order.at), fields.dim_order.count};
  if (!bp09) {
    tensor.data = {reader.pointer(fields.data.at), fields.data.count};
    return Error::kOk;
  }
  const uint64_t offset = reader.load<uint64_t>(fields.payload);
  const uint64_t size = reader.load<uint64_t>(fields.payload + schema::kPayloadRefAtSize);
  if (size > payload_bytes.size() || offset > payload_bytes.size() - size) {
    return internal::refuse_with(fault, Error::kBufferTooSmall, fields.payload,
                                 payload_bytes.size(), offset + size);
  }
  tensor.data = payload_bytes.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
  return Error::kOk;
}

}  // namespace

Text TestSuite::method_name() const {
  return bundle_->text(table_, schema::kSuiteMethodName);
}

uint32_t TestSuite::case_count() const {
  return bundle_->count(table_, schema::kSuiteTestCases);
}

Result<TestCase> TestSuite::test_case(uint32_t index) const {
  return internal::result_of<TestCase>([&](TestCase& test_case, Fault& fault) {
    test_case.bundle_ = bundle_;
    test_case.suite_table_ = table_;
    return bundle_->entry(table_, schema::kSuiteTestCases, index, test_case.table_, fault);
  });
}

Text TestCase::name() const {
  return bundle_->text(table_, schema::kCaseName);
}

uint32_t TestCase::input_count() const {
  return bundle_->count(table_, schema::kCaseInputs);
}

uint32_t TestCase::output_count() const {
  return bundle_->count(table_, schema::kCaseExpectedOutputs);
}

// The first tensor's segment: opening has checked that the others' is the same.
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
  return internal::result_of<Value>([&](Value& value, Fault& fault) {
    Position entry = 0;
    BPTE_TRY(bundle_->entry(table_, field, index, entry, fault));
    Reader reader(bundle_->metadata_);
    const Position table = reader.table(entry, schema::kValueTable);
    value.kind = static_cast<ValueKind>(reader.scalar<uint8_t>(entry, schema::kValueType));
    switch (value.kind) {
      case ValueKind::kInt:
        value.int_value = reader.scalar<int64_t>(table, schema::kIntVal);
        break;
      case ValueKind::kBool:
        value.bool_value = reader.scalar<uint8_t>(table, schema::kBoolVal) != 0;
        break;
      case ValueKind::kDouble:
        value.double_value = reader.scalar<double>(table, schema::kDoubleVal);
        break;
      case ValueKind::kTensor:
        return tensor_view(reader, table, bundle_->bp09(), payload_bytes, value.tensor, fault);
      case ValueKind::kNone:
        break;
    }
    return Error::kOk;
  });
}

Tolerance TestCase::tolerance(uint32_t output_index) const {
  Reader reader(bundle_->metadata_);
  Vector entries = reader.tables(table_, schema::kCaseTolerances);
  if (entries.count == 0) {
    entries = reader.tables(suite_table_, schema::kSuiteTolerances);
  }
  const uint32_t index = entries.count == 1 ? 0 : output_index;
  bool valid;  // checked at opening
  return internal::read_tolerance(
      reader, index < entries.count ? reader.element(entries, index) : 0, valid);
}

}  // namespace bpte
