// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/compare.h>
#include <bpte/devtools/bundle_in_memory.h>
#include <bpte/engine/executorch/values.h>
#include <executorch/devtools/bundled_program/bundled_program.h>
#include <executorch/devtools/bundled_program/schema/bundled_program_schema_generated.h>
#include <executorch/runtime/core/event_tracer_hooks.h>
#include <executorch/runtime/platform/log.h>

#include <cmath>
#include <cstring>

namespace {

using bpte::BundleInMemory;
using bpte::ScalarType;
using bpte::TensorView;
using bpte::TestCase;
using bpte::TestSuite;
using bpte::Value;
using bpte::ValueKind;
using ::executorch::bundled_program::ErrorStats;
using ::executorch::bundled_program::Method;
using ::executorch::runtime::Error;

constexpr size_t kSmallestBundle = 8;  // up to its identifier's end

Error refuse(const bpte::Fault& fault) {
  char text[256];
  bpte::format_fault(fault, text);
  ET_LOG(Error, "The bundled program is refused: %s", text);
  return fault.error == bpte::Error::kMisalignedBase ? Error::InvalidArgument
                                                     : Error::InvalidExternalData;
}

// A bundle's case for a method, with its payloads.
struct Selected {
  Error status = Error::Ok;
  TestCase test_case;
  bpte::Span<const uint8_t> payload;
};

Selected select(const BundleInMemory& memory, Method& method, size_t index) {
  Selected selected;
  const auto& bundle = memory.bundle();
  if (!bundle.ok()) {
    selected.status = refuse(bundle.fault());
    return selected;
  }
  const char* const name = method.method_meta().name();
  const auto suite = bundle->suite_for({name, std::strlen(name)});
  const size_t count = suite.ok() ? suite->case_count() : 0;
  if (!suite.ok()) {
    ET_LOG(Error, "The bundled program has no test suite for this method");
    selected.status = Error::InvalidArgument;
  } else if (index >= count) {
    ET_LOG(Error, "There is no test case %zu: the suite has %zu", index, count);
    selected.status = Error::InvalidArgument;
  } else {
    selected.test_case = suite->test_case(static_cast<uint32_t>(index)).get();
    if (selected.test_case.step_count() != 0) {
      ET_LOG(Error, "Test case %zu has steps, which this interface cannot run", index);
      selected.status = Error::NotSupported;
    } else {
      const auto payload = memory.payload(selected.test_case);
      if (!payload.ok()) selected.status = refuse(payload.fault());
      selected.payload = payload.get();
    }
  }
  return selected;
}

Error set_input(Method& method, const Value& value, size_t index) {
  switch (value.kind) {
    case ValueKind::kTensor: {
      // ExecuTorch takes inputs as tensors that may be written. It writes none of them here.
      bpte::TensorArgument argument(value.tensor, const_cast<uint8_t*>(value.tensor.data.data()));
      return method.set_input(argument.tensor(), index);
    }
    case ValueKind::kInt:
      return method.set_input(value.int_value, index);
    case ValueKind::kDouble:
      return method.set_input(value.double_value, index);
    case ValueKind::kBool:
      return method.set_input(value.bool_value, index);
    case ValueKind::kNone:
      break;
  }
  return Error::NotSupported;
}

// The expected output and the actual one; the status says whether both can be read.
struct Pair {
  Error status = Error::Ok;
  Value expected;
  Value actual;
};

Pair output_pair(const Selected& selected, Method& method, uint32_t index) {
  Pair pair;
  const auto expected = selected.test_case.expected_output(index, selected.payload);
  if (!expected.ok()) {
    pair.status = refuse(expected.fault());
    return pair;
  }
  pair.expected = expected.get();
  pair.actual = bpte::value_of(method.get_output(index));
  const auto& data = pair.actual.tensor.data;
  if (pair.actual.kind == ValueKind::kTensor && data.data() == nullptr && !data.empty()) {
    ET_LOG(Error, "Output %u has no memory", static_cast<unsigned>(index));
    pair.status = Error::InvalidState;
  }
  return pair;
}

// `otherwise` when the case has no expected outputs.
Error check_output_count(const Selected& selected, Method& method, Error otherwise) {
  const uint32_t expected = selected.test_case.output_count();
  if (expected == 0) {
    ET_LOG(Error, "The test case has no expected outputs");
    return otherwise;
  }
  if (expected != method.outputs_size()) {
    ET_LOG(Error, "The test case has %u expected outputs, the method %zu",
           static_cast<unsigned>(expected), method.outputs_size());
    return Error::InvalidArgument;
  }
  return Error::Ok;
}

bool has_tolerance(ScalarType type) {
  return type == ScalarType::kFloat || type == ScalarType::kDouble || type == ScalarType::kHalf;
}

// Tensors of bits: for dtypes whose elements must be the same, bit by bit.
void forget_meaning(TensorView& tensor) {
  switch (bpte::element_size(tensor.scalar_type)) {
    case 1:
      tensor.scalar_type = ScalarType::kByte;
      break;
    case 2:
      tensor.scalar_type = ScalarType::kUInt16;
      break;
    case 4:
      tensor.scalar_type = ScalarType::kUInt32;
      break;
    case 8:
      tensor.scalar_type = ScalarType::kUInt64;
      break;
    default:  // a dtype that no bundle has: compare() refuses it
      break;
  }
}

bpte::Comparison compare(Value expected, Value actual, double rtol, double atol) {
  bpte::Tolerance tolerance;
  tolerance.rtol = rtol;
  tolerance.atol = atol;
  tolerance.nan_policy = bpte::NanPolicy::kEqual;
  TensorView& tensor = expected.tensor;
  const bool tensors = expected.kind == ValueKind::kTensor && actual.kind == ValueKind::kTensor;
  if (tensors && tensor.scalar_type == actual.tensor.scalar_type &&
      !has_tolerance(tensor.scalar_type)) {
    forget_meaning(tensor);
    forget_meaning(actual.tensor);
    tolerance.rtol = tolerance.atol = 0;
  }
  return bpte::compare(expected, actual, tolerance);
}

// Sums up the errors of float32 elements, with float32's arithmetic, as ExecuTorch does.
class ErrorTotals {
 public:
  void add(float actual, float expected) {
    const double error = std::fabs(actual - expected);
    const float magnitude = std::fmax(std::fabs(actual), std::fabs(expected));
    const double relative = error / std::fmax(static_cast<double>(magnitude), double{1e-8f});
    sum_ += error;
    relative_sum_ += relative;
    if (max_ < error) max_ = error;
    if (relative_max_ < relative) relative_max_ = relative;
    ++count_;
  }

