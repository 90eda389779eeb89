// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/runner/config.h>
#include <bpte/runner/value_record.h>

#if BPTE_RUNNER_WIRE

#include <bpte/core/crc32.h>

namespace bpte {

namespace {

void write_tensor(RecordWriter& writer, const TensorView& tensor) {
  writer.field(key::kDtype, to_string(tensor.scalar_type));
  writer.key(key::kShape);
  writer.begin_array();
  for (const int32_t size : tensor.sizes) writer.integer(int64_t{size});
  writer.end_array();
  writer.key(key::kDimOrder);
  writer.begin_array();
  for (const uint8_t dimension : tensor.dim_order) writer.integer(uint64_t{dimension});
  writer.end_array();
  writer.field(key::kSize, uint64_t{tensor.data.size()});
  writer.key(key::kCrc32);
  writer.crc32(crc32(tensor.data));
}

void write_value(RecordWriter& writer, const Value& value) {
  writer.begin_object();
  writer.field(key::kKind, to_string(value.kind));
  switch (value.kind) {
    case ValueKind::kTensor:
      write_tensor(writer, value.tensor);
      break;
    case ValueKind::kInt:
      writer.field(key::kValue, value.int_value);
      break;
    case ValueKind::kDouble:
      writer.field(key::kValue, value.double_value);
      break;
    case ValueKind::kBool:
      writer.field(key::kValue, value.bool_value);
      break;
    case ValueKind::kNone:
      break;
  }
  writer.end_object();
}

}  // namespace

void write_values(RecordWriter& writer, const ValueSource& values) {
  writer.key(key::kValues);
  writer.begin_array();
  for (uint32_t i = 0; i < values.count; ++i) {
    Value value;
    (void)values.get(i, value);
    write_value(writer, value);
  }
  writer.end_array();
}

}  // namespace bpte

#endif  // BPTE_RUNNER_WIRE
