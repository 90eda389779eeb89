// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/runner/metrics.h>

#if BPTE_RUNNER_METRICS

#include <bpte/core/internal/aligned.h>
#include <bpte/core/internal/element.h>
#include <bpte/core/internal/ieee.h>
#include <bpte/core/internal/logarithm.h>
#include <bpte/core/internal/type_facts.h>
#include <bpte/core/internal/walk.h>
#include <bpte/runner/record_writer.h>

#include <cstring>
#include <new>

// python/bpte/run/measure.py computes the same. Counts agree bit for bit, and so do the accuracies
// and the ROC AUC; sums agree as far as their rounding does.

namespace bpte {

namespace {

using internal::Element;
using internal::is_finite;
using internal::is_nan;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kSmallestSquare = 0x1p-1000;  // below, squares have lost bits or are zero
// Counters of 32 bits, and sums of their products in 64, cannot overflow.
constexpr uint64_t kMostSamples = uint64_t{1} << 31;
// So many missed samples of a case are listed.
constexpr uint32_t kListed = 16;

// What the metric takes of the buffer beside its state: numbers of 32 bits.
uint64_t table_entries(const Metric& metric) {
  switch (metric.kind) {
    case MetricKind::kRocAuc:
      return uint64_t{2} * metric.bins;
    case MetricKind::kConfusionMatrix:
      return uint64_t{metric.classes} * metric.classes;
    default:
      return 0;
  }
}

uint64_t bytes_of(const TestSuite& suite) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < suite.metric_count(); ++i) {
    const Result<Metric> metric = suite.metric(i);
    if (metric.ok()) bytes += sizeof(MetricState) + table_entries(*metric) * sizeof(uint32_t);
  }
  return bytes;
}

bool is_accuracy(MetricKind kind) {
  return kind == MetricKind::kTopKAccuracy || kind == MetricKind::kArgmaxAgreement;
}

// The samples of a tensor: its rows along the last dimension, in row-major order.
class Rows {
 public:
  Rows() = default;
  // The view has been checked (internal::plan()) and has elements.
  explicit Rows(const TensorView& view) : view_(&view), kind_(internal::number_kind(type())) {
    const size_t rank = view.sizes.size();
    size_t stride = element_size(type());
    for (size_t k = rank; k-- > 0;) {
      const uint8_t dimension = view.dim_order[k];
      strides_[dimension] = stride;
      stride *= static_cast<size_t>(view.sizes[dimension]);
    }
    if (rank == 0) return;
    length_ = static_cast<size_t>(view.sizes[rank - 1]);
    step_ = strides_[rank - 1];
    for (size_t i = 0; i + 1 < rank; ++i) count_ *= static_cast<size_t>(view.sizes[i]);
  }

  size_t count() const { return count_; }
  size_t length() const { return length_; }

  /// Goes to a row.
  void select(size_t row) {
    start_ = view_->data.data();
    for (size_t i = view_->sizes.size(); i-- > 1;) {
      const auto size = static_cast<size_t>(view_->sizes[i - 1]);
      start_ += row % size * strides_[i - 1];
      row /= size;
    }
  }

  /// Of the selected row.
  Element at(size_t i) const { return internal::load(type(), start_ + i * step_); }
  double real(size_t i) const { return at(i).real; }
  bool has_nan() const {
    for (size_t i = 0; i < length_; ++i) {
      if (is_nan(real(i))) return true;
    }
    return false;
  }
  /// A NaN is larger than any number, and of equal elements the first is the largest.
  size_t largest() const {
    size_t found = 0;
    Element most = at(0);
    for (size_t i = 1; i < length_ && !is_nan(most.real); ++i) {
      const Element element = at(i);
      if (is_nan(element.real) || is_less(most, element)) {
        found = i;
        most = element;
      }
    }
    return found;
  }
  /// How many elements stand before this one when the row is sorted, the largest first.
  size_t rank_of(size_t label) const {
    const Element own = at(label);
    size_t before = 0;
    for (size_t i = 0; i < length_; ++i) {
      const Element element = at(i);
      if (is_less(own, element) || (i < label && !is_less(element, own))) ++before;
    }
    return before;
  }

