// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The walk over all tables of the metadata, at opening. schema/README.md ("Rules") states its
// order. Each function checks one kind of part, and all that lies below it.

#include <bpte/core/config.h>
#include <bpte/core/internal/header.h>
#include <bpte/core/internal/metadata.h>

namespace bpte::internal {
namespace {

// The first rule that is broken is kept. After it the reader gives nothing more: everything looks
// absent, so that the walk comes to its end without a question at each step.
class MetadataCheck {
 public:
  MetadataCheck(const Header& header, const Span<const uint8_t>& metadata, Fault& fault);

  Error run() {
    root();
    sound();  // also sees what the last reads broke
    return fault_.error;
  }

 private:
  // Checks one entry of a vector of tables. Not a pointer to a member function: that takes two
  // words at each use, and a test at each call.
  using Entry = void (*)(MetadataCheck& check, Position entry, uint32_t index);
  template <void (MetadataCheck::*kFunction)(Position, uint32_t)>
  static void entry(MetadataCheck& check, Position at, uint32_t index) {
    (check.*kFunction)(at, index);
  }

  bool bp09() const { return !BPTE_CORE_BP08 || header_.format == Format::kBP09; }

  // check_metadata.cpp
  void fail(Error rule, Position at);
  void fail(Error rule, Position at, uint64_t value, uint64_t expected) {
    note(at_, value, expected);
    fail(rule, at);
  }
  void keep(Error rule, Position at);
  // Fails unless everything read so far was a valid FlatBuffer.
  void sound();
  // Counts what a reference leads to, `bytes` for each of its items. Gives it back.
  PackedVector reach(uint32_t bytes, PackedVector packed);
  // A vector of tables, empty when absent.
  PackedVector tables(Position table, unsigned field);
  // The same where absence breaks a rule.
  PackedVector needed(Position table, unsigned field, Error missing);
  // Checks each entry of a vector of tables; `index` is where its index is kept meanwhile.
  void each(Entry check, PackedVector packed, uint32_t& index);
  // The same for a list whose entries have no place in at_. Gives it.
  PackedVector list(Position table, unsigned field, Entry check);
  // Checks a text, and gives it.
  PackedVector text(Position table, unsigned field);
  // Checks the key of entry `index` of a list, and its order after the one before it.
  void key(Position entry, uint32_t index, Error missing);
  // A list whose entries need a feature. Without a check: a build without the feature, for which
  // the bit in the header was refused, so that a list with entries breaks feature_bits.
  void feature(Position table, unsigned field, uint32_t bit, Entry check);
  // BP08 has none of the fields [first, last].
  void absent(Position table, unsigned first, unsigned last);
  void root();
  void segments();
  void program();
  void suite(Position suite, uint32_t index);
  void once(Position suite, uint32_t index);
  void named_data(Position entry, uint32_t index);
  void file_name(Position entry, bool needed);
  void key_value(Position entry, uint32_t index);

  // check_cases.h
  void test_case(Position test_case, uint32_t index);
  void step(Position step, uint32_t index);
  PackedVector inputs_and_outputs(Position test_case, PackedVector inherited);
  void after_values(Position test_case, Position before, bool has_steps);
  void carries(Position step, Position before);
  void labels(Position test_case, bool has_steps);
  PackedVector tolerances(Position table, unsigned field);
  void tolerance(Position at, uint32_t index);

  // check_values.h
  void value(Position value, uint32_t index);
  void tensor(Position table);
  void payload(const TensorFields& fields, Position table, uint64_t bytes);
  bool alike(Position a, Position b);
  bool same(Position a, Position b, unsigned field, flatbuffer::Shape element);

  // check_features.h
  void trace(Position test_case, bool has_steps);
  void trace_value(Position entry, uint32_t index);
  void traced_method(Position suite);
  void instruction(Position instruction, uint32_t index);
#if BPTE_CORE_METRICS
  void metric(Position metric, uint32_t index);
  static constexpr Entry kMetric = &MetadataCheck::entry<&MetadataCheck::metric>;
#else
  static constexpr Entry kMetric = nullptr;
#endif
#if BPTE_CORE_BUDGETS
  void budget(Position budget, uint32_t index);
  static constexpr Entry kBudget = &MetadataCheck::entry<&MetadataCheck::budget>;
#else
  static constexpr Entry kBudget = nullptr;
#endif

  Text text_at(Vector string) const {
    return {reinterpret_cast<const char*>(reader_.pointer(string.at)), string.count};
  }

  Reader reader_;
  Fault& fault_;  // the first violation
  Fault at_;      // where the walk is
  const Header& header_;
  uint64_t reach_left_;
  uint32_t features_ = 0;              // that the metadata uses
  uint32_t other_segment_ = kNoIndex;  // while a trace is looked at: of its case's payloads

  // What follows is set on the way, before it is read.
  Position root_;
  Vector segments_;
  Vector suites_;
  Text last_key_;
  uint32_t program_crc32_;
  uint32_t no_place_;  // in at_, of entries that have none there

  // Of the current suite.
  Vector suite_tolerances_;
  uint32_t instructions_;    // of its traced method
  uint64_t last_place_;      // of the instruction before: chain and index
  uint64_t last_operation_;  // the same, in its delegate call
  uint32_t fewest_outputs_;
  bool unlabelled_;  // a case or step has no labels

  // Of the current case or step.
  Vector case_tolerances_;  // that its steps inherit
  Vector tolerances_;       // that hold
  Position step_before_;    // of the case's steps
  uint32_t case_segment_;   // of the payloads
};

}  // namespace
}  // namespace bpte::internal
