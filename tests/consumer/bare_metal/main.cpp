// SPDX-License-Identifier: BSD-3-Clause
//
// bpte's sources in a firmware of its own, without CMake and without an operating system. It runs
// the bundle that is linked in through the reference engine.
#include <bpte/engine/reference/reference_engine.h>
#include <bpte/runner/runner.h>

#include "semihosting.h"

extern "C" const uint8_t bpte_bundle[], bpte_bundle_end[];

namespace {

class Console final : public bpte::Output {
  void write(const char* data, size_t size) override {
    for (size_t i = 0; i < size; ++i) semihosting_call(kSemihostingWriteCharacter, &data[i]);
  }
};

class NoClock final : public bpte::Clock {
  uint64_t now() override { return 0; }
  const char* unit() const override { return "cycles"; }
};

uint8_t planned[3072];
uint8_t tables[2048];

}  // namespace

int main() {
  Console output;
  NoClock clock;
  const auto bundle =
      bpte::Bundle::open({bpte_bundle, static_cast<size_t>(bpte_bundle_end - bpte_bundle)});
  if (!bundle.ok()) return static_cast<int>(report_fault(bundle.fault(), output, {}));
  bpte::ReferenceMemory memory;
  memory.planned = planned;
  memory.tables = tables;
  bpte::ReferenceEngine engine(memory);
  return static_cast<int>(run_bundle(*bundle, engine, output, clock, {}));
}