 private:
  ScalarType type() const { return view_->scalar_type; }
  bool is_less(const Element& a, const Element& b) const {
    switch (kind_) {
      case Number::Kind::kInt:
        return static_cast<int64_t>(a.bits) < static_cast<int64_t>(b.bits);
      case Number::Kind::kUInt:
        return a.bits < b.bits;
      case Number::Kind::kDouble:
        break;
    }
    return a.real < b.real;
  }

  const TensorView* view_ = nullptr;
  Number::Kind kind_ = Number::Kind::kDouble;
  size_t strides_[kMaxRank] = {};  // in bytes
  size_t count_ = 1;
  size_t length_ = 1;
  size_t step_ = 0;
  const uint8_t* start_ = nullptr;
};

// |actual - expected|. Equal elements, infinities too, do not differ.
double difference(Number::Kind kind, const Element& e, const Element& a) {
  if (kind == Number::Kind::kDouble) {
    return e.real == a.real ? 0 : __builtin_fabs(a.real - e.real);
  }
  const bool less = kind == Number::Kind::kInt
                        ? static_cast<int64_t>(a.bits) < static_cast<int64_t>(e.bits)
                        : a.bits < e.bits;
  // In two's complement the difference of any two values fits 64 unsigned bits.
  return static_cast<double>(less ? e.bits - a.bits : a.bits - e.bits);
}

// A sample that counts for no hit.
struct Missed {
  uint64_t sample;
  uint64_t wanted;
  uint64_t got;
};

// What one case or step adds to a metric.
class Measurement {
 public:
  Measurement(MetricState& state, const TestCase& test_case, MetricPlace place)
      : state_(state), metric_(state.metric), test_case_(test_case), place_(place) {}

  void take(Span<const uint8_t> payload, Engine& engine) {
    if (state_.fault != MetricFault::kNone) return;
    if (metric_.output >= engine.output_count()) {
      return fail(MetricFault::kNoOutput, engine.output_count(), metric_.output);
    }
    Value actual;
    if (engine.output(metric_.output, actual) != EngineError::kOk ||
        actual.kind != ValueKind::kTensor) {
      return fail(MetricFault::kNoTensor);
    }
    const size_t element_bytes = element_size(actual.tensor.scalar_type);
    internal::Walk walk;
    if (element_bytes == 0 || !internal::plan(actual.tensor, actual.tensor, element_bytes, walk)) {
      return fail(MetricFault::kNoTensor);
    }
    if (walk.numel == 0) return fail(MetricFault::kNoSamples);
    rows_ = Rows(actual.tensor);
    if (state_.samples + rows_.count() >= kMostSamples) return fail(MetricFault::kTooMany);
    if (needs_expected(metric_.kind)) {
      const Result<Value> expected = test_case_.expected_output(metric_.output, payload);
      if (!expected.ok() || expected->kind != ValueKind::kTensor ||
          expected->tensor.scalar_type != actual.tensor.scalar_type ||
          !internal::plan(expected->tensor, actual.tensor, element_bytes, walk)) {
        return fail(MetricFault::kOtherTensor);
      }
      if (metric_.kind == MetricKind::kArgmaxAgreement) {
        compare_largest(Rows(expected->tensor));
      } else {
        sum(expected->tensor, actual.tensor, walk);
      }
    } else if (label_count_fits()) {
      look_at_labels();
    }
    if (state_.fault != MetricFault::kNone) return;
    samples_ = rows_.count();
    state_.samples += samples_;
    state_.hits += hits_;
    ++state_.cases;
  }

