// SPDX-License-Identifier: BSD-3-Clause

// The rules of schema/README.md that the metadata can break, in one walk over all that it reaches.

#include <bpte/core/config.h>
#include <bpte/core/internal/metadata.h>
#include <bpte/core/internal/open.h>
#include <bpte/core/internal/text.h>

#include <cstring>

namespace bpte::internal {

namespace {

// Work charged for one table, in the unit of Reader::charge: about the fields looked at.
constexpr uint32_t kStepsPerTable = 8;

bool is_power_of_two(uint32_t value) {
  return value != 0 && (value & (value - 1)) == 0;
}

class Walk {
 public:
  Walk(const Header& header, const Span<const uint8_t>& metadata, Fault& fault)
      : reader_(metadata), fault_(fault), header_(header) {
    reader_.limit_work();
  }

  bool run() {
    // A rule of FlatBuffers broken after the last look at bad() counts as well.
    return root() && (!reader_.bad() || fail(Error::kMetadataMalformed, 0));
  }

 private:
  bool bp09() const {
#if BPTE_CORE_BP08
    return header_.format == Format::kBP09;
#else
    return true;
#endif
  }

  // Always false. What looks wrong because the FlatBuffer is broken is told as that.
  bool fail(Error error, Position at) {
    if (reader_.bad()) {
      error = Error::kMetadataMalformed;
      at = reader_.bad_at();
      fault_.value = 0;
      fault_.expected = 0;
    }
    fault_.error = error;
    fault_.offset = at;
    return false;
  }
  bool fail(Error error, Position at, uint64_t value, uint64_t expected) {
#if BPTE_CORE_SMALL
    (void)value;
    (void)expected;
#else
    fault_.value = value;
    fault_.expected = expected;
#endif
    return fail(error, at);
  }

  void place(uint32_t suite) {
    fault_.suite = suite;
    fault_.test_case = kNoIndex;
  }

  bool root();
  bool segments();
  bool program();
  bool suite(const Vector& suites, uint32_t index);
  bool test_case(const Vector& inherited, Position test_case);
  bool values(const Vector& values, uint32_t* index);
  bool tensor(Position table);
  bool payload(const TensorFields& fields, Position table, uint64_t bytes);
  bool tolerances(const Vector& tolerances);
  bool text(const Vector& text);
  bool entries(const Vector& entries, Error rule);
  uint32_t first_like(const Vector& tables, uint32_t index, unsigned field, const Vector& text);
  // A table of a vector of them, whose reading is charged.
  Position element(const Vector& tables, uint32_t index) {
    reader_.charge(kStepsPerTable);
    return reader_.element(tables, index);
  }
  Vector tables(Position table, unsigned index) {
    return reader_.tables(table, index);
  }

