// SPDX-License-Identifier: BSD-3-Clause
// Runs a program on the reference engine for tests in other languages:
//
//   reference_tool PROGRAM.pte [PLANNED_BYTES [TABLE_BYTES [NO_DELEGATES]]]
//
// NO_DELEGATES: ReferenceOptions::no_delegates.
// Requests come on stdin, one answer for each goes to stdout, until stdin ends. All integers
// little-endian.
//   request:  u32 flags (1: the method is loaded already, keep its state), u32 size and bytes of
//             the method's name, u32 number of inputs, the inputs
//   answer:   u32 EngineError, u32 size and bytes of the message, u64 planned bytes, u64 table
//             bytes, u32 number of outputs, the outputs
//   value:    u8 ValueKind, u8 ScalarType, u8 rank, then for a tensor i32 sizes, u8 dim_order,
//             u64 size and bytes of its data; for a scalar i64, f64 or u8

#include <bpte/engine/reference/reference_engine.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

using bpte::EngineError;
using bpte::Span;
using bpte::Value;
using bpte::ValueKind;

bool read_bytes(void* to, size_t size) {
  return size == 0 || std::fread(to, 1, size, stdin) == size;
}

template <typename T>
T read() {
  T value{};
  if (!read_bytes(&value, sizeof(value))) {
    std::fputs("reference_tool: the request ends too early\n", stderr);
    std::exit(2);
  }
  return value;
}

template <typename T>
void write(T value) {
  std::fwrite(&value, 1, sizeof(value), stdout);
}

/// A value with its memory.
struct OwnedValue {
  Value value;
  std::vector<int32_t> sizes;
  std::vector<uint8_t> dim_order;
  std::vector<uint64_t> data;  // uint64_t for the alignment
};

OwnedValue read_value() {
  OwnedValue owned;
  Value& value = owned.value;
  value.kind = static_cast<ValueKind>(read<uint8_t>());
  value.tensor.scalar_type = static_cast<bpte::ScalarType>(read<uint8_t>());
  const uint8_t rank = read<uint8_t>();
  if (value.kind == ValueKind::kTensor) {
    for (uint8_t i = 0; i < rank; ++i) owned.sizes.push_back(read<int32_t>());
    for (uint8_t i = 0; i < rank; ++i) owned.dim_order.push_back(read<uint8_t>());
    const size_t size = static_cast<size_t>(read<uint64_t>());
    owned.data.resize((size + 7) / 8);
    if (!read_bytes(owned.data.data(), size)) std::exit(2);
    value.tensor.data = {reinterpret_cast<const uint8_t*>(owned.data.data()), size};
  } else if (value.kind == ValueKind::kInt) {
    value.int_value = read<int64_t>();
  } else if (value.kind == ValueKind::kDouble) {
    value.double_value = read<double>();
  } else if (value.kind == ValueKind::kBool) {
    value.bool_value = read<uint8_t>() != 0;
  }
  return owned;
}

void write_value(const Value& value) {
  write(static_cast<uint8_t>(value.kind));
  write(static_cast<uint8_t>(value.tensor.scalar_type));
  write(static_cast<uint8_t>(value.tensor.sizes.size()));
  if (value.kind == ValueKind::kTensor) {
    for (const int32_t size : value.tensor.sizes) write(size);
    for (const uint8_t d : value.tensor.dim_order) write(d);
    write(static_cast<uint64_t>(value.tensor.data.size()));
    std::fwrite(value.tensor.data.data(), 1, value.tensor.data.size(), stdout);
  } else if (value.kind == ValueKind::kInt) {
    write(value.int_value);
  } else if (value.kind == ValueKind::kDouble) {
    write(value.double_value);
  } else if (value.kind == ValueKind::kBool) {
    write(static_cast<uint8_t>(value.bool_value));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: reference_tool PROGRAM.pte [PLANNED_BYTES [TABLE_BYTES]]\n", stderr);
    return 2;
  }
  std::FILE* file = std::fopen(argv[1], "rb");
  if (file == nullptr) {
    std::perror(argv[1]);
    return 2;
  }
  std::vector<uint64_t> program;
  size_t size = 0;
  uint64_t word = 0;
  for (size_t n; (n = std::fread(&word, 1, sizeof(word), file)) != 0; word = 0) {
    program.push_back(word);
    size += n;
  }
  std::fclose(file);
  std::vector<uint8_t> planned(argc > 2 ? std::strtoul(argv[2], nullptr, 10) : size_t{64} << 20);
  std::vector<uint8_t> tables(argc > 3 ? std::strtoul(argv[3], nullptr, 10) : size_t{1} << 20);

  bpte::ReferenceMemory memory;
  memory.planned = {planned.data(), planned.size()};
  memory.tables = {tables.data(), tables.size()};
  bpte::ReferenceOptions options;
  if (argc > 4) options.no_delegates = argv[4];
  bpte::ReferenceEngine engine(memory, options);
  bpte::ProgramLocation location;
  location.bytes = {reinterpret_cast<const uint8_t*>(program.data()), size};
  const EngineError loaded = engine.load(location);

  uint32_t flags = 0;
  while (std::fread(&flags, 1, sizeof(flags), stdin) == sizeof(flags)) {
    std::vector<char> name(read<uint32_t>());
    if (!read_bytes(name.data(), name.size())) return 2;
    const uint32_t count = read<uint32_t>();
    std::vector<OwnedValue> inputs;
    for (uint32_t i = 0; i < count; ++i) {
      inputs.push_back(read_value());
      Value& value = inputs.back().value;
      value.tensor.sizes = {inputs.back().sizes.data(), inputs.back().sizes.size()};
      value.tensor.dim_order = {inputs.back().dim_order.data(), inputs.back().dim_order.size()};
    }

    EngineError error = loaded;
    if (error == EngineError::kOk && (flags & 1) == 0) {
      error = engine.load_method(name.data(), name.size());
    }
    for (uint32_t i = 0; error == EngineError::kOk && i < count; ++i) {
      error = engine.set_input(i, inputs[i].value);
    }
    if (error == EngineError::kOk) error = engine.execute();
    std::vector<Value> outputs(error == EngineError::kOk ? engine.output_count() : 0);
    for (size_t i = 0; error == EngineError::kOk && i < outputs.size(); ++i) {
      error = engine.output(i, outputs[i]);
    }
    if (error != EngineError::kOk) outputs.clear();
    const char* const message = engine.message();
    const size_t message_size = std::strlen(message);
    write(static_cast<uint32_t>(error));
    write(static_cast<uint32_t>(message_size));
    std::fwrite(message, 1, message_size, stdout);
    write(static_cast<uint64_t>(engine.planned_bytes()));
    write(static_cast<uint64_t>(engine.table_bytes()));
    write(static_cast<uint32_t>(outputs.size()));
    for (const Value& value : outputs) write_value(value);
    std::fflush(stdout);
  }
  return 0;
}