  void write(RecordWriter& writer) const {
    writer.begin_object();
    writer.field(key::kSamples, samples_);
    if (is_accuracy(metric_.kind)) {
      writer.field(key::kHits, hits_);
      writer.key(key::kMissed);
      writer.begin_array();
      for (uint32_t i = 0; i < listed_; ++i) {
        writer.begin_array();
        writer.integer(missed_[i].sample);
        writer.integer(missed_[i].wanted);
        writer.integer(missed_[i].got);
        writer.end_array();
      }
      writer.end_array();
    }
    writer.end_object();
  }

 private:
  void fail(MetricFault fault, uint64_t found = 0, uint64_t wanted = 0) {
    state_.fault = fault;
    state_.fault_case = place_.test_case;
    state_.fault_step = place_.step;
    state_.found = found;
    state_.wanted = wanted;
    hits_ = 0;
    listed_ = 0;
  }

  void count(bool hit, size_t sample, size_t wanted, size_t got) {
    if (hit) {
      ++hits_;
    } else if (listed_ < kListed) {
      missed_[listed_++] = {sample, wanted, got};
    }
  }

  // Both rows are looked at for NaN: what holds one agrees with nothing.
  void compare_largest(Rows expected) {
    for (size_t i = 0; i < rows_.count(); ++i) {
      rows_.select(i);
      expected.select(i);
      const size_t wanted = expected.largest();
      const size_t got = rows_.largest();
      const bool numbers = !is_nan(rows_.real(got)) && !is_nan(expected.real(wanted));
      count(wanted == got && numbers, i, wanted, got);
    }
  }

  void sum(const TensorView& expected, const TensorView& actual, internal::Walk& walk) {
    const Number::Kind kind = internal::number_kind(actual.scalar_type);
    size_t offsets[2] = {0, 0};
    do {
      add(kind, internal::load(actual.scalar_type, expected.data.data() + offsets[0]),
          internal::load(actual.scalar_type, actual.data.data() + offsets[1]));
    } while (internal::advance(walk, walk.end, offsets));
    state_.elements += walk.numel;
  }

  void add(Number::Kind kind, const Element& e, const Element& a) {
    const double error = difference(kind, e, a);
    state_.differs |= error != 0;
    if (metric_.kind == MetricKind::kMeanAbsoluteError) return state_.error.add(error);
    add_square(state_.error, error);
    if (metric_.kind == MetricKind::kMeanSquaredError) return;
    add_square(state_.expected2, e.real);
    add_square(state_.actual2, a.real);
    state_.product.add(e.real * a.real);
  }

  void add_square(Sum& sum, double x) {
    const double square = x * x;
    state_.lost |= !is_finite(square) || (x != 0 && square < kSmallestSquare);
    sum.add(square);
  }

  bool label_count_fits() {
    const size_t labels = test_case_.labels().size();
    if (labels == 1 || labels == rows_.count()) return true;
    fail(MetricFault::kLabelCount, labels, rows_.count());
    return false;
  }

  void look_at_labels() {
    const Span<const int32_t> labels = test_case_.labels();
    const uint64_t classes = metric_.kind == MetricKind::kConfusionMatrix ? metric_.classes
                             : metric_.kind == MetricKind::kRocAuc        ? 2
                                                                          : rows_.length();
    for (const int32_t label : labels) {
      if (static_cast<uint32_t>(label) >= classes) {
        return fail(MetricFault::kLabelValue, static_cast<uint32_t>(label), classes);
      }
    }
    if (metric_.kind == MetricKind::kRocAuc && metric_.score >= rows_.length()) {
      return fail(MetricFault::kScore, rows_.length(), metric_.score);
    }
    for (size_t i = 0; i < rows_.count() && state_.fault == MetricFault::kNone; ++i) {
      rows_.select(i);
      look_at(i, static_cast<uint32_t>(labels[labels.size() == 1 ? 0 : i]));
    }
  }