  Reader reader_;  // first: most calls are made of it
  Fault& fault_;
  const Header& header_;
  Position root_ = 0;
  Vector segments_;
  uint32_t case_segment_ = kNoIndex;  // where the payloads of the case at hand lie
};

bool Walk::root() {
  root_ = reader_.root();
  const uint32_t version = reader_.scalar<uint32_t>(root_, schema::kProgramVersion);
  if (version != schema::kSchemaVersion) {
    return fail(Error::kSchemaVersion, root_, version, schema::kSchemaVersion);
  }
  if (bp09() && !segments()) {
    return false;
  }
  if (!program()) {
    return false;
  }
  const Vector suites = tables(root_, schema::kProgramSuites);
  if (!suites) {
    return fail(Error::kSuitesMissing, root_);
  }
  for (uint32_t i = 0; i < suites.count; ++i) {
    if (!suite(suites, i)) {
      return false;
    }
  }
  place(kNoIndex);
  return (!bp09() || entries(tables(root_, schema::kProgramNamedData), Error::kNamedData)) &&
         entries(tables(root_, schema::kProgramMetadata), Error::kKeyValue);
}

bool Walk::segments() {
  segments_ = reader_.vector(root_, schema::kProgramSegments, schema::kSegment);
  if (segments_.count == 0) {
    return fail(Error::kSegmentsMissing, root_);
  }
  uint64_t end = 0;
  for (uint32_t i = 0; i < segments_.count; ++i) {
    const SegmentInfo segment = load_segment(reader_, segments_, i);
    const Position at = segments_.at + i * schema::kSegmentSize;
    const uint64_t offset = segment.file_offset;
    const uint32_t alignment = segment.alignment;
    fault_.segment = i;
    if (!is_power_of_two(alignment) || alignment > header_.base_alignment) {
      return fail(Error::kSegmentAlignment, at, alignment, header_.base_alignment);
    }
    if ((offset & (alignment - 1)) != 0) {
      return fail(Error::kSegmentAlignment, at, offset, alignment);
    }
    if (offset < end) {
      return fail(Error::kSegmentOrder, at, offset, end);
    }
    if (offset - end >= alignment) {
      return fail(Error::kSegmentGap, at, offset, end);
    }
    end = offset + segment.size;
    if (end < offset) {
      return fail(Error::kOverflow, at, segment.size, ~offset);
    }
    if (end > header_.segment_data_size) {
      return fail(Error::kSegmentBounds, at, end, header_.segment_data_size);
    }
  }
  if (end != header_.segment_data_size) {
    return fail(Error::kSegmentBounds, segments_.at, end, header_.segment_data_size);
  }
  fault_.segment = kNoIndex;
  return true;
}

bool Walk::program() {
  const Vector inline_program = reader_.vector(root_, schema::kProgramProgram, flatbuffer::kByte);
#if BPTE_CORE_BP08
  if (!bp09()) {
    return inline_program.count != 0 || fail(Error::kProgramMissing, root_);
  }
#endif
  if (inline_program) {
    return fail(Error::kProgramInline, inline_program.at, inline_program.count, 0);
  }
  const uint32_t index = reader_.scalar<uint32_t>(root_, schema::kProgramProgramSegment);
  if (index >= segments_.count) {
    return fail(Error::kProgramMissing, root_, index, segments_.count);
  }
  const SegmentInfo segment = load_segment(reader_, segments_, index);
  fault_.segment = index;
  if (segment.size == 0) {
    return fail(Error::kProgramMissing, root_, 0, 1);
  }
  if (segment.alignment < schema::kProgramAlignment) {
    return fail(Error::kProgramAlignment, root_, segment.alignment, schema::kProgramAlignment);
  }
  fault_.segment = kNoIndex;
  return true;
}

bool Walk::suite(const Vector& suites, uint32_t index) {
  place(index);
  const Position suite = element(suites, index);
  const Vector name = reader_.string(suite, schema::kSuiteMethodName);
  if (name.count == 0) {
    return fail(Error::kMethodNameMissing, suite);
  }
  if (!text(name)) {
    return false;
  }
  const uint32_t twin = first_like(suites, index, schema::kSuiteMethodName, name);
  if (twin != index) {
    return fail(Error::kDuplicateSuite, name.at);
  }
  const Vector cases = tables(suite, schema::kSuiteTestCases);
  if (!cases) {
    return fail(Error::kCasesMissing, suite);
  }
  const Vector inherited = tables(suite, schema::kSuiteTolerances);
  if (!tolerances(inherited)) {
    return false;
  }
  for (uint32_t i = 0; i < cases.count; ++i) {
    fault_.test_case = i;
    if (!test_case(inherited, element(cases, i))) {
      return false;
    }
  }
  return true;
}

bool Walk::test_case(const Vector& inherited, Position test_case) {
  case_segment_ = kNoIndex;
  const Vector inputs = tables(test_case, schema::kCaseInputs);
  if (!inputs) {
    return fail(Error::kInputsMissing, test_case);
  }
  const Vector outputs = tables(test_case, schema::kCaseExpectedOutputs);
  if (!outputs) {
    return fail(Error::kOutputsMissing, test_case);
  }
  if (!text(reader_.string(test_case, schema::kCaseName))) {
    return false;
  }
  const Vector own = tables(test_case, schema::kCaseTolerances);
  if (!tolerances(own)) {
    return false;
  }
  const Vector holds = own.count != 0 ? own : inherited;
  if (holds.count > 1 && holds.count != outputs.count) {
    return fail(Error::kToleranceCount, holds.at, holds.count, outputs.count);
  }
  if (reader_.bad()) {
    return fail(Error::kMetadataMalformed, 0);
  }
  return values(inputs, &fault_.input) && values(outputs, &fault_.output);
}

bool Walk::values(const Vector& values, uint32_t* index) {
  for (uint32_t i = 0; i < values.count; ++i) {
    *index = i;
    const Position value = element(values, i);
    const uint8_t kind = reader_.scalar<uint8_t>(value, schema::kValueType);
    const Position table = reader_.table(value, schema::kValueTable);
    if (kind == 0 || kind > static_cast<uint8_t>(ValueKind::kDouble) || table == 0) {
      return fail(Error::kValueMissing, value, kind, 0);
    }
    if (kind == static_cast<uint8_t>(ValueKind::kTensor)) {
      if (!tensor(table)) {
        return false;
      }
    } else {
      // Int, Bool and Double have one field each, the first.
      const uint32_t size = kind == static_cast<uint8_t>(ValueKind::kBool) ? 1 : 8;
      reader_.field(table, schema::kIntVal, flatbuffer::shape(size, size));
    }
    if (reader_.bad()) {
      return fail(Error::kMetadataMalformed, 0);
    }
  }
  *index = kNoIndex;
  return true;
}

bool Walk::tensor(Position table) {
  const TensorFields fields = read_tensor(reader_, table);
  const uint32_t rank = fields.sizes.count;
  uint64_t bytes = element_size(fields.scalar_type);
  if (bytes == 0) {
    const int64_t number = static_cast<int8_t>(fields.scalar_type);
    return fail(Error::kScalarType, table, static_cast<uint64_t>(number), 0);
  }
  if (!fields.sizes) {
    return fail(Error::kSizesMissing, table);
  }
  if (rank > kMaxRank) {
    return fail(Error::kRank, fields.sizes.at, rank, kMaxRank);
  }
  uint64_t overflow = 0;
  bool empty = false;
  for (uint32_t i = 0; i < rank; ++i) {
    const Position at = fields.sizes.at + 4 * i;
    const int32_t size = reader_.load<int32_t>(at);
    if (size < 0) {
      return fail(Error::kNegativeSize, at, static_cast<uint64_t>(int64_t{size}), 0);
    }
    empty |= size == 0;
    // 64 x 32 bits in two halves; the second product overflows when its upper half is not zero.
    const uint64_t low = (bytes & 0xFFFFFFFFu) * static_cast<uint32_t>(size);
    const uint64_t high = (bytes >> 32) * static_cast<uint32_t>(size) + (low >> 32);
    overflow |= high >> 32;
    bytes = high << 32 | (low & 0xFFFFFFFFu);
  }
  if (!fields.dim_order) {
    return fail(Error::kDimOrderMissing, table);
  }
  uint32_t seen = 0;
  for (uint32_t i = 0; i < fields.dim_order.count && i < rank; ++i) {
    const Position at = fields.dim_order.at + i;
    const uint8_t dim = reader_.load<uint8_t>(at);
    if (dim >= rank || (seen >> dim & 1) != 0) {
      return fail(Error::kDimOrder, at, dim, rank);
    }
    seen |= 1u << dim;
  }
  if (fields.dim_order.count != rank) {
    return fail(Error::kDimOrder, fields.dim_order.at, fields.dim_order.count, rank);
  }
  if (empty) {
    bytes = 0;
  } else if (overflow != 0) {
    return fail(Error::kOverflow, fields.sizes.at);
  }
  return payload(fields, table, bytes);
}

bool Walk::payload(const TensorFields& fields, Position table, uint64_t bytes) {
#if BPTE_CORE_BP08
  if (!bp09()) {
    if (!fields.data && bytes != 0) {
      return fail(Error::kPayloadMissing, table, 0, bytes);
    }
    return fields.data.count == bytes ||
           fail(Error::kPayloadSize, fields.data.at, fields.data.count, bytes);
  }
#endif
  if (fields.data) {
    return fail(Error::kPayloadInline, fields.data.at, fields.data.count, 0);
  }
  const Position at = fields.payload;
  if (at == 0) {
    return fail(Error::kPayloadMissing, table, 0, bytes);
  }
  const uint64_t offset = reader_.load<uint64_t>(at);
  const uint64_t size = reader_.load<uint64_t>(at + schema::kPayloadRefAtSize);
  const uint32_t index = reader_.load<uint32_t>(at + schema::kPayloadRefAtSegment);
  if (index >= segments_.count) {
    return fail(Error::kPayloadSegment, at, index, segments_.count);
  }
  fault_.segment = index;
  if (case_segment_ == kNoIndex) {
    case_segment_ = index;
  }
  if (index != case_segment_) {
    return fail(Error::kPayloadSegment, at, index, case_segment_);
  }
  const SegmentInfo segment = load_segment(reader_, segments_, index);
  // A segment aligned to less would misalign what it holds.
  if (offset % schema::kPayloadAlignment != 0 || segment.alignment < schema::kPayloadAlignment) {
    return fail(Error::kPayloadAlignment, at,
                offset % schema::kPayloadAlignment != 0 ? offset : segment.alignment,
                schema::kPayloadAlignment);
  }
  const uint64_t end = offset + size;
  if (end < offset) {
    return fail(Error::kOverflow, at, size, ~offset);
  }
  if (end > segment.size) {
    return fail(Error::kPayloadBounds, at, end, segment.size);
  }
  if (size != bytes) {
    return fail(Error::kPayloadSize, at, size, bytes);
  }
  fault_.segment = kNoIndex;
  return true;
}

bool Walk::tolerances(const Vector& tolerances) {
  for (uint32_t i = 0; i < tolerances.count; ++i) {
    const Position table = element(tolerances, i);
    bool valid;
    read_tolerance(reader_, table, valid);
    if (!valid || reader_.bad()) {
      fault_.output = i;
      return fail(Error::kToleranceValue, table);
    }
  }
  return true;
}

bool Walk::text(const Vector& text) {
  reader_.charge(text.count);
  return reader_.bad() || is_text(reader_.pointer(text.at), text.count) ||
         fail(Error::kTextEncoding, text.at, text.count, 0);
}

// Named data or string metadata, by the rule that they keep: tables of a key, present, text and
// there once, and of a segment or a text.
bool Walk::entries(const Vector& entries, Error rule) {
  static_assert(schema::kNamedDataKey == 0 && schema::kKeyValueKey == 0, "");
  for (uint32_t i = 0; i < entries.count; ++i) {
    const Position entry = element(entries, i);
    const Vector key = reader_.string(entry, 0);
    if (!key || (key.count == 0 && rule == Error::kNamedData)) {
      return fail(rule, entry);
    }
    if (!text(key)) {
      return false;
    }
    const uint32_t twin = first_like(entries, i, 0, key);
    if (twin != i) {
      return fail(rule, key.at, twin, 0);
    }
    if (rule == Error::kNamedData) {
      const uint32_t segment = reader_.scalar<uint32_t>(entry, schema::kNamedDataSegment);
      if (segment >= segments_.count) {
        return fail(rule, entry, segment, segments_.count);
      }
      continue;
    }
    const Vector value = reader_.string(entry, schema::kKeyValueValue);
    if (!value) {
      return fail(rule, entry);
    }
    if (!text(value)) {
      return false;
    }
  }
  return true;
}

// The first table, up to `index`, whose string is `text`: `index` when there is none before it.
uint32_t Walk::first_like(const Vector& tables, uint32_t index, unsigned field,
                          const Vector& text) {
  reader_.charge(index);
  for (uint32_t i = 0; i < index && !reader_.bad(); ++i) {
    const Vector other = reader_.string(reader_.element(tables, i), field);
    if (other.count == text.count &&
        std::memcmp(reader_.pointer(other.at), reader_.pointer(text.at), text.count) == 0) {
      return i;
    }
  }
  return index;
}

}  // namespace

bool check_metadata(const Header& header, const Span<const uint8_t>& metadata, Fault& fault) {
  return Walk(header, metadata, fault).run();
}

}  // namespace bpte::internal
