// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/runner/metrics.h>
#include <bpte/runner/record_writer.h>

#if BPTE_RUNNER_METRICS

#include <cmath>

namespace bpte {

namespace {

const char* to_string(MetricKind kind) {
  switch (kind) {
    case MetricKind::kTopKAccuracy:
      return "top_k_accuracy";
    case MetricKind::kArgmaxAgreement:
      return "argmax_agreement";
    case MetricKind::kMeanAbsoluteError:
      return "mean_absolute_error";
    case MetricKind::kMeanSquaredError:
      return "mean_squared_error";
    case MetricKind::kSqnrDb:
      return "sqnr_db";
    case MetricKind::kCosine:
      return "cosine";
    case MetricKind::kRocAuc:
      return "roc_auc";
    case MetricKind::kConfusionMatrix:
      return "confusion_matrix";
  }
  return "unknown";
}

const char* name_of(MetricFault fault) {
  switch (fault) {
    case MetricFault::kNone:
      break;
    case MetricFault::kCaseNotRun:
      return "case_not_run";
    case MetricFault::kNoOutput:
      return "no_output";
    case MetricFault::kNoTensor:
      return "no_tensor";
    case MetricFault::kOtherTensor:
      return "other_tensor";
    case MetricFault::kNoSamples:
      return "no_samples";
    case MetricFault::kLabelCount:
      return "label_count";
    case MetricFault::kLabelValue:
      return "label_value";
    case MetricFault::kScore:
      return "score";
    case MetricFault::kTooMany:
      return "too_many_samples";
  }
  return "none";
}

void explain(const MetricState& state, Message& message) {
  message.clear();
  message << "case " << state.fault_case;
  if (state.fault_step != kNoIndex) message << ", step " << state.fault_step;
  message << ": ";
  switch (state.fault) {
    case MetricFault::kNone:
      break;
    case MetricFault::kCaseNotRun:
      message << "it did not run";
      break;
    case MetricFault::kNoOutput:
      message << "there is no output " << state.wanted << ", the method gives " << state.found;
      break;
    case MetricFault::kNoTensor:
      message << "output " << state.metric.output << " is no tensor of numbers";
      break;
    case MetricFault::kOtherTensor:
      message << "output " << state.metric.output
              << " has not the dtype and shape of the expected one";
      break;
    case MetricFault::kNoSamples:
      message << "output " << state.metric.output << " has no elements";
      break;
    case MetricFault::kLabelCount:
      message << state.found << " labels for " << state.wanted << " samples";
      break;
    case MetricFault::kLabelValue:
      message << "class " << state.found << ", the metric has " << state.wanted;
      break;
    case MetricFault::kScore:
      message << "the score is element " << state.wanted << " of a sample of " << state.found;
      break;
    case MetricFault::kTooMany:
      message << "more than 2^31 samples";
      break;
  }
}

// The parameters that belong to the metric's kind.
void write_parameters(RecordWriter& writer, const Metric& metric) {
  if (metric.kind == MetricKind::kTopKAccuracy) writer.field(key::kK, metric.k);
  if (metric.kind == MetricKind::kConfusionMatrix) writer.field(key::kClasses, metric.classes);
  if (metric.kind == MetricKind::kRocAuc) {
    writer.field(key::kScore, metric.score);
    writer.field(key::kBins, metric.bins);
    writer.field(key::kLow, metric.low);
    writer.field(key::kHigh, metric.high);
  }
  if (!std::isnan(metric.minimum)) writer.field(key::kMinimum, metric.minimum);
  if (!std::isnan(metric.maximum)) writer.field(key::kMaximum, metric.maximum);
}

void write_counts(RecordWriter& writer, const MetricState& state) {
  writer.field(key::kCases, state.cases);
  writer.field(key::kSamples, state.samples);
  switch (state.metric.kind) {
    case MetricKind::kTopKAccuracy:
    case MetricKind::kArgmaxAgreement:
      writer.field(key::kHits, state.hits);
      break;
    case MetricKind::kRocAuc:
      writer.field(key::kPositives, state.positives);
      break;
    case MetricKind::kConfusionMatrix:
      break;
    default:
      writer.field(key::kElements, state.elements);
  }
}

}  // namespace

bool write_confusion(RecordWriter& writer, const MetricName& name, const MetricState& state,
                     uint32_t label) {
  const uint32_t classes = state.metric.classes;
  const uint32_t* const row = state.table + size_t{label} * classes;
  uint32_t first = 0;
  while (first < classes && row[first] == 0) ++first;
  if (first == classes) return false;
  writer.begin_record(event::kConfusion);
  writer.field(key::kSuite, name.suite);
  writer.field(key::kMetric, name.index);
  writer.field(key::kLabel, label);
  writer.key(key::kFound);
  writer.begin_array();
  for (uint32_t i = first; i < classes; ++i) {
    if (row[i] != 0) writer.integer(uint64_t{i});
  }
  writer.end_array();
  writer.key(key::kCounts);
  writer.begin_array();
  for (uint32_t i = first; i < classes; ++i) {
    if (row[i] != 0) writer.integer(uint64_t{row[i]});
  }
  writer.end_array();
  writer.end_record();
  return true;
}

void write_metric(RecordWriter& writer, const MetricName& name, const MetricState& state,
                  Judgement verdict, Message& message) {
  const MetricKind kind = state.metric.kind;
  writer.begin_record(event::kMetric);
  writer.field(key::kSuite, name.suite);
  writer.field(key::kMethod, name.method);
  writer.field(key::kMetric, name.index);
  writer.field(key::kKind, to_string(kind));
  writer.field(key::kOutput, state.metric.output);
  write_parameters(writer, state.metric);
  write_counts(writer, state);
  if (verdict != Judgement::kError) {
    if (kind != MetricKind::kConfusionMatrix) writer.field(key::kValue, value_of(state));
    if (kind == MetricKind::kRocAuc) writer.field(key::kErrorBound, error_bound(state));
  }
  writer.field(key::kVerdict, to_string(verdict));
  if (verdict == Judgement::kError) {
    explain(state, message);
    writer.field(key::kError, name_of(state.fault));
    writer.field(key::kMessage, message.c_str());
  }
  writer.end_record();
}

}  // namespace bpte

#endif