  void look_at(size_t sample, uint32_t label) {
    switch (metric_.kind) {
      case MetricKind::kTopKAccuracy:
        count(!rows_.has_nan() && rows_.rank_of(label) < metric_.k, sample, label, rows_.largest());
        break;
      case MetricKind::kRocAuc:
        ++state_.table[size_t{label} * metric_.bins + bin(rows_.real(metric_.score))];
        state_.positives += label;
        break;
      default: {
        const size_t got = rows_.largest();
        if (got >= metric_.classes) {
          return fail(MetricFault::kLabelValue, got, metric_.classes);
        }
        ++state_.table[size_t{label} * metric_.classes + got];
      }
    }
  }

  // Which bin of the histogram a score belongs to. What lies outside of it goes to its ends; after
  // a NaN the metric is NaN.
  uint32_t bin(double score) {
    state_.lost |= is_nan(score);
    if (!(score > metric_.low)) return 0;
    if (!(score < metric_.high)) return metric_.bins - 1;
    // Halved, so that no difference leaves the range of a double.
    const double share =
        (score * 0.5 - metric_.low * 0.5) / (metric_.high * 0.5 - metric_.low * 0.5);
    const auto found = static_cast<uint32_t>(share * metric_.bins);
    return found < metric_.bins ? found : metric_.bins - 1;
  }

  MetricState& state_;
  const Metric& metric_;
  const TestCase& test_case_;
  const MetricPlace place_;
  Rows rows_;
  uint64_t samples_ = 0;
  uint64_t hits_ = 0;
  uint32_t listed_ = 0;
  Missed missed_[kListed];
};

// Pairs of a positive and a negative sample: how often, times 2, the positive one has the larger
// score; a pair in one bin counts half.
struct Pairs {
  uint64_t ordered = 0;  // times 2
  uint64_t undecided = 0;
  uint64_t all = 0;
};

Pairs pairs_of(const MetricState& state) {
  Pairs pairs;
  const uint32_t* const negatives = state.table;
  const uint32_t* const positives = state.table + state.metric.bins;
  uint64_t below = 0;
  for (uint32_t i = 0; i < state.metric.bins; ++i) {
    const uint64_t within = uint64_t{positives[i]} * negatives[i];
    pairs.ordered += 2 * uint64_t{positives[i]} * below + within;
    pairs.undecided += within;
    below += negatives[i];
  }
  pairs.all = state.positives * (state.samples - state.positives);
  return pairs;
}

double real(uint64_t count) {
  return static_cast<double>(count);
}

double sqnr_of(const MetricState& state) {
  if (!state.differs) return kInfinity;
  const double expected2 = state.expected2.value();
  if (expected2 == 0) return -kInfinity;
  return internal::kDecibelsPerOctave *
         (internal::log2_of(expected2) - internal::log2_of(state.error.value()));
}

double cosine_of(const MetricState& state) {
  if (!state.differs) return 1;
  const double expected2 = state.expected2.value();
  const double actual2 = state.actual2.value();
  if (expected2 == 0 || actual2 == 0) return 0;
  const double cosine =
      state.product.value() / (__builtin_sqrt(expected2) * __builtin_sqrt(actual2));
  return __builtin_fabs(cosine) > 1 ? __builtin_copysign(1, cosine) : cosine;
}

}  // namespace

void Sum::add(double x) {
  // Knuth's TwoSum: sum + what is lost is exactly total + x.
  const double sum = total_ + x;
  const double part = sum - total_;
  lost_ += (total_ - (sum - part)) + (x - part);
  total_ = sum;
}

double Sum::value() const {
  return is_finite(total_) ? total_ + lost_ : total_;
}

