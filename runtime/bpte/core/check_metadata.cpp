// SPDX-License-Identifier: BSD-3-Clause

// The rules of schema/README.md that the metadata can break, checked in one walk over all its
// tables.

#include <bpte/core/config.h>
#include <bpte/core/internal/header.h>
#include <bpte/core/internal/metadata.h>
#include <bpte/core/internal/open.h>
#include <bpte/core/internal/utf8.h>

namespace bpte::internal {

namespace {

// How many bytes a walk may visit for each byte of metadata, and for how many an entry of a vector
// of tables counts (schema/README.md, "Work at opening").
constexpr uint64_t kReachPerByte = 8;
constexpr uint64_t kReachOfEntry = 32;

// BP08's suites are in no order: to find two for one method, all pairs are compared.
constexpr uint32_t kMaxSuitesBP08 = 256;

class Walk {
 public:
  Walk(const Header& header, const Span<const uint8_t>& metadata, Fault& fault)
      : reader_(metadata),
        fault_(fault),
        header_(header),
        reach_left_(kReachPerByte * metadata.size()) {}

  Error run() {
    BPTE_TRY(root());
    return sound();  // also sees what the last reads broke
  }

 private:
  bool bp09() const { return !BPTE_CORE_BP08 || header_.format == Format::kBP09; }

  // A broken FlatBuffer makes other rules look broken: it is reported first.
  Error fail(Error rule, Position at) {
    BPTE_TRY(sound());
    return refuse(fault_, rule, at);
  }
  Error fail(Error rule, Position at, uint64_t value, uint64_t expected) {
    note(fault_, value, expected);
    return fail(rule, at);
  }
  // Whether everything read so far was a valid FlatBuffer.
  Error sound() {
    if (reader_.bad()) {
      note(fault_, 0, 0);
      return refuse(fault_, Error::kMetadataMalformed, reader_.bad_at());
    }
    return Error::kOk;
  }

  Error root();
  Error segments();
  Error program();
  Error suites();
  Error cases(Position suite);
  Error test_case(Position test_case, const Vector& inherited);
  Error values(const Vector& values, uint32_t& index);
  Error value(Position value);
  Error tensor(Position table);
  Error payload(const TensorFields& fields, Position table, uint64_t bytes);
  Error tolerances(Position table, unsigned field, Vector& found);
  Error entries(unsigned field, Error rule);

  Error text(const Vector& text);
  Error key(const Vector& key, uint32_t index, Vector& last);
  Error once(const Vector& suites, uint32_t index, const Vector& name);
  Error tables(Position table, unsigned field, Vector& found);
  Error reach(uint64_t bytes, Position at);
  Text text_at(const Vector& string) const {
    return {reinterpret_cast<const char*>(reader_.pointer(string.at)), string.count};
  }