  ErrorStats stats() const {
    const double count = count_ == 0 ? 1 : static_cast<double>(count_);
    return {Error::Ok, sum_ / count, max_, relative_sum_ / count, relative_max_};
  }

 private:
  double sum_ = 0;
  double max_ = 0;
  double relative_sum_ = 0;
  double relative_max_ = 0;
  uint64_t count_ = 0;
};

float load_float(const TensorView& tensor, size_t index) {
  float value;
  std::memcpy(&value, tensor.data.data() + index * sizeof value, sizeof value);
  return value;
}

Error add_errors(const Pair& pair, ErrorTotals& totals) {
  const TensorView& expected = pair.expected.tensor;
  const TensorView& actual = pair.actual.tensor;
  if (pair.expected.kind != ValueKind::kTensor || pair.actual.kind != ValueKind::kTensor ||
      expected.scalar_type != ScalarType::kFloat || actual.scalar_type != ScalarType::kFloat) {
    ET_LOG(Error, "Statistics are for float32 tensors alone");
    return Error::NotSupported;
  }
  if (expected.data.size() != actual.data.size()) {
    ET_LOG(Error, "An output has %zu bytes, the expected one %zu", actual.data.size(),
           expected.data.size());
    return Error::InvalidArgument;
  }
  const auto& order = expected.dim_order;
  if (order.size() == actual.dim_order.size() && !order.empty() &&
      std::memcmp(order.data(), actual.dim_order.data(), order.size()) != 0) {
    ET_LOG(Error, "An output's dim_order is not the expected one's");
    return Error::NotSupported;
  }
  for (size_t i = 0; i < expected.data.size() / sizeof(float); ++i) {
    totals.add(load_float(actual, i), load_float(expected, i));
  }
  return Error::Ok;
}

// Where a bundle's program lies; empty when it cannot be read.
bpte::Span<const uint8_t> program_of(const void* bundle) {
  if (!bpte::begins_as_bundle(bundle)) {
    ET_LOG(Error, "Not a bundled program");
    return {};
  }
  const BundleInMemory memory(bundle);
  if (memory.bundle().ok()) return memory.program();
  (void)refuse(memory.bundle().fault());
  return {};
}

}  // namespace

