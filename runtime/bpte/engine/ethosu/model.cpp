// SPDX-License-Identifier: BSD-3-Clause
#include "model.h"

#include <bpte/core/internal/aligned.h>

#include <cstring>

namespace bpte {

using ethosu::Binding;
using ethosu::Op;

namespace {

// What each part of the memory is aligned to, as an NPU's buffers are.
constexpr uint64_t kAlignment = 16;

uint64_t round_up(uint64_t size) {
  return (size + kAlignment - 1) & ~(kAlignment - 1);
}

/// Takes `size` bytes off the front of `from`, which is large enough, at a multiple of kAlignment.
Span<uint8_t> take(Span<uint8_t>& from, uint64_t size) {
  const size_t padding =
      static_cast<size_t>(-reinterpret_cast<uintptr_t>(from.data()) & (kAlignment - 1));
  const size_t taken = static_cast<size_t>(size);
  const Span<uint8_t> part = from.subspan(padding, taken);
  from = from.subspan(padding + taken, from.size() - padding - taken);
  return part;
}

Report& lacks(Report& report, const char* what, uint64_t needed, uint64_t given) {
  return report.fail(EngineError::kOutOfMemory)
         << "Ethos-U model: " << what << needed << " bytes needed, " << given << " given";
}

/// Whether it has an OFM, or copies.
bool computes(Op op) {
  return op == Op::CONV || op == Op::DEPTHWISE || op == Op::POOL || op == Op::ELEMENTWISE ||
         op == Op::RESIZE || op == Op::DMA_START;
}

Binding binding(const ethosu::Bindings& bindings, uint32_t index, uint64_t scratch_size) {
  Report ignored;  // open() has checked them all
  Binding found;
  (void)bindings.get(index, "", scratch_size, found, ignored);
  return found;
}

bool fits(const char* what, uint32_t index, const Binding& stated, ScalarType type, uint64_t bytes,
          Report& report) {
  if (stated.element_bytes == element_size(type) && stated.bytes == bytes) return true;
  return report.fail(EngineError::kInvalidProgram)
         << "Ethos-U delegate: " << what << " " << index << " has " << stated.bytes
         << " bytes, elements of " << stated.element_bytes << "; the program's tensor has " << bytes
         << " bytes, elements of " << uint64_t{element_size(type)};
}

}  // namespace

bool EthosUModel::open(Span<const uint8_t> delegate, uint64_t work_limit, Report& report) {
  return container_.open(delegate, report) && check(work_limit, report);
}

bool EthosUModel::open(Span<const uint8_t> commands, const EthosURegions& regions,
                       uint64_t work_limit, Report& report) {
  container_ = ethosu::Container();
  container_.commands = commands;
  container_.weights = regions.weights;
  container_.scratch_size = regions.scratch.size();
  return check(work_limit, report);
}

bool EthosUModel::check(uint64_t work_limit, Report& report) {
  memories_ = ethosu::Memories();
  work_ = 0;
  if (!stream_.open(container_.commands, report)) return false;
  machine_.begin_check(stream_.config(), container_.weights.size(), container_.scratch_size,
                       work_limit, report);
  if (!pass(report, nullptr, nullptr)) return false;
  work_ = machine_.work_done();
  return true;
}

uint64_t EthosUModel::memory_bytes() const {
  return kAlignment - 1 + round_up(container_.scratch_size) + round_up(machine_.needs().fast) +
         own_bytes();
}

uint64_t EthosUModel::own_bytes() const {
  const ethosu::Needs& needs = machine_.needs();
  uint64_t chains = 0;
  for (const uint64_t bytes : needs.chains) chains += round_up(bytes);
  return kAlignment - 1 + ethosu::kTableBytes + chains + round_up(needs.accumulators) + needs.work;
}

bool EthosUModel::prepare(Span<uint8_t> memory, Report& report) {
  if (memory.size() < memory_bytes()) return lacks(report, "", memory_bytes(), memory.size());
  EthosURegions regions;
  regions.weights = container_.weights;
  regions.scratch = take(memory, container_.scratch_size);
  regions.fast = take(memory, machine_.needs().fast);
  return prepare(regions, memory, report);
}

bool EthosUModel::prepare(const EthosURegions& regions, Span<uint8_t> own, Report& report) {
  const ethosu::Needs& needs = machine_.needs();
  if (regions.fast.size() < needs.fast) {
    return lacks(report, "fast scratch memory, ", needs.fast, regions.fast.size());
  }
  if (own.size() < own_bytes()) return lacks(report, "", own_bytes(), own.size());
  memories_.weights = regions.weights;
  memories_.scratch = regions.scratch;
  memories_.fast = regions.fast;
  memories_.tables = take(own, ethosu::kTableBytes);
  for (uint32_t k = 0; k < ethosu::kChains; ++k) memories_.chains[k] = take(own, needs.chains[k]);
  memories_.accumulators = {internal::as_aligned<int64_t>(take(own, needs.accumulators).data()),
                            static_cast<size_t>(needs.accumulators / sizeof(int64_t))};
  memories_.work = {internal::as_aligned<int16_t>(take(own, needs.work).data()),
                    static_cast<size_t>(needs.work / sizeof(int16_t))};
  return true;
}

Span<uint8_t> EthosUModel::input(uint32_t index) {
  const Binding found = binding(container_.inputs, index, container_.scratch_size);
  return memories_.scratch.subspan(found.offset, static_cast<size_t>(found.bytes));
}

Span<uint8_t> EthosUModel::output(uint32_t index) {
  const Binding found = binding(container_.outputs, index, container_.scratch_size);
  return memories_.scratch.subspan(found.offset, static_cast<size_t>(found.bytes));
}

bool EthosUModel::check_input(uint32_t index, ScalarType type, uint64_t bytes,
                              Report& report) const {
  switch (type) {
    case ScalarType::kInt:
    case ScalarType::kShort:
    case ScalarType::kChar:
    case ScalarType::kByte:
    case ScalarType::kBool:
      return fits("input", index, binding(container_.inputs, index, container_.scratch_size), type,
                  bytes, report);
    default:
      return report.fail(EngineError::kInvalidProgram)
             << "Ethos-U delegate: input " << index << " is " << to_string(type)
             << ", which no Ethos-U takes";
  }
}

bool EthosUModel::check_output(uint32_t index, ScalarType type, uint64_t bytes,
                               Report& report) const {
  return fits("output", index, binding(container_.outputs, index, container_.scratch_size), type,
              bytes, report);
}

bool EthosUModel::run(Report& report) {
  return run(report, nullptr, nullptr);
}

bool EthosUModel::run(Report& report, Observer observer, void* context) {
  machine_.begin_run(memories_, report);
  return pass(report, observer, context);
}

bool EthosUModel::describe(Report& report, Observer observer, void* context) {
  machine_.begin_check(stream_.config(), container_.weights.size(), container_.scratch_size, 0,
                       report);
  return pass(report, observer, context);
}

bool EthosUModel::has_ofm(size_t bytes) const {
  const EthosUFeatureMap& map = machine_.operation().ofm;
  return !machine_.checking() && map.element_bytes != 0 && bytes == map.bytes();
}

bool EthosUModel::copy_ofm(Span<uint8_t> to) {
  return has_ofm(to.size()) && ethosu::copy_ofm(machine_, to.data());
}

bool EthosUModel::replace_ofm(Span<const uint8_t> from) {
  return has_ofm(from.size()) && ethosu::replace_ofm(machine_, from.data());
}

bool EthosUModel::pass(Report& report, Observer observer, void* context) {
  stream_.rewind();
  Op op = Op::STOP;
  uint16_t parameter = 0;
  while (stream_.next(machine_.registers(), op, parameter, report)) {
    machine_.begin_command(stream_.number(), op, parameter);
    if (!execute(op, parameter)) return false;
    if (observer != nullptr && computes(op) && !observer(context, *this, machine_.operation())) {
      break;
    }
  }
  return report.ok();
}

bool EthosUModel::execute(Op op, uint16_t parameter) {
  switch (op) {
    case Op::CONV:
      return ethosu::convolve(machine_, false, parameter);
    case Op::DEPTHWISE:
      return ethosu::convolve(machine_, true, parameter);
    case Op::POOL:
      return ethosu::pool(machine_, parameter);
    case Op::ELEMENTWISE:
      return ethosu::combine(machine_, parameter);
    case Op::RESIZE:
      return ethosu::kHasU85 && ethosu::resize(machine_, parameter);
    case Op::DMA_START:
      return ethosu::copy(machine_);
    default:
      return true;  // waits, interrupts and counters: of time, not of numbers
  }
}

}  // namespace bpte