  Reader reader_;
  Fault& fault_;
  const Header& header_;
  Position root_ = 0;
  Vector segments_;
  uint32_t case_segment_ = kNoIndex;  // of the current case's payloads
  uint64_t reach_left_;
};

// Counts the bytes that a reference leads to, once for each reference. Vectors may be shared, so a
// small file can take an endless walk. This bounds it.
Error Walk::reach(uint64_t bytes, Position at) {
  if (bytes > reach_left_) {
    return fail(Error::kTableSharing, at);
  }
  reach_left_ -= bytes;
  return Error::kOk;
}

// A vector of tables, empty when absent.
Error Walk::tables(Position table, unsigned field, Vector& found) {
  found = reader_.tables(table, field);
  return reach(kReachOfEntry * found.count, found.at);
}

Error Walk::root() {
  root_ = reader_.root();
  const uint32_t version = reader_.scalar<uint32_t>(root_, schema::kProgramVersion);
  if (version != schema::kSchemaVersion) {
    return fail(Error::kSchemaVersion, root_, version, schema::kSchemaVersion);
  }
  if (bp09()) {
    BPTE_TRY(segments());
  }
  BPTE_TRY(program());
  BPTE_TRY(suites());
  if (bp09()) {
    BPTE_TRY(entries(schema::kProgramNamedData, Error::kNamedData));
  }
  return entries(schema::kProgramMetadata, Error::kKeyValue);
}

Error Walk::segments() {
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
  return Error::kOk;
}

Error Walk::program() {
  const Vector inline_program = reader_.vector(root_, schema::kProgramProgram, flatbuffer::kByte);
  if (!bp09()) {
    return inline_program.count != 0 ? Error::kOk : fail(Error::kProgramMissing, root_);
  }
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
  return Error::kOk;
}

Error Walk::suites() {
  Vector suites;
  BPTE_TRY(tables(root_, schema::kProgramSuites, suites));
  if (!suites) {
    return fail(Error::kSuitesMissing, root_);
  }
  if (!bp09() && suites.count > kMaxSuitesBP08) {
    return fail(Error::kTooManySuites, suites.at, suites.count, kMaxSuitesBP08);
  }
  Vector last;
  for (uint32_t i = 0; i < suites.count; ++i) {
    fault_.suite = i;
    const Position suite = reader_.element(suites, i);
    const Vector name = reader_.string(suite, schema::kSuiteMethodName);
    if (name.count == 0) {
      return fail(Error::kMethodNameMissing, suite);
    }
    BPTE_TRY(text(name));
    BPTE_TRY(bp09() ? key(name, i, last) : once(suites, i, name));
    BPTE_TRY(cases(suite));
    fault_.test_case = kNoIndex;
  }
  fault_.suite = kNoIndex;
  return Error::kOk;
}

Error Walk::cases(Position suite) {
  Vector cases;
  BPTE_TRY(tables(suite, schema::kSuiteTestCases, cases));
  if (!cases) {
    return fail(Error::kCasesMissing, suite);
  }
  Vector inherited;
  BPTE_TRY(tolerances(suite, schema::kSuiteTolerances, inherited));
  for (uint32_t i = 0; i < cases.count; ++i) {
    fault_.test_case = i;
    BPTE_TRY(test_case(reader_.element(cases, i), inherited));
  }
  return Error::kOk;
}

Error Walk::test_case(Position test_case, const Vector& inherited) {
  case_segment_ = kNoIndex;
  Vector inputs;
  BPTE_TRY(tables(test_case, schema::kCaseInputs, inputs));
  if (!inputs) {
    return fail(Error::kInputsMissing, test_case);
  }
  Vector outputs;
  BPTE_TRY(tables(test_case, schema::kCaseExpectedOutputs, outputs));
  if (!outputs) {
    return fail(Error::kOutputsMissing, test_case);
  }
  BPTE_TRY(text(reader_.string(test_case, schema::kCaseName)));
  Vector own;
  BPTE_TRY(tolerances(test_case, schema::kCaseTolerances, own));
  const Vector holds = own.count != 0 ? own : inherited;
  if (holds.count > 1 && holds.count != outputs.count) {
    return fail(Error::kToleranceCount, holds.at, holds.count, outputs.count);
  }
  BPTE_TRY(sound());
  BPTE_TRY(values(inputs, fault_.input));
  return values(outputs, fault_.output);
}

// `index` is fault_.input or fault_.output.
Error Walk::values(const Vector& values, uint32_t& index) {
  for (uint32_t i = 0; i < values.count; ++i) {
    index = i;
    BPTE_TRY(value(reader_.element(values, i)));
  }
  index = kNoIndex;
  return Error::kOk;
}

Error Walk::value(Position value) {
  const auto kind = static_cast<ValueKind>(reader_.scalar<uint8_t>(value, schema::kValueType));
  const Position table = reader_.table(value, schema::kValueTable);
  if (kind == ValueKind::kNone || kind > ValueKind::kDouble || table == 0) {
    return fail(Error::kValueMissing, value, static_cast<uint8_t>(kind), 0);
  }
  if (kind == ValueKind::kTensor) {
    BPTE_TRY(tensor(table));
  } else {
    // Int, Bool and Double have one field each, the first.
    const uint32_t size = kind == ValueKind::kBool ? 1 : 8;
    reader_.field(table, schema::kIntVal, flatbuffer::shape(size, size));
  }
  return sound();
}

Error Walk::tensor(Position table) {
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
    // Multiplies 64 by 32 bits in two halves. The product overflows when the upper half does.
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

Error Walk::payload(const TensorFields& fields, Position table, uint64_t bytes) {
  if (!bp09()) {
    if (!fields.data && bytes != 0) {
      return fail(Error::kPayloadMissing, table, 0, bytes);
    }
    if (fields.data.count != bytes) {
      return fail(Error::kPayloadSize, fields.data.at, fields.data.count, bytes);
    }
    return Error::kOk;
  }
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
  // A segment with a smaller alignment would misalign its payloads.
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
  return Error::kOk;
}

Error Walk::tolerances(Position table, unsigned field, Vector& found) {
  BPTE_TRY(tables(table, field, found));
  for (uint32_t i = 0; i < found.count; ++i) {
    const Position tolerance = reader_.element(found, i);
    fault_.output = i;
    bool valid;
    read_tolerance(reader_, tolerance, valid);
    if (!valid) {
      return fail(Error::kToleranceValue, tolerance);
    }
    BPTE_TRY(sound());
  }
  fault_.output = kNoIndex;
  return Error::kOk;
}

Error Walk::text(const Vector& text) {
  BPTE_TRY(reach(text.count, text.at));
  BPTE_TRY(sound());
  if (!is_text(reader_.pointer(text.at), text.count)) {
    return fail(Error::kTextEncoding, text.at, text.count, 0);
  }
  return Error::kOk;
}

// Named data or string metadata; `rule` is the one that the list in question breaks. An entry has a
// key (present, text and in order) and a segment or a text.
Error Walk::entries(unsigned field, Error rule) {
  static_assert(schema::kNamedDataKey == 0 && schema::kKeyValueKey == 0, "");
  Vector entries;
  BPTE_TRY(tables(root_, field, entries));
  Vector last;
  for (uint32_t i = 0; i < entries.count; ++i) {
    const Position entry = reader_.element(entries, i);
    const Vector name = reader_.string(entry, 0);
    if (!name || (name.count == 0 && rule == Error::kNamedData)) {
      return fail(rule, entry);
    }
    BPTE_TRY(text(name));
    BPTE_TRY(key(name, i, last));
    if (rule == Error::kNamedData) {
      const uint32_t segment = reader_.scalar<uint32_t>(entry, schema::kNamedDataSegment);
      if (segment >= segments_.count) {
        return fail(rule, entry, segment, segments_.count);
      }
    } else {
      const Vector value = reader_.string(entry, schema::kKeyValueValue);
      if (!value) {
        return fail(rule, entry);
      }
      BPTE_TRY(text(value));
    }
  }
  return Error::kOk;
}

// Checks key `index` of its list against `last`, the one before it. Makes it the new `last`.
Error Walk::key(const Vector& key, uint32_t index, Vector& last) {
  if (index != 0 && compare(text_at(last), text_at(key)) >= 0) {
    return fail(Error::kKeyOrder, key.at, index, 0);
  }
  last = key;
  return Error::kOk;
}

// BP08's suites are in no order: compares a name with all before it.
Error Walk::once(const Vector& suites, uint32_t index, const Vector& name) {
  for (uint32_t i = 0; i < index; ++i) {
    const Vector other = reader_.string(reader_.element(suites, i), schema::kSuiteMethodName);
    if (text_at(other) == text_at(name)) {
      return fail(Error::kDuplicateSuite, name.at);
    }
  }
  return Error::kOk;
}

}  // namespace

Error check_metadata(const Header& header, const Span<const uint8_t>& metadata, Fault& fault) {
  return Walk(header, metadata, fault).run();
}

}  // namespace bpte::internal
