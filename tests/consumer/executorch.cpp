// SPDX-License-Identifier: BSD-3-Clause
//
// bpte::executorch, bpte::executorch_kernels: what bpte-run does, in a program of one's own.
#include <bpte/engine/executorch/executorch_engine.h>
#include <bpte/engine/executorch/heap_arena.h>

#include "console.h"

int main(int, char** words) {
  const auto bundle = bpte::Bundle::open(consumer::map(words[1]));
  consumer::Stdout output;
  consumer::NoClock clock;
  if (!bundle.ok()) return static_cast<int>(bpte::report_fault(bundle.fault(), output, {}));
  bpte::HeapArena method, planned, temp;
  bpte::ExecutorchMemory memory;
  memory.method = &method;
  memory.planned = &planned;
  memory.temp = &temp;
  bpte::ExecutorchEngine engine(memory);
  return static_cast<int>(bpte::run_bundle(*bundle, engine, output, clock, {}));
}
