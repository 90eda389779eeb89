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

}  // namespace

bool EthosUModel::open(Span<const uint8_t> delegate, uint64_t work_limit, Report& report) {
  memories_ = ethosu::Memories();
  work_ = 0;
  if (!container_.open(delegate, report) || !stream_.open(container_.commands, report))
    return false;
  machine_.begin_check(stream_.config(), container_.weights.size(), container_.scratch_size,
                       work_limit, report);
  if (!pass(report, nullptr, nullptr)) return false;
  work_ = machine_.work_done();
  return true;
}

uint64_t EthosUModel::memory_bytes() const {
  const ethosu::Needs& needs = machine_.needs();
  uint64_t chains = 0;
  for (const uint64_t bytes : needs.chains) chains += round_up(bytes);
  return kAlignment - 1 + round_up(container_.scratch_size) + round_up(needs.fast) +
         ethosu::kTableBytes + chains + round_up(needs.accumulators) + needs.work;
}

bool EthosUModel::prepare(Span<uint8_t> memory, Report& report) {
  if (memory.size() < memory_bytes()) {
    return report.fail(EngineError::kOutOfMemory)
           << "Ethos-U model: " << memory_bytes() << " bytes needed, " << uint64_t{memory.size()}
           << " given";
  }
  const ethosu::Needs& needs = machine_.needs();
  size_t at = static_cast<size_t>(-reinterpret_cast<uintptr_t>(memory.data()) & (kAlignment - 1));
  const auto take = [&](uint64_t size) {
    const Span<uint8_t> taken = memory.subspan(at, static_cast<size_t>(size));
    at += static_cast<size_t>(round_up(size));
    return taken;
  };
  memories_.weights = container_.weights;
  memories_.scratch = take(container_.scratch_size);
  memories_.fast = take(needs.fast);
  memories_.tables = take(ethosu::kTableBytes);
  for (uint32_t k = 0; k < ethosu::kChains; ++k) memories_.chains[k] = take(needs.chains[k]);
  memories_.accumulators = {internal::as_aligned<int64_t>(take(needs.accumulators).data()),
                            static_cast<size_t>(needs.accumulators / sizeof(int64_t))};
  memories_.work = {internal::as_aligned<int16_t>(memory.data() + at),
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

uint64_t EthosUModel::input_bytes(uint32_t index) const {
  return binding(container_.inputs, index, container_.scratch_size).bytes;
}

uint64_t EthosUModel::output_bytes(uint32_t index) const {
  return binding(container_.outputs, index, container_.scratch_size).bytes;
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

bool EthosUModel::copy_ofm(Span<uint8_t> to) {
  const EthosUFeatureMap& map = machine_.operation().ofm;
  if (machine_.checking() || map.element_bytes == 0 || to.size() != map.bytes()) return false;
  return ethosu::copy_ofm(machine_, to.data());
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
