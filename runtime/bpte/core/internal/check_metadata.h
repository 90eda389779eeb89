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
  // Counts the bytes that a reference leads to.
  void reach(uint64_t bytes, Position at);
  // A vector of tables, empty when absent.
  Vector tables(Position table, unsigned field);
  // The same where absence breaks a rule.
  Vector needed(Position table, unsigned field, Error missing);
  void each(const Vector& entries, Entry check);
  void text(const Vector& text);
  // Checks the text of key `index` of its list, and its order after the one before it.
  void key(const Vector& key, uint32_t index);
  // A list whose entries need a feature. Without a check: a build without the feature, for which
  // the bit in the header was refused, so that a list with entries breaks feature_bits.
  void feature(Position table, unsigned field, uint32_t bit, Entry check);
  // BP08 has none of the fields [first, last].
  void absent(Position table, unsigned first, unsigned last);
  void root();
  void segments();
  void program();
  void suite(Position suite, uint32_t index);
  void once(const Vector& name, uint32_t index);
  void named_data(Position entry, uint32_t index);
  void file_name(const Vector& name, bool needed, Position entry);
  void key_value(Position entry, uint32_t index);

  // check_cases.h
  void cases(const Vector& cases, const Vector& inherited);
  Vector test_case(Position test_case, Vector& tolerances);
  void steps(const Vector& steps, const Vector& inherited);
  void after_values(Position test_case, Position before, bool has_steps);
  void carries(Position step, Position before);
  void labels(Position test_case, bool has_steps);
  Vector tolerances(Position table, unsigned field);

  // check_values.h
  void values(const Vector& values, uint32_t& index);
  void value(Position value);
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

  Text text_at(const Vector& string) const {
    return {reinterpret_cast<const char*>(reader_.pointer(string.at)), string.count};
  }

  Reader reader_;
  Fault& fault_;  // the first violation
  Fault at_;      // where the walk is
  const Header& header_;
  uint64_t reach_left_;
  Position root_ = 0;
  Vector segments_;
  Vector suites_;
  Vector last_key_;
  uint32_t program_crc32_ = 0;
  uint32_t features_ = 0;  // that the metadata uses

  // Of the current suite.
  uint32_t instructions_ = 0;    // of its traced method
  uint32_t last_place_[4] = {};  // of the instruction before
  uint32_t fewest_outputs_ = 0;
  bool unlabelled_ = false;  // a case or step has no labels

  // Of the current case or step.
  uint32_t case_segment_ = kNoIndex;   // of the payloads
  uint32_t other_segment_ = kNoIndex;  // while its trace is looked at: of its inputs and outputs
};

}  // namespace
}  // namespace bpte::internal