namespace executorch {
namespace bundled_program {

Error load_bundled_input(Method& method, SerializedBundledProgram* bundled_program_ptr,
                         size_t testset_idx) {
  if (!bpte::begins_as_bundle(bundled_program_ptr)) {
    ET_LOG(Error, "The input buffer is not a bundled program");
    return Error::NotSupported;
  }
  const BundleInMemory memory(bundled_program_ptr);
  const Selected selected = select(memory, method, testset_idx);
  if (selected.status != Error::Ok) return selected.status;
  const uint32_t count = selected.test_case.input_count();
  if (count != method.inputs_size()) {
    ET_LOG(Error, "The test case has %u inputs, the method %zu", static_cast<unsigned>(count),
           method.inputs_size());
    return Error::InvalidArgument;
  }
  for (uint32_t i = 0; i < count; ++i) {
    const auto value = selected.test_case.input(i, selected.payload);
    if (!value.ok()) return refuse(value.fault());
    const Error error = set_input(method, *value, i);
    if (error != Error::Ok) {
      ET_LOG(Error, "The method refuses input %u: error 0x%x", static_cast<unsigned>(i),
             static_cast<unsigned>(error));
      return Error::NotSupported;
    }
  }
  ::executorch::ET_RUNTIME_NAMESPACE::internal::event_tracer_set_bundled_input_index(
      method.get_event_tracer(), static_cast<int>(testset_idx));
  return Error::Ok;
}

ErrorStats compute_method_output_error_stats(Method& method,
                                             SerializedBundledProgram* bundled_program_ptr,
                                             size_t testset_idx) {
  const auto failed = [](Error error) { return ErrorStats{error, 0, 0, 0, 0}; };
  if (!bpte::begins_as_bundle(bundled_program_ptr)) {
    ET_LOG(Error, "The input buffer is not a bundled program");
    return failed(Error::InvalidArgument);
  }
  const BundleInMemory memory(bundled_program_ptr);
  const Selected selected = select(memory, method, testset_idx);
  if (selected.status != Error::Ok) return failed(selected.status);
  const Error counts = check_output_count(selected, method, Error::InvalidArgument);
  if (counts != Error::Ok) return failed(counts);
  ErrorTotals totals;
  for (uint32_t i = 0; i < selected.test_case.output_count(); ++i) {
    const Pair pair = output_pair(selected, method, i);
    const Error error = pair.status != Error::Ok ? pair.status : add_errors(pair, totals);
    if (error != Error::Ok) return failed(error);
  }
  return totals.stats();
}

Error verify_method_outputs(Method& method, SerializedBundledProgram* bundled_program_ptr,
                            size_t testset_idx, double rtol, double atol) {
  if (!bpte::begins_as_bundle(bundled_program_ptr)) {
    ET_LOG(Error, "The input buffer is not a bundled program");
    return Error::NotSupported;
  }
  if (!(rtol >= 0) || !(atol >= 0)) {  // NaN is neither
    ET_LOG(Error, "A tolerance is negative or NaN");
    return Error::InvalidArgument;
  }
  const BundleInMemory memory(bundled_program_ptr);
  const Selected selected = select(memory, method, testset_idx);
  if (selected.status != Error::Ok) return selected.status;
  const Error counts = check_output_count(selected, method, Error::NotSupported);
  if (counts != Error::Ok) return counts;
  for (uint32_t i = 0; i < selected.test_case.output_count(); ++i) {
    const Pair pair = output_pair(selected, method, i);
    if (pair.status != Error::Ok) return pair.status;
    const bpte::Comparison comparison = compare(pair.expected, pair.actual, rtol, atol);
    if (comparison.verdict != bpte::Verdict::kPass) {
      ET_LOG(Error,
             "Output %u is not the expected one (%s): %llu of %llu elements differ, the first at "
             "%llu",
             static_cast<unsigned>(i), bpte::to_string(comparison.reason),
             static_cast<unsigned long long>(comparison.mismatches),
             static_cast<unsigned long long>(comparison.numel),
             static_cast<unsigned long long>(comparison.first_mismatch));
      return Error::NotFound;
    }
  }
  return Error::Ok;
}

Error get_program_data(void* file_data, size_t file_data_len, const void** out_program_data,
                       size_t* out_program_data_len) {
  if (!is_bundled_program(file_data, file_data_len)) {
    ET_LOG(Error, "The file is not a bundled program");
    return Error::NotSupported;
  }
  const BundleInMemory memory(file_data, file_data_len);
  if (!memory.bundle().ok()) return refuse(memory.bundle().fault());
  *out_program_data = memory.program().data();
  *out_program_data_len = memory.program().size();
  return Error::Ok;
}

bool is_bundled_program(void* file_data, size_t file_data_len) {
  if (file_data_len < kSmallestBundle || !bpte::begins_as_bundle(file_data)) return false;
  bpte::remember_length(file_data, file_data_len);
  return true;
}

bool is_bundled_program(void* file_data) {
  return bpte::begins_as_bundle(file_data);
}

}  // namespace bundled_program
}  // namespace executorch

bool torch::executor::bundled_program::IsBundledProgram(void* file_data) {
  return bpte::begins_as_bundle(file_data);
}

namespace bundled_program_flatbuffer {

const uint8_t* ProgramBytes::data() const {
  return program_of(this).data();
}

size_t ProgramBytes::size() const {
  return program_of(this).size();
}

bool BundledProgramBufferHasIdentifier(const void* buffer) {
  return bpte::begins_as_bundle(buffer);
}

}  // namespace bundled_program_flatbuffer
