// SPDX-License-Identifier: BSD-3-Clause
// The functional model of the Ethos-U on delegates that anything may have written. Besides the
// sanitizers' checks: what is refused has a message, what was opened runs in the memory that it
// asked for, and the same delegate gives the same outputs twice. Seeds: delegates of
// tests/fixtures/ethosu.

#include <bpte/engine/ethosu/model.h>

#include <cstdint>
#include <cstdlib>
#include <vector>

namespace {

// Small, so that a run is quick: what needs more is refused.
constexpr uint64_t kWorkLimit = 300000;
constexpr uint64_t kMemoryLimit = 1 << 20;

using Bytes = std::vector<uint8_t>;

/// The outputs' bytes, or none when the delegate was refused while it ran.
Bytes run(bpte::EthosUModel& model, const Bytes& delegate) {
  bpte::Report report;
  if (!model.open({delegate.data(), delegate.size()}, kWorkLimit, report)) std::abort();
  Bytes memory(static_cast<size_t>(model.memory_bytes()));
  if (!model.prepare({memory.data(), memory.size()}, report)) std::abort();
  uint8_t next = 1;
  for (uint32_t i = 0; i < model.input_count(); ++i) {
    for (uint8_t& byte : model.input(i)) byte = next = static_cast<uint8_t>(next * 5 + 3);
  }
  const bool ran = model.run(report);
  if (ran != report.ok() || ran != (report.message()[0] == '\0')) std::abort();
  Bytes outputs;
  for (uint32_t i = 0; ran && i < model.output_count(); ++i) {
    const bpte::Span<uint8_t> output = model.output(i);
    if (outputs.size() + output.size() > kMemoryLimit) break;  // they may overlap, many times
    outputs.insert(outputs.end(), output.begin(), output.end());
  }
  return outputs;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Of the exact size, so that AddressSanitizer sees every step outside.
  const Bytes delegate(data, data + size);
  bpte::EthosUModel model;
  bpte::Report report;
  if (!model.open({delegate.data(), size}, kWorkLimit, report)) {
    if (report.ok() || report.message()[0] == '\0') std::abort();
    return 0;
  }
  if (model.memory_bytes() > kMemoryLimit) return 0;
  if (run(model, delegate) != run(model, delegate)) std::abort();
  return 0;
}
