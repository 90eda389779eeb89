// SPDX-License-Identifier: BSD-3-Clause

// What an opened bundle's suites and cases give.

#include <bpte/core/internal/aligned.h>
#include <bpte/core/internal/metadata.h>
#include <bpte/core/internal/refuse.h>

#include <cstddef>

namespace bpte {

using internal::Position;
using internal::Reader;
using internal::TensorFields;
using internal::Vector;

namespace {

// `payload_bytes` are those of the tensor's segment, from `from` on; BP08's payloads lie in the
// metadata.
Error tensor_view(Reader& reader, Position table, bool bp09,
                  const Span<const uint8_t>& payload_bytes, uint64_t from, TensorView& tensor,
                  Fault& fault) {
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
  const uint64_t offset = reader.load<uint64_t>(fields.payload) - from;
  const uint64_t size = reader.load<uint64_t>(fields.payload + schema::kPayloadRefAtSize);
  if (size > payload_bytes.size() || offset > payload_bytes.size() - size) {
    return internal::refuse_with(fault, Error::kBufferTooSmall, fields.payload,
                                 payload_bytes.size(), offset + size);
  }
  tensor.data = payload_bytes.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
  return Error::kOk;
}

// Where a value's payload reference lies; 0 when it is not a tensor. BP09's.
Position payload_of(Reader& reader, Position value) {
  if (reader.scalar<uint8_t>(value, schema::kValueType) !=
      static_cast<uint8_t>(ValueKind::kTensor)) {
    return 0;
  }
  return reader.field(reader.table(value, schema::kValueTable), schema::kTensorPayload,
                      schema::kPayloadRef);
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
    test_case.table_ = bundle_->entry(table_, schema::kSuiteTestCases, index, fault);
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
  Reader& reader = bundle_->reader_;
  constexpr unsigned kFields[] = {schema::kCaseInputs, schema::kCaseExpectedOutputs};
  for (const unsigned field : kFields) {
    const Vector values = reader.tables(table_, field);
    for (uint32_t i = 0; i < values.count; ++i) {
      const Position payload = payload_of(reader, reader.element(values, i));
      if (payload != 0) {
        return reader.load<uint32_t>(payload + schema::kPayloadRefAtSegment);
      }
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
    const Position entry = bundle_->entry(table_, field, index, fault);
    return bundle_->read_value(entry, payload_bytes, 0, value, fault);
  });
}

Error Bundle::read_value(Position entry, const Span<const uint8_t>& payload, uint64_t from,
                         Value& value, Fault& fault) const {
  const Position table = reader_.table(entry, schema::kValueTable);
  value.kind = static_cast<ValueKind>(reader_.scalar<uint8_t>(entry, schema::kValueType));
  switch (value.kind) {
    case ValueKind::kInt:
      value.int_value = reader_.scalar<int64_t>(table, schema::kIntVal);
      break;
    case ValueKind::kBool:
      value.bool_value = reader_.scalar<uint8_t>(table, schema::kBoolVal) != 0;
      break;
    case ValueKind::kDouble:
      value.double_value = reader_.scalar<double>(table, schema::kDoubleVal);
      break;
    case ValueKind::kTensor:
      return tensor_view(reader_, table, bp09(), payload, from, value.tensor, fault);
    case ValueKind::kNone:
      break;
  }
  return Error::kOk;
}

Tolerance TestCase::tolerance(uint32_t output_index) const {
  Reader& reader = bundle_->reader_;
  Vector entries = reader.tables(table_, schema::kCaseTolerances);
  if (entries.count == 0 && BPTE_CORE_STEPS) {
    entries = reader.tables(case_table_, schema::kCaseTolerances);
  }
  if (entries.count == 0) {
    entries = reader.tables(suite_table_, schema::kSuiteTolerances);
  }
  const uint32_t index = entries.count == 1 ? 0 : output_index;
  bool valid;  // checked at opening
  return internal::read_tolerance(
      reader, index < entries.count ? reader.element(entries, index) : 0, valid);
}

#if BPTE_CORE_STEPS
uint32_t TestCase::step_count() const {
  return bundle_->count(table_, schema::kCaseSteps);
}

Result<TestCase> TestCase::step(uint32_t index) const {
  return internal::result_of<TestCase>([&](TestCase& step, Fault& fault) {
    step = *this;
    step.case_table_ = table_;
    step.table_ = bundle_->entry(table_, schema::kCaseSteps, index, fault);
  });
}

// Opening has checked the alignment of this vector, and of the labels.
Span<const Carry> TestCase::carries() const {
  static_assert(sizeof(Carry) == schema::kCarrySize && alignof(Carry) == 4, "");
  static_assert(offsetof(Carry, input) == schema::kCarryAtInput, "");
  Reader& reader = bundle_->reader_;
  const Vector carries = reader.vector(table_, schema::kCaseCarries, schema::kCarry);
  return {internal::as_aligned<Carry>(reader.pointer(carries.at)), carries.count};
}
#endif

#if BPTE_CORE_METRICS
Span<const int32_t> TestCase::labels() const {
  Reader& reader = bundle_->reader_;
  const Vector labels = reader.vector(table_, schema::kCaseLabels, schema::kLabel);
  return {internal::as_aligned<int32_t>(reader.pointer(labels.at)), labels.count};
}

uint32_t TestSuite::metric_count() const {
  return bundle_->count(table_, schema::kSuiteMetrics);
}

Result<Metric> TestSuite::metric(uint32_t index) const {
  return internal::result_of<Metric>([&](Metric& metric, Fault& fault) {
    bundle_->read_entry(table_, index, internal::kMetricFields, &metric, fault);
  });
}
#endif

#if BPTE_CORE_TRACE
uint32_t TestCase::trace_count() const {
  return bundle_->count(table_, schema::kCaseTrace);
}

Result<TraceValue> Bundle::trace_value(const TestCase& test_case, uint32_t index,
                                       Span<uint8_t> buffer) const {
  return internal::result_of<TraceValue>([&](TraceValue& found, Fault& fault) {
    const Position at =
        read_entry(test_case.table_, index, internal::kTraceValueFields, &found, fault);
    const Position value = reader_.table(at, schema::kTraceValueValue);
    const Position reference = payload_of(reader_, value);
    Span<const uint8_t> bytes;
    uint64_t offset = 0;
    if (reference != 0) {
      const auto segment = reader_.load<uint32_t>(reference + schema::kPayloadRefAtSegment);
      const auto size = reader_.load<uint64_t>(reference + schema::kPayloadRefAtSize);
      offset = reader_.load<uint64_t>(reference);
      BPTE_TRY(payload(segment_info(segment).file_offset + offset, size, buffer, bytes, fault));
    }
    return read_value(value, bytes, offset, found.value, fault);
  });
}

TraceOrigin TestSuite::trace_origin() const {
  Reader& reader = bundle_->reader_;
  const Position method = reader.table(table_, schema::kSuiteTracedMethod);
  return static_cast<TraceOrigin>(reader.scalar<uint8_t>(method, schema::kTracedMethodOrigin));
}

uint32_t TestSuite::instruction_count() const {
  const Position method = bundle_->reader_.table(table_, schema::kSuiteTracedMethod);
  return bundle_->count(method, schema::kTracedMethodInstructions);
}

Result<Instruction> TestSuite::instruction(uint32_t index) const {
  return internal::result_of<Instruction>([&](Instruction& found, Fault& fault) {
    Reader& reader = bundle_->reader_;
    const Position method = reader.table(table_, schema::kSuiteTracedMethod);
    const Position at =
        bundle_->read_entry(method, index, internal::kInstructionFields, &found, fault);
    found.is_operation = reader.field(at, schema::kInstructionOperation, flatbuffer::kU32) != 0;
  });
}
#endif

}  // namespace bpte
