// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The metrics of a suite, measured over all its cases in the memory that the caller gives
// (schema/README.md, "Metrics and labels"). Memory grows with the metrics, not with the cases.

#include <bpte/core/bundle.h>
#include <bpte/engine/engine.h>
#include <bpte/engine/message.h>
#include <bpte/runner/config.h>
#include <bpte/runner/judgement.h>

#include <cstddef>
#include <cstdint>

#if BPTE_RUNNER_METRICS
#if !BPTE_CORE_METRICS
#error "BPTE_RUNNER_METRICS needs a core that reads metrics (BPTE_CORE_METRICS)"
#endif

namespace bpte {

class RecordWriter;

/// What the metrics of any suite take of RunOptions::metric_buffer, in bytes: some 200 for each
/// metric, 8 for each bin of a ROC AUC, 4 for each pair of classes of a confusion matrix (4 MiB for
/// 1024 classes). SIZE_MAX when size_t cannot hold it.
size_t largest_metrics(const Bundle& bundle);

/// A sum that keeps what rounding loses of it beside it.
class Sum {
 public:
  void add(double x);
  double value() const;

 private:
  double total_ = 0;
  double lost_ = 0;
};

/// Why a metric could not be measured.
enum class MetricFault : uint8_t {
  kNone = 0,
  kCaseNotRun,   ///< a case of the suite did not run
  kNoOutput,     ///< a case has no such output
  kNoTensor,     ///< the output is no tensor
  kOtherTensor,  ///< the output has not the dtype and shape of the expected one
  kNoSamples,    ///< the output has no elements
  kLabelCount,   ///< a case's labels are neither one nor one for each sample
  kLabelValue,   ///< the metric has no class for a label, or for a largest element
  kScore,        ///< a row has no element of the score's index
  kTooMany,      ///< more samples than can be counted
};

/// One metric while it is measured.
struct MetricState {
  Metric metric;
  uint64_t cases = 0;      ///< measured; a case with steps counts as its steps
  uint64_t samples = 0;    ///< rows along the output's last dimension
  uint64_t hits = 0;       ///< of the accuracies
  uint64_t positives = 0;  ///< of the ROC AUC: samples of label 1
  uint64_t elements = 0;   ///< of the errors, SQNR and cosine
  /// Of the errors: differences, or their squares. Of SQNR and cosine: squares of the differences,
  /// of the expected and of the actual values; their products.
  Sum error, expected2, actual2, product;
  bool differs = false;       ///< any element from its expected one
  bool lost = false;          ///< an element or its square has left the range of a double
  uint32_t* table = nullptr;  ///< of the ROC AUC: its bins for label 0, then for label 1. Of the
                              ///< confusion matrix: row by row, one for each label
  MetricFault fault = MetricFault::kNone;  ///< the first, and where it was
  uint32_t fault_case = 0;
  uint32_t fault_step = kNoIndex;
  uint64_t found = 0;
  uint64_t wanted = 0;
};

/// What a metric is by what was measured. NaN where nothing was, or where the range of a double did
/// not suffice. Of a confusion matrix: NaN.
double value_of(const MetricState& state);
/// How far the exact area under the curve may be from value_of(), as the order of the samples
/// within a bin is not known.
double error_bound(const MetricState& state);
/// Whether a metric kept its bounds. `whole`: all cases of the suite were to be run. A metric of a
/// part of them is not judged.
Judgement verdict_of(const MetricState& state, bool whole);

/// Which case is measured; its step, or kNoIndex.
struct MetricPlace {
  uint32_t test_case;
  uint32_t step;
};

class Metrics {
 public:
  /// Begins a suite, with nothing measured. False, with the reason in `message`, when the buffer
  /// (aligned to 16) is smaller than largest_metrics().
  [[nodiscard]] bool begin(const TestSuite& suite, Span<uint8_t> buffer, Message& message);
  uint32_t count() const { return count_; }
  const MetricState& state(uint32_t index) const { return states_[index]; }

  /// A case or step did not run: no metric of the suite can be right any more.
  void missing(MetricPlace place);
  /// Measures the outputs of a case or step that has run, and writes what it adds: the member
  /// `measured` of its record.
  void measure(const TestCase& test_case, MetricPlace place, Span<const uint8_t> payload,
               Engine& engine, RecordWriter& writer);

 private:
  MetricState* states_ = nullptr;
  uint32_t count_ = 0;
};

/// Where a record's metric stands.
struct MetricName {
  uint32_t suite;
  Text method;
  uint32_t index;
};

/// Writes the record `confusion` of one label, if it has samples. Whether it did.
bool write_confusion(RecordWriter& writer, const MetricName& name, const MetricState& state,
                     uint32_t label);
/// Writes the record `metric`.
void write_metric(RecordWriter& writer, const MetricName& name, const MetricState& state,
                  Judgement verdict, Message& message);

}  // namespace bpte

#endif
