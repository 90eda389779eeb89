// SPDX-License-Identifier: BSD-3-Clause
//
// bpte::ethosu alone: runs a delegate (first word) on its inputs' bytes (second word), one input
// after the other, and writes its outputs' bytes to stdout.
#include <bpte/engine/ethosu/model.h>

#include <cstring>
#include <vector>

#include "console.h"

int main(int, char** words) {
  const bpte::Span<const uint8_t> delegate = consumer::map(words[1]);
  const bpte::Span<const uint8_t> inputs = consumer::map(words[2]);
  bpte::EthosUModel model;
  bpte::Report report;
  const auto refused = [&report] {
    std::fprintf(stderr, "%s\n", report.message());
    return 1;
  };
  if (!model.open(delegate, 0, report)) return refused();
  std::vector<uint8_t> memory(static_cast<size_t>(model.memory_bytes()));
  if (!model.prepare({memory.data(), memory.size()}, report)) return refused();
  size_t at = 0;
  for (uint32_t i = 0; i < model.input_count(); ++i) {
    const bpte::Span<uint8_t> input = model.input(i);
    if (input.size() > inputs.size() - at) return 2;
    std::memcpy(input.data(), inputs.data() + at, input.size());
    at += input.size();
  }
  if (!model.run(report)) return refused();
  for (uint32_t i = 0; i < model.output_count(); ++i) {
    std::fwrite(model.output(i).data(), 1, model.output(i).size(), stdout);
  }
}