double value_of(const MetricState& state) {
  if (state.samples == 0 || state.lost) return kNan;
  switch (state.metric.kind) {
    case MetricKind::kTopKAccuracy:
    case MetricKind::kArgmaxAgreement:
      return real(state.hits) / real(state.samples);
    case MetricKind::kMeanAbsoluteError:
    case MetricKind::kMeanSquaredError:
      return state.error.value() / real(state.elements);
    case MetricKind::kSqnrDb:
    case MetricKind::kCosine: {
      const bool finite = is_finite(state.error.value()) && is_finite(state.expected2.value()) &&
                          is_finite(state.actual2.value());
      if (!finite) return kNan;
      return state.metric.kind == MetricKind::kSqnrDb ? sqnr_of(state) : cosine_of(state);
    }
    case MetricKind::kRocAuc: {
      const Pairs pairs = pairs_of(state);
      return pairs.all == 0 ? kNan : real(pairs.ordered) / real(2 * pairs.all);
    }
    case MetricKind::kConfusionMatrix:
      break;
  }
  return kNan;
}

double error_bound(const MetricState& state) {
  const Pairs pairs = pairs_of(state);
  return pairs.all == 0 || state.lost ? kNan : real(pairs.undecided) / real(2 * pairs.all);
}

Judgement verdict_of(const MetricState& state, bool whole) {
  if (state.fault != MetricFault::kNone) return Judgement::kError;
  const double minimum = state.metric.minimum;
  const double maximum = state.metric.maximum;
  if (!whole || (is_nan(minimum) && is_nan(maximum))) return Judgement::kUnjudged;
  const double value = value_of(state);
  const bool kept = !is_nan(value) && (is_nan(minimum) || value >= minimum) &&
                    (is_nan(maximum) || value <= maximum);
  return kept ? Judgement::kPass : Judgement::kFail;
}

size_t largest_metrics(const Bundle& bundle) {
  uint64_t largest = 0;
  for (uint32_t i = 0; i < bundle.suite_count(); ++i) {
    const Result<TestSuite> suite = bundle.suite(i);
    const uint64_t bytes = suite.ok() ? bytes_of(*suite) : 0;
    if (bytes > largest) largest = bytes;
  }
  return largest < SIZE_MAX ? static_cast<size_t>(largest) : SIZE_MAX;
}

bool Metrics::begin(const TestSuite& suite, Span<uint8_t> buffer, Message& message) {
  count_ = 0;
  const uint64_t needed = bytes_of(suite);
  if (needed > buffer.size()) {
    message.clear();
    message << "the suite's metrics take " << needed << " bytes, there are " << buffer.size()
            << " (RunOptions::metric_buffer)";
    return false;
  }
  uint8_t* const tables = buffer.data() + suite.metric_count() * sizeof(MetricState);
  size_t used = 0;
  states_ = internal::as_aligned<MetricState>(buffer.data());
  for (uint32_t i = 0; i < suite.metric_count(); ++i) {
    const Result<Metric> metric = suite.metric(i);
    if (!metric.ok()) break;  // opening has read them all
    MetricState* const state = new (buffer.data() + i * sizeof(MetricState)) MetricState();
    state->metric = *metric;
    const auto bytes = static_cast<size_t>(table_entries(*metric) * sizeof(uint32_t));
    if (bytes != 0) {
      std::memset(tables + used, 0, bytes);
      state->table = internal::as_aligned<uint32_t>(tables + used);
      used += bytes;
    }
    ++count_;
  }
  return true;
}

void Metrics::missing(MetricPlace place) {
  for (uint32_t i = 0; i < count_; ++i) {
    MetricState& state = states_[i];
    if (state.fault != MetricFault::kNone) continue;
    state.fault = MetricFault::kCaseNotRun;
    state.fault_case = place.test_case;
    state.fault_step = place.step;
  }
}

void Metrics::measure(const TestCase& test_case, MetricPlace place, Span<const uint8_t> payload,
                      Engine& engine, RecordWriter& writer) {
  if (count_ == 0) return;
  writer.key(key::kMeasured);
  writer.begin_array();
  for (uint32_t i = 0; i < count_; ++i) {
    Measurement measurement(states_[i], test_case, place);
    measurement.take(payload, engine);
    measurement.write(writer);
  }
  writer.end_array();
}

}  // namespace bpte

#endif
