// SPDX-License-Identifier: BSD-3-Clause

// The rules of schema/README.md that the metadata can break, in one walk over all that it reaches.

#include <bpte/core/config.h>
#include <bpte/core/internal/metadata.h>
#include <bpte/core/internal/open.h>
#include <bpte/core/internal/text.h>

#include <cstring>

namespace bpte::internal {

namespace {

// What a walk may reach for each byte of metadata, and what an entry of a vector of tables counts
// (schema/README.md, "Work at opening").
constexpr uint64_t kReachPerByte = 8;
constexpr uint64_t kReachOfEntry = 32;

// BP08 states no order of its suites, so that finding two for one method takes comparing all pairs.
constexpr uint32_t kMaxSuitesBP08 = 256;

bool is_power_of_two(uint32_t value) {
  return value != 0 && (value & (value - 1)) == 0;
}

class Walk {
 public:
  Walk(const Header& header, const Span<const uint8_t>& metadata, Fault& fault)
      : reader_(metadata),
        fault_(fault),
        header_(header),
        reach_left_(kReachPerByte * metadata.size()) {}

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
  bool suite(const Vector& suites, uint32_t index, Vector& last);
  bool test_case(const Vector& inherited, Position test_case);
  bool values(const Vector& values, uint32_t* index);
  bool tensor(Position table);
  bool payload(const TensorFields& fields, Position table, uint64_t bytes);
  bool tolerances(const Vector& tolerances);
  bool text(const Vector& text);
  bool entries(unsigned field, Error rule);
  bool key(const Vector& key, uint32_t index, Vector& last);
  bool once(const Vector& suites, uint32_t index, const Vector& name);
  bool tables(Position table, unsigned field, Vector& found);
  bool reach(uint64_t bytes, Position at);
  Text text_at(const Vector& string) const {
    return {reinterpret_cast<const char*>(reader_.pointer(string.at)), string.count};
  }

  Reader reader_;  // first: most calls are made of it
  Fault& fault_;
  const Header& header_;
  Position root_ = 0;
  Vector segments_;
  uint32_t case_segment_ = kNoIndex;  // where the payloads of the case at hand lie
  uint64_t reach_left_;
};

// Counts what a reference leads to, once for each reference: vectors may be shared, so that a walk
// over all that is reachable can take far longer than the file is long. A file made for it would
// hang its reader.
bool Walk::reach(uint64_t bytes, Position at) {
  if (bytes > reach_left_) {
    return fail(Error::kTableSharing, at);
  }
  reach_left_ -= bytes;
  return true;
}

// A vector of tables, empty when absent.
bool Walk::tables(Position table, unsigned field, Vector& found) {
  found = reader_.tables(table, field);
  return reach(kReachOfEntry * found.count, found.at);
}

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
  Vector suites;
  if (!tables(root_, schema::kProgramSuites, suites)) {
    return false;
  }
  if (!suites) {
    return fail(Error::kSuitesMissing, root_);
  }
  if (!bp09() && suites.count > kMaxSuitesBP08) {
    return fail(Error::kTooManySuites, suites.at, suites.count, kMaxSuitesBP08);
  }
  Vector last;
  for (uint32_t i = 0; i < suites.count; ++i) {
    if (!suite(suites, i, last)) {
      return false;
    }
  }
  place(kNoIndex);
  return (!bp09() || entries(schema::kProgramNamedData, Error::kNamedData)) &&
         entries(schema::kProgramMetadata, Error::kKeyValue);
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

bool Walk::suite(const Vector& suites, uint32_t index, Vector& last) {
  place(index);
  const Position suite = reader_.element(suites, index);
  const Vector name = reader_.string(suite, schema::kSuiteMethodName);
  if (name.count == 0) {
    return fail(Error::kMethodNameMissing, suite);
  }
  if (!text(name) || !(bp09() ? key(name, index, last) : once(suites, index, name))) {
    return false;
  }
  Vector cases;
  if (!tables(suite, schema::kSuiteTestCases, cases)) {
    return false;
  }
  if (!cases) {
    return fail(Error::kCasesMissing, suite);
  }
  Vector inherited;
  if (!tables(suite, schema::kSuiteTolerances, inherited) || !tolerances(inherited)) {
    return false;
  }
  for (uint32_t i = 0; i < cases.count; ++i) {
    fault_.test_case = i;
    if (!test_case(inherited, reader_.element(cases, i))) {
      return false;
    }
  }
  return true;
}

bool Walk::test_case(const Vector& inherited, Position test_case) {
  case_segment_ = kNoIndex;
  Vector inputs;
  if (!tables(test_case, schema::kCaseInputs, inputs)) {
    return false;
  }
  if (!inputs) {
    return fail(Error::kInputsMissing, test_case);
  }
  Vector outputs;
  if (!tables(test_case, schema::kCaseExpectedOutputs, outputs)) {
    return false;
  }
  if (!outputs) {
    return fail(Error::kOutputsMissing, test_case);
  }
  if (!text(reader_.string(test_case, schema::kCaseName))) {
    return false;
  }
  Vector own;
  if (!tables(test_case, schema::kCaseTolerances, own) || !tolerances(own)) {
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
    const Position value = reader_.element(values, i);
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
    const Position table = reader_.element(tolerances, i);
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
  if (!reach(text.count, text.at)) {
    return false;
  }
  return reader_.bad() || is_text(reader_.pointer(text.at), text.count) ||
         fail(Error::kTextEncoding, text.at, text.count, 0);
}

// Named data or string metadata, by the rule that they keep: tables of a key, present, text and
// in order, and of a segment or a text.
bool Walk::entries(unsigned field, Error rule) {
  static_assert(schema::kNamedDataKey == 0 && schema::kKeyValueKey == 0, "");
  Vector entries;
  if (!tables(root_, field, entries)) {
    return false;
  }
  Vector last;
  for (uint32_t i = 0; i < entries.count; ++i) {
    const Position entry = reader_.element(entries, i);
    const Vector name = reader_.string(entry, 0);
    if (!name || (name.count == 0 && rule == Error::kNamedData)) {
      return fail(rule, entry);
    }
    if (!text(name) || !key(name, i, last)) {
      return false;
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

// Key `index` of its list against the one before it, whose place it takes in `last`.
bool Walk::key(const Vector& key, uint32_t index, Vector& last) {
  if (index != 0 && !reader_.bad() && compare(text_at(last), text_at(key)) >= 0) {
    return fail(Error::kKeyOrder, key.at, index, 0);
  }
  last = key;
  return true;
}

// BP08's suites are in no order: each name against all before it.
bool Walk::once(const Vector& suites, uint32_t index, const Vector& name) {
  for (uint32_t i = 0; i < index && !reader_.bad(); ++i) {
    const Vector other = reader_.string(reader_.element(suites, i), schema::kSuiteMethodName);
    if (text_at(other) == text_at(name)) {
      return fail(Error::kDuplicateSuite, name.at);
    }
  }
  return true;
}

}  // namespace

bool check_metadata(const Header& header, const Span<const uint8_t>& metadata, Fault& fault) {
  return Walk(header, metadata, fault).run();
}

}  // namespace bpte::internal
