// SPDX-License-Identifier: BSD-3-Clause
#include "accumulators.h"

namespace bpte::ethosu {

bool Accumulators::describe(Machine& machine, const Output& output) {
  size_ = output.size();
  if (!machine.u85()) return true;
  // The format in bits 0..1, the input in 4..5, no output by bit 6.
  const uint32_t bits = machine.registers().get(Narrow::ACC_FORMAT);
  const uint32_t input = bits >> 4 & 3;
  if ((bits & 3) > 1 || input > 2) {
    return machine.invalid() << "ACC_FORMAT has the unknown format " << (bits & 3) << " or input "
                             << input;
  }
  wide_ = (bits & 3) == 1;
  input_ = static_cast<Input>(input);
  only_kept_ = (bits >> 6 & 1) != 0;
  if (!only_kept_ && output.absent()) return machine.invalid() << "the OFM is nowhere";
  if (input_ == Input::kKeep || only_kept_) {
    const uint64_t row = static_cast<uint64_t>(size_.width) * static_cast<uint64_t>(size_.depth);
    const uint64_t count = row * static_cast<uint64_t>(size_.height);
    constexpr uint64_t kMost = uint64_t{1} << 27;
    if (count > kMost) return machine.unsupported() << count << " accumulators are too many";
    machine.need_accumulators(count);
    if (!machine.checking()) sums_ = machine.memories().accumulators.data();
  }
  return input_ != Input::kOfIfm2 ||
         (ifm2_.describe_wide(machine, kIfm2) && ifm2_.place_input(machine, size_));
}

}  // namespace bpte::ethosu
