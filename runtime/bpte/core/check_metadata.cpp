// SPDX-License-Identifier: BSD-3-Clause

// The rules of schema/README.md that the metadata can break, checked in one walk over all its
// tables: the root and its lists. check_cases.h, check_values.h and check_features.h have the
// rest.

#include <bpte/core/internal/check_cases.h>
#include <bpte/core/internal/check_features.h>
#include <bpte/core/internal/check_values.h>
#include <bpte/core/internal/open.h>
#include <bpte/core/internal/utf8.h>

#include <cstring>

namespace bpte::internal {

namespace {

// BP08's suites are in no order: to find two for one method, all pairs are compared.
constexpr uint32_t kMaxSuitesBP08 = 256;

MetadataCheck::MetadataCheck(const Header& header, const Span<const uint8_t>& metadata,
                             Fault& fault)
    : reader_(metadata),
      fault_(fault),
      header_(header),
      reach_left_(schema::kReachPerByte * metadata.size()) {}

// A broken FlatBuffer makes other rules look broken: it is told first.
void MetadataCheck::fail(Error rule, Position at) {
  sound();
  keep(rule, at);
}

void MetadataCheck::sound() {
  if (reader_.bad()) {
    note(at_, 0, 0);
    keep(Error::kMetadataMalformed, reader_.bad_at());
  }
}

void MetadataCheck::keep(Error rule, Position at) {
  if (fault_.error == Error::kOk) {
    fault_ = at_;
    (void)refuse(fault_, rule, at);
    reader_.fail(at);
  }
}

// Counts once for each reference. Vectors may be shared, so a small file can take an endless walk.
// This bounds it.
PackedVector MetadataCheck::reach(uint32_t bytes, PackedVector packed) {
  const Vector found = packed;
  const uint64_t all = uint64_t{found.count} * bytes;
  sound();
  if (all > reach_left_) {
    fail(Error::kTableSharing, found.at);
  }
  reach_left_ -= all;
  return found;
}

PackedVector MetadataCheck::tables(Position table, unsigned field) {
  return reach(schema::kReachOfEntry, reader_.tables(table, field));
}

PackedVector MetadataCheck::needed(Position table, unsigned field, Error missing) {
  const Vector found = tables(table, field);
  if (!found) {
    fail(missing, table);
  }
  return found;
}

void MetadataCheck::each(Entry check, PackedVector packed, uint32_t& index) {
  const Vector entries = packed;
  for (uint32_t i = 0; i < entries.count; ++i) {
    index = i;
    check(*this, reader_.element(entries, i), i);
    sound();
  }
  index = kNoIndex;
}

PackedVector MetadataCheck::list(Position table, unsigned field, Entry check) {
  const Vector entries = tables(table, field);
  each(check, entries, no_place_);
  return entries;
}

PackedVector MetadataCheck::text(Position table, unsigned field) {
  const Vector text = reach(1, reader_.string(table, field));
  if (!is_text(reader_.pointer(text.at), text.count)) {
    fail(Error::kTextEncoding, text.at, text.count, 0);
  }
  return text;
}

void MetadataCheck::key(Position entry, uint32_t index, Error missing) {
  const Vector key = this->text(entry, schema::kKey);
  // Of metadata alone, a key may be empty.
  if (missing == Error::kKeyValue ? !key : key.count == 0) {
    fail(missing, entry);
  }
  const Text text = text_at(key);
  if (index != 0 && compare(last_key_, text) >= 0) {
    fail(Error::kKeyOrder, key.at, index, 0);
  }
  last_key_ = text;
}

void MetadataCheck::absent(Position table, unsigned first, unsigned last) {
  for (unsigned field = first; field <= last; ++field) {
    const Position at = reader_.field(table, field, flatbuffer::kOffset);
    if (at != 0) {
      return fail(Error::kNotInBp08, at);
    }
  }
}

void MetadataCheck::feature(Position table, unsigned field, uint32_t bit, Entry check) {
  const Vector entries = check != nullptr ? list(table, field, check) : tables(table, field);
  if (entries.count != 0) {
    features_ |= bit;
  }
}

void MetadataCheck::root() {
  root_ = reader_.root();
  const uint32_t version = reader_.scalar<uint32_t>(root_, schema::kProgramVersion);
  if (version != schema::kSchemaVersion) {
    return fail(Error::kSchemaVersion, root_, version, schema::kSchemaVersion);
  }
  if (bp09()) {
    segments();
  }
  program();
  suites_ = needed(root_, schema::kProgramSuites, Error::kSuitesMissing);
  if (!bp09() && suites_.count > kMaxSuitesBP08) {
    return fail(Error::kTooManySuites, suites_.at, suites_.count, kMaxSuitesBP08);
  }
  each(entry<&MetadataCheck::suite>, suites_, at_.suite);
  if (bp09()) {
    list(root_, schema::kProgramNamedData, entry<&MetadataCheck::named_data>);
  }
  list(root_, schema::kProgramMetadata, entry<&MetadataCheck::key_value>);
  if (!bp09()) {
    return absent(root_, schema::kProgramBudgets, schema::kProgramBudgets);
  }
  feature(root_, schema::kProgramBudgets, schema::kFeatureBudgets, kBudget);
  if (features_ != header_.required_features) {
    return fail(Error::kFeatureBits, 0, header_.required_features, features_);
  }
}

void MetadataCheck::segments() {
  segments_ = reader_.vector(root_, schema::kProgramSegments, schema::kSegment);
  if (segments_.count == 0) {
    return fail(Error::kSegmentsMissing, root_);
  }
  uint64_t end = 0;
  for (uint32_t i = 0; i < segments_.count; ++i) {
    const SegmentInfo& segment = load_segment(reader_, segments_, i);
    const Position at = segments_.at + i * schema::kSegmentSize;
    const uint64_t offset = segment.file_offset;
    const uint32_t alignment = segment.alignment;
    at_.segment = i;
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
  at_.segment = kNoIndex;
}

void MetadataCheck::program() {
  const Vector inline_program = reader_.vector(root_, schema::kProgramProgram, flatbuffer::kByte);
  if (!bp09()) {
    return inline_program.count != 0 ? void() : fail(Error::kProgramMissing, root_);
  }
  if (inline_program) {
    return fail(Error::kProgramInline, inline_program.at, inline_program.count, 0);
  }
  const uint32_t index = reader_.scalar<uint32_t>(root_, schema::kProgramProgramSegment);
  if (index >= segments_.count) {
    return fail(Error::kProgramMissing, root_, index, segments_.count);
  }
  const SegmentInfo& segment = load_segment(reader_, segments_, index);
  at_.segment = index;
  if (segment.size == 0) {
    return fail(Error::kProgramMissing, root_, 0, 1);
  }
  if (segment.alignment < schema::kProgramAlignment) {
    return fail(Error::kProgramAlignment, root_, segment.alignment, schema::kProgramAlignment);
  }
  at_.segment = kNoIndex;
  program_crc32_ = segment.crc32;
}

void MetadataCheck::suite(Position suite, uint32_t index) {
  bp09() ? key(suite, index, Error::kMethodNameMissing) : once(suite, index);
  const Vector cases = needed(suite, schema::kSuiteTestCases, Error::kCasesMissing);
  suite_tolerances_ = tolerances(suite, schema::kSuiteTolerances);
#if BPTE_CORE_TRACE
  if (bp09()) {
    traced_method(suite);
  }
#endif
  fewest_outputs_ = kNoIndex;
  unlabelled_ = false;
  each(entry<&MetadataCheck::test_case>, cases, at_.test_case);
  if (!bp09()) {
    return absent(suite, schema::kSuiteMetrics, schema::kSuiteTracedMethod);
  }
  return feature(suite, schema::kSuiteMetrics, schema::kFeatureMetrics, kMetric);
}

// BP08's suites are in no order: checks the text of a name, and compares it with all before it.
void MetadataCheck::once(Position suite, uint32_t index) {
  const Vector name = text(suite, schema::kKey);
  if (name.count == 0) {
    return fail(Error::kMethodNameMissing, suite);
  }
  for (uint32_t i = 0; i < index; ++i) {
    const Vector other = reader_.string(reader_.element(suites_, i), schema::kKey);
    if (text_at(other) == text_at(name)) {
      return fail(Error::kDuplicateSuite, name.at);
    }
  }
}

void MetadataCheck::named_data(Position entry, uint32_t index) {
  key(entry, index, Error::kNamedData);
  const uint32_t segment = reader_.scalar<uint32_t>(entry, schema::kNamedDataSegment);
  if (segment >= segments_.count) {
    return fail(Error::kNamedData, entry, segment, segments_.count);
  }
  const auto role = reader_.scalar<uint8_t>(entry, schema::kNamedDataRole);
  if (role > static_cast<uint8_t>(NamedDataRole::kGraph)) {
    const int64_t number = static_cast<int8_t>(role);
    return fail(Error::kNamedDataRole, entry, static_cast<uint64_t>(number), 0);
  }
  const bool ptd = role == static_cast<uint8_t>(NamedDataRole::kPtd);
  file_name(entry, ptd);
  const uint32_t alignment = load_segment(reader_, segments_, segment).alignment;
  if (ptd && alignment < schema::kPayloadAlignment) {
    return fail(Error::kPtdAlignment, entry, alignment, schema::kPayloadAlignment);
  }
}

// A name, never a path: somebody will write a file of this name.
void MetadataCheck::file_name(Position entry, bool needed) {
  const Vector name = text(entry, schema::kNamedDataFileName);
  bool plain = name ? name.count != 0 : !needed;
  bool dots = true;  // nothing but dots so far
  for (uint32_t i = 0; i < name.count; ++i) {
    const uint8_t byte = reader_.load<uint8_t>(name.at + i);
    dots &= byte == '.';
    plain &= byte >= 0x20 && byte != 0x7F && byte != '/' && byte != '\\' && byte != ':';
  }
  if (!plain || (dots && name.count - 1 < 2)) {
    return fail(Error::kFileName, entry);
  }
}

void MetadataCheck::key_value(Position entry, uint32_t index) {
  key(entry, index, Error::kKeyValue);
  const Vector value = text(entry, schema::kKeyValueValue);
  if (!value) {
    fail(Error::kKeyValue, entry);
  }
}

}  // namespace

Error check_metadata(const Header& header, const Span<const uint8_t>& metadata, Fault& fault) {
  return MetadataCheck(header, metadata, fault).run();
}

}  // namespace bpte::internal
