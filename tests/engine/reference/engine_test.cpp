// SPDX-License-Identifier: BSD-3-Clause
// The reference engine's interface: methods, inputs, state, memory, and programs that are damaged.
// That its operators compute what ExecuTorch computes is tested in tests/engine/reference.

#include <bpte/engine/reference/reference_engine.h>

#include <cstring>
#include <initializer_list>

#include "check.h"
#include "programs.h"

namespace {

using bpte::EngineError;
using bpte::ProgramLocation;
using bpte::ReferenceEngine;
using bpte::ReferenceMemory;
using bpte::ReferenceOptions;
using bpte::ScalarType;
using bpte::Span;
using bpte::Value;
using bpte::ValueKind;

alignas(16) uint8_t planned[1024];
alignas(16) uint8_t tables[512];
alignas(16) uint8_t copy[2560];
const uint8_t kRowMajor[] = {0, 1, 2, 3};

ReferenceMemory memory() {
  ReferenceMemory memory;
  memory.planned = planned;
  memory.tables = tables;
  return memory;
}

template <size_t N>
ProgramLocation in_place(const uint8_t (&bytes)[N]) {
  ProgramLocation location;
  location.bytes = {bytes, N};
  return location;
}

EngineError load_method(ReferenceEngine& engine, const char* name) {
  return engine.load_method(name, std::strlen(name));
}

template <typename T>
Value tensor(ScalarType type, const T* data, const int32_t* sizes, size_t rank) {
  Value value;
  value.kind = ValueKind::kTensor;
  value.tensor.scalar_type = type;
  value.tensor.sizes = {sizes, rank};
  value.tensor.dim_order = {kRowMajor, rank};
  size_t count = 1;
  for (size_t d = 0; d < rank; ++d) count *= static_cast<size_t>(sizes[d]);
  value.tensor.data = {reinterpret_cast<const uint8_t*>(data), count * sizeof(T)};
  return value;
}

float element(const Value& value, size_t index) {
  float number;
  std::memcpy(&number, value.tensor.data.data() + index * sizeof(number), sizeof(number));
  return number;
}

bool says(const bpte::Engine& engine, const char* text) {
  return std::strstr(engine.message(), text) != nullptr;
}

const float kOnes[3] = {1, 2, 3};
const int32_t kThree[1] = {3};

/// The first element of the counter's total after one more step, or -1.
float count_once(ReferenceEngine& engine) {
  Value output;
  if (engine.set_input(0, tensor(ScalarType::kFloat, kOnes, kThree, 1)) != EngineError::kOk ||
      engine.execute() != EngineError::kOk || engine.output(0, output) != EngineError::kOk) {
    return -1;
  }
  return element(output, 0);
}

TEST_CASE("state lasts until the method is loaded again") {
  ReferenceEngine engine(memory());
  CHECK(engine.load(in_place(bpte_test::kCounter)) == EngineError::kOk);
  CHECK(engine.has_method("forward", 7));
  CHECK(!engine.has_method("forwar", 6));
  CHECK(load_method(engine, "forward") == EngineError::kOk);
  CHECK(engine.message()[0] == '\0');
  CHECK(engine.input_count() == 1);
  CHECK(engine.output_count() == 1);
  CHECK(count_once(engine) == 1);
  CHECK(count_once(engine) == 2);
  CHECK(load_method(engine, "forward") == EngineError::kOk);
  CHECK(count_once(engine) == 1);
}

TEST_CASE("methods are found by name") {
  ReferenceEngine engine(memory());
  CHECK(load_method(engine, "count") == EngineError::kUnknownMethod);
  CHECK(engine.load(in_place(bpte_test::kTwoMethods)) == EngineError::kOk);
  CHECK(engine.has_method("count", 5));
  CHECK(engine.has_method("look_up", 7));
  CHECK(load_method(engine, "forward") == EngineError::kUnknownMethod);
  CHECK(says(engine, "forward"));
  CHECK(engine.input_count() == 0);
  CHECK(engine.output_count() == 0);
  CHECK(engine.execute() == EngineError::kExecutionFailed);
  CHECK(load_method(engine, "count") == EngineError::kOk);
  CHECK(count_once(engine) == 1);
  CHECK(load_method(engine, "look_up") == EngineError::kOk);
  const int64_t rows[2] = {3, 1};
  const int32_t two[1] = {2};
  Value output;
  CHECK(engine.set_input(0, tensor(ScalarType::kLong, rows, two, 1)) == EngineError::kOk);
  CHECK(engine.execute() == EngineError::kOk);
  CHECK(engine.output(0, output) == EngineError::kOk);
  CHECK(element(output, 0) == 6);
  CHECK(element(output, 1) == 7);
  CHECK(element(output, 2) == 2);
  const int64_t beyond[2] = {0, 4};
  CHECK(engine.set_input(0, tensor(ScalarType::kLong, beyond, two, 1)) == EngineError::kOk);
  CHECK(engine.execute() == EngineError::kExecutionFailed);
  CHECK(says(engine, "aten::embedding.out"));
}

TEST_CASE("dynamic shapes follow the input") {
  ReferenceEngine engine(memory());
  CHECK(engine.load(in_place(bpte_test::kDense)) == EngineError::kOk);
  CHECK(load_method(engine, "forward") == EngineError::kOk);
  float in[9 * 4];
  for (size_t i = 0; i < 9 * 4; ++i) in[i] = static_cast<float>(i % 4 == 0 ? i / 4 + 1 : 0);
  for (const int32_t rows : {1, 8, 3}) {
    const int32_t sizes[2] = {rows, 4};
    Value output;
    CHECK(engine.set_input(0, tensor(ScalarType::kFloat, in, sizes, 2)) == EngineError::kOk);
    CHECK(engine.execute() == EngineError::kOk);
    CHECK(engine.output(0, output) == EngineError::kOk);
    CHECK(output.tensor.sizes.size() == 3);
    CHECK(output.tensor.sizes[0] == rows);
    CHECK(output.tensor.data.size() == static_cast<size_t>(rows) * 12);
    // Row r is (r + 1) times the weights' first column, 0, 4, 8, and the bias.
    const float last = static_cast<float>(rows);
    const size_t at = static_cast<size_t>(rows - 1) * 3;
    CHECK(element(output, at) == 10);
    CHECK(element(output, at + 1) == 20 + 4 * last);
    CHECK(element(output, at + 2) == 30 + 8 * last);
  }
  const int32_t nine[2] = {9, 4};
  CHECK(engine.set_input(0, tensor(ScalarType::kFloat, in, nine, 2)) == EngineError::kInvalidInput);
  CHECK(says(engine, "[9, 4]"));
  CHECK(says(engine, "[8, 4] at most"));
}

TEST_CASE("wrong inputs are refused") {
  ReferenceEngine engine(memory());
  CHECK(engine.load(in_place(bpte_test::kCounter)) == EngineError::kOk);
  CHECK(load_method(engine, "forward") == EngineError::kOk);
  const int32_t four[1] = {4};
  const int32_t square[2] = {3, 1};
  const float numbers[4] = {};
  const int32_t integers[3] = {};
  CHECK(engine.set_input(1, tensor(ScalarType::kFloat, kOnes, kThree, 1)) ==
        EngineError::kInvalidInput);
  CHECK(engine.set_input(0, tensor(ScalarType::kFloat, numbers, four, 1)) ==
        EngineError::kInvalidInput);
  CHECK(says(engine, "[4]"));
  CHECK(says(engine, "[3]"));
  CHECK(engine.set_input(0, tensor(ScalarType::kFloat, numbers, square, 2)) ==
        EngineError::kInvalidInput);
  CHECK(says(engine, "rank 2"));
  CHECK(engine.set_input(0, tensor(ScalarType::kInt, integers, kThree, 1)) ==
        EngineError::kInvalidInput);
  CHECK(says(engine, "int32"));
  CHECK(says(engine, "float32"));
  Value shorter = tensor(ScalarType::kFloat, kOnes, kThree, 1);
  shorter.tensor.data = shorter.tensor.data.subspan(0, 11);
  CHECK(engine.set_input(0, shorter) == EngineError::kInvalidInput);
  CHECK(says(engine, "11 bytes"));
  Value number;
  number.kind = ValueKind::kInt;
  CHECK(engine.set_input(0, number) == EngineError::kInvalidInput);
  Value output;
  CHECK(engine.output(1, output) == EngineError::kNoSuchOutput);
  Value input;
  CHECK(engine.input(0, input) == EngineError::kOk);
  CHECK(input.tensor.sizes.size() == 1);
  CHECK(input.tensor.sizes[0] == 3);
  CHECK(engine.input(1, input) == EngineError::kInvalidInput);
  CHECK(count_once(engine) == 1);  // none of them changed the state
}

TEST_CASE("needs for memory are stated and enough") {
  ReferenceEngine engine(memory());
  CHECK(engine.load(in_place(bpte_test::kCounter)) == EngineError::kOk);
  CHECK(load_method(engine, "forward") == EngineError::kOk);
  const size_t planned_bytes = engine.planned_bytes();
  const size_t table_bytes = engine.table_bytes();
  CHECK(planned_bytes > 0);
  CHECK(table_bytes > 0);
  for (int i = 0; i < 3; ++i) {
    ReferenceMemory exact = memory();
    exact.planned = exact.planned.subspan(0, planned_bytes - (i == 1 ? 1 : 0));
    exact.tables = exact.tables.subspan(0, table_bytes - (i == 2 ? 1 : 0));
    ReferenceEngine small(exact);
    CHECK(small.load(in_place(bpte_test::kCounter)) == EngineError::kOk);
    if (i == 0) {
      CHECK(load_method(small, "forward") == EngineError::kOk);
      CHECK(count_once(small) == 1);
    } else {
      CHECK(load_method(small, "forward") == EngineError::kOutOfMemory);
      CHECK(says(small, i == 1 ? "planned memory" : "table arena"));
      CHECK(small.execute() == EngineError::kExecutionFailed);
    }
  }
  // Any alignment of the caller's memory will do.
  ReferenceMemory odd;
  odd.planned = Span<uint8_t>(planned).subspan(3, 1000);
  odd.tables = Span<uint8_t>(tables).subspan(5, 500);
  ReferenceEngine shifted(odd);
  CHECK(shifted.load(in_place(bpte_test::kCounter)) == EngineError::kOk);
  CHECK(load_method(shifted, "forward") == EngineError::kOk);
  CHECK(count_once(shifted) == 1);
}

class Source : public bpte::DataSource {
 public:
  uint64_t size() const override { return kShift + sizeof(bpte_test::kCounter); }
  bool read(uint64_t offset, Span<uint8_t> buffer) override {
    if (offset < kShift || offset - kShift + buffer.size() > sizeof(bpte_test::kCounter)) {
      return false;
    }
    std::memcpy(buffer.data(), bpte_test::kCounter + (offset - kShift), buffer.size());
    return true;
  }
  static constexpr uint64_t kShift = 100;
};

TEST_CASE("a source is read into the program arena") {
  Source source;
  ProgramLocation location;
  location.source = &source;
  location.offset = Source::kShift;
  location.size = sizeof(bpte_test::kCounter);
  ReferenceEngine without(memory());
  CHECK(without.load(location) == EngineError::kOutOfMemory);
  CHECK(says(without, "program arena"));
  ReferenceMemory with = memory();
  with.program = Span<uint8_t>(copy).subspan(1, sizeof(copy) - 1);
  ReferenceEngine engine(with);
  CHECK(engine.load(location) == EngineError::kOk);
  CHECK(load_method(engine, "forward") == EngineError::kOk);
  CHECK(count_once(engine) == 1);
  location.offset = 0;
  CHECK(engine.load(location) == EngineError::kInvalidProgram);
  CHECK(!engine.has_method("forward", 7));
}

TEST_CASE("too much work is refused") {
  ReferenceOptions options;
  options.work_limit = 10;
  ReferenceEngine engine(memory(), options);
  CHECK(engine.load(in_place(bpte_test::kDense)) == EngineError::kOk);
  CHECK(load_method(engine, "forward") == EngineError::kUnsupported);
  CHECK(says(engine, "limit of 10"));
}

/// Loads and runs the program in `copy`. Whether it was refused with a message, or ran.
bool try_program(size_t size, const char* method) {
  ReferenceOptions options;
  options.work_limit = 100000;
  ReferenceEngine engine(memory(), options);
  ProgramLocation location;
  location.bytes = {copy, size};
  if (engine.load(location) != EngineError::kOk) return engine.message()[0] != '\0';
  if (load_method(engine, method) != EngineError::kOk) return engine.message()[0] != '\0';
  for (size_t i = 0; i < engine.input_count(); ++i) {
    Value value;
    if (engine.input(i, value) != EngineError::kOk) continue;
    (void)engine.set_input(i, value);
  }
  const bool ran = engine.execute() == EngineError::kOk;
  for (size_t i = 0; ran && i < engine.output_count(); ++i) {
    Value value;
    (void)engine.output(i, value);
  }
  return ran || engine.message()[0] != '\0';
}

// On a host, under the sanitizers, flips every bit; an emulated board flips some.
#if defined(__unix__)
constexpr size_t kStep = 1;
#else
constexpr size_t kStep = 41;
#endif

template <size_t N>
void damage(const uint8_t (&program)[N], const char* method) {
  bool all_ended_well = true;
  for (size_t bit = 0; bit < N * 8; bit += kStep) {
    std::memcpy(copy, program, N);
    copy[bit / 8] = static_cast<uint8_t>(copy[bit / 8] ^ (1u << bit % 8));
    all_ended_well = try_program(N, method) && all_ended_well;
  }
  CHECK(all_ended_well);
  std::memcpy(copy, program, N);
  for (size_t size = 0; size < N; size += kStep) {
    all_ended_well = try_program(size, method) && all_ended_well;
  }
  CHECK(all_ended_well);
  ReferenceEngine engine(memory());
  ProgramLocation location;
  for (const size_t size : {size_t{0}, size_t{7}, size_t{40}}) {
    location.bytes = {copy, size};
    CHECK(engine.load(location) == EngineError::kInvalidProgram);
  }
  std::memmove(copy + 4, program, N);
  location.bytes = {copy + 4, N};
  CHECK(engine.load(location) == EngineError::kInvalidProgram);
  CHECK(says(engine, "multiple of"));
}

TEST_CASE("a damaged program is refused or runs: counter") {
  damage(bpte_test::kCounter, "forward");
}

TEST_CASE("a damaged program is refused or runs: dense") {
  damage(bpte_test::kDense, "forward");
}

TEST_CASE("a damaged program is refused or runs: two methods") {
  damage(bpte_test::kTwoMethods, "look_up");
}

}  // namespace
