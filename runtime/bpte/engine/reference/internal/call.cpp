// SPDX-License-Identifier: BSD-3-Clause
#include "call.h"

namespace bpte::reference {

using schema::KernelTypes;

Report& Call::fail(EngineError error) {
  report_.fail(error) << "instruction " << number_ << ", " << name_;
  if (overload_.size != 0) report_ << "." << overload_;
  return report_ << ": ";
}

bool Call::named(bool ok) {
  if (ok) return true;
  report_ << " (instruction " << number_ << ", " << name_;
  if (overload_.size != 0) report_ << "." << overload_;
  return report_ << ")";
}

uint32_t Call::value(size_t argument) const {
  if (argument >= arguments_.count) return UINT32_MAX;
  return method_.argument(arguments_, static_cast<uint32_t>(argument));
}

bool Call::usable(const Tensor& tensor, bool as_output) {
  if (as_output && !tensor.writable) {
    return fail(EngineError::kInvalidProgram)
           << "its output, value " << tensor.value << ", has no memory of its own";
  }
  if (!checking_ && tensor.data == nullptr && tensor.numel != 0) {
    return fail(EngineError::kExecutionFailed) << "value " << tensor.value << " has no data yet";
  }
  return true;
}

bool Call::is_float(const Tensor& tensor) {
  if (tensor.type == ScalarType::kFloat) return true;
  return fail(EngineError::kUnsupported) << "value " << tensor.value << " is of dtype "
                                         << to_string(tensor.type) << ", float32 is supported";
}

bool Call::tensor(size_t argument, Tensor& tensor) {
  return named(method_.tensor(value(argument), tensor, report_)) && usable(tensor, false);
}

bool Call::floats(size_t argument, Tensor& tensor) {
  return this->tensor(argument, tensor) && is_float(tensor);
}

bool Call::optional_floats(size_t argument, Tensor& tensor, bool& present) {
  present = !is_none(argument);
  return !present || floats(argument, tensor);
}

bool Call::out(size_t argument, Tensor& tensor) {
  return named(method_.tensor(value(argument), tensor, report_)) && usable(tensor, true);
}

bool Call::out_floats(size_t argument, Tensor& tensor) {
  return out(argument, tensor) && is_float(tensor);
}

bool Call::list_tensor(size_t argument, uint32_t index, Tensor& tensor) {
  uint32_t item = 0;
  return named(method_.list_item(value(argument), index, item, report_) &&
               method_.tensor(item, tensor, report_)) &&
         usable(tensor, false);
}

bool Call::list_out(size_t argument, uint32_t index, Tensor& tensor) {
  return list_tensor(argument, index, tensor) && usable(tensor, true);
}

bool Call::list_optional(size_t argument, uint32_t index, Tensor& tensor, bool& present) {
  present = !method_.list_item_is_none(value(argument), index);
  return !present || list_tensor(argument, index, tensor);
}

bool Call::boolean(size_t argument, bool& value) {
  int64_t number = 0;
  if (!integer(argument, number)) return false;
  value = number != 0;
  return true;
}

bool Call::is_none(size_t argument) const {
  return method_.kind(value(argument)) == KernelTypes::Null;
}

bool Call::int_item(size_t argument, uint32_t index, int64_t& number) {
  uint32_t item = 0;
  return named(method_.list_item(value(argument), index, item, report_) &&
               method_.integer(item, number, report_));
}

bool Call::ints(size_t argument, Ints& list) {
  list = Ints();
  if (is_none(argument)) return true;
  uint32_t size = 0;
  if (!list_size(argument, size)) return false;
  if (size > kMaxInts) return invalid("a list of integers is longer than any shape");
  for (uint32_t i = 0; i < size; ++i) {
    if (!int_item(argument, i, list.items[i])) return false;
  }
  list.count = size;
  return true;
}

bool Call::to_dimension(int64_t number, size_t rank, size_t& dimension) {
  const int64_t limit = rank == 0 ? 1 : static_cast<int64_t>(rank);
  if (number < -limit || number >= limit) {
    return fail(EngineError::kInvalidProgram)
           << "dimension " << number << " of a tensor of rank " << uint64_t{rank};
  }
  dimension = static_cast<size_t>(number < 0 ? number + limit : number);
  return true;
}

bool Call::dimension(size_t argument, size_t rank, size_t& dimension) {
  int64_t number = 0;
  return integer(argument, number) && to_dimension(number, rank, dimension);
}

}  // namespace bpte::reference
