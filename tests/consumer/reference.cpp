// SPDX-License-Identifier: BSD-3-Clause
//
// bpte::reference: a bundle through the engine that needs nothing else.
#include <bpte/engine/reference/reference_engine.h>

#include "console.h"

namespace {

uint8_t planned[1 << 20];
uint8_t tables[1 << 20];

}  // namespace

int main(int, char** words) {
  const auto bundle = bpte::Bundle::open(consumer::map(words[1]));
  consumer::Stdout output;
  consumer::NoClock clock;
  if (!bundle.ok()) return static_cast<int>(bpte::report_fault(bundle.fault(), output, {}));
  bpte::ReferenceMemory memory;
  memory.planned = planned;
  memory.tables = tables;
  bpte::ReferenceEngine engine(memory);
  return static_cast<int>(bpte::run_bundle(*bundle, engine, output, clock, {}));
}
