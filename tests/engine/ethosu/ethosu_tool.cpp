// SPDX-License-Identifier: BSD-3-Clause
// The functional model of the Ethos-U for tests in other languages:
//
//   ethosu_tool run DELEGATE INPUTS OUTPUTS   INPUTS: the inputs' bytes, one after the other; so
//   are
//                                             OUTPUTS. Prints "MACS WORK MEMORY".
//   ethosu_tool list DELEGATE                 a line of JSON for each operation
//   ethosu_tool trace DELEGATE INPUTS OUTPUTS the same while it runs, with "sum": all of the OFM's
//                                             bytes, as numbers
//   ethosu_tool time DELEGATE INPUTS REPEAT   the seconds of CPU time that the quickest run takes
//   ethosu_tool weights STREAM COUNT OUT      the first COUNT weights of a compressed stream, int16
//
// A refusal goes to stderr with exit code 1.

#include <bpte/engine/ethosu/internal/weights.h>
#include <bpte/engine/ethosu/model.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

namespace {

using Bytes = std::vector<uint8_t>;

Bytes read(const char* path) {
  Bytes bytes;
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) {
    std::perror(path);
    std::exit(2);
  }
  uint8_t block[4096];
  for (size_t n; (n = std::fread(block, 1, sizeof(block), file)) != 0;) {
    bytes.insert(bytes.end(), block, block + n);
  }
  std::fclose(file);
  return bytes;
}

void write(const char* path, const void* data, size_t size) {
  std::FILE* file = std::fopen(path, "wb");
  if (file == nullptr || std::fwrite(data, 1, size, file) != size || std::fclose(file) != 0) {
    std::perror(path);
    std::exit(2);
  }
}

int refuse(const char* message) {
  std::fprintf(stderr, "%s\n", message);
  return 1;
}

void print_map(const char* name, const bpte::EthosUFeatureMap& map) {
  if (map.element_bytes == 0) return;
  std::printf(", \"%s\": {\"shape\": [%ld, %ld, %ld], \"bytes\": %u, \"region\": %u}", name,
              static_cast<long>(map.height), static_cast<long>(map.width),
              static_cast<long>(map.depth), unsigned{map.element_bytes}, unsigned{map.region});
}

void print_operation(const bpte::EthosUOperation& operation) {
  const auto number = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("{\"command\": %lu, \"name\": \"%s\", \"mode\": %u, \"macs\": %llu, ",
              static_cast<unsigned long>(operation.command), operation.name,
              unsigned{operation.mode}, number(operation.macs));
  std::printf("\"weights\": %llu, \"compressed\": %llu, \"read\": [%llu, %llu, %llu], ",
              number(operation.weights), number(operation.compressed_weights),
              number(operation.read[0]), number(operation.read[1]), number(operation.read[2]));
  std::printf("\"written\": [%llu, %llu, %llu]", number(operation.written[0]),
              number(operation.written[1]), number(operation.written[2]));
  print_map("ifm", operation.ifm);
  print_map("ifm2", operation.ifm2);
  print_map("ofm", operation.ofm);
}

bool list_operation(void*, bpte::EthosUModel&, const bpte::EthosUOperation& operation) {
  print_operation(operation);
  std::puts("}");
  return true;
}

bool trace_operation(void*, bpte::EthosUModel& model, const bpte::EthosUOperation& operation) {
  print_operation(operation);
  Bytes ofm(static_cast<size_t>(operation.ofm.bytes()));
  if (model.copy_ofm({ofm.data(), ofm.size()})) {
    unsigned long long sum = 0;
    for (const uint8_t byte : ofm) sum += byte;
    std::printf(", \"sum\": %llu", sum);
  }
  std::puts("}");
  return true;
}

int list(const char* delegate_path) {
  const Bytes delegate = read(delegate_path);
  bpte::EthosUModel model;
  bpte::Report report;
  if (!model.open({delegate.data(), delegate.size()}, 0, report) ||
      !model.describe(report, list_operation, nullptr)) {
    return refuse(report.message());
  }
  return 0;
}

int run(const char* delegate_path, const char* inputs_path, const char* outputs_path,
        bpte::EthosUModel::Observer observer) {
  const Bytes delegate = read(delegate_path);
  const Bytes inputs = read(inputs_path);
  bpte::EthosUModel model;
  bpte::Report report;
  if (!model.open({delegate.data(), delegate.size()}, 0, report)) return refuse(report.message());
  // Of the exact size, and not zeros, so that a sanitizer sees every step outside of it.
  Bytes memory(static_cast<size_t>(model.memory_bytes()), 0xA5);
  if (!model.prepare({memory.data(), memory.size()}, report)) return refuse(report.message());
  size_t at = 0;
  for (uint32_t i = 0; i < model.input_count(); ++i) {
    const bpte::Span<uint8_t> input = model.input(i);
    if (input.size() > inputs.size() - at) return refuse("too few bytes of inputs");
    std::memcpy(input.data(), inputs.data() + at, input.size());
    at += input.size();
  }
  if (at != inputs.size()) return refuse("too many bytes of inputs");
  if (!model.run(report, observer, nullptr)) return refuse(report.message());
  Bytes outputs;
  for (uint32_t i = 0; i < model.output_count(); ++i) {
    const bpte::Span<uint8_t> output = model.output(i);
    outputs.insert(outputs.end(), output.begin(), output.end());
  }
  write(outputs_path, outputs.data(), outputs.size());
  if (observer != nullptr) return 0;
  std::printf("%lu %llu %llu\n", static_cast<unsigned long>(model.config().macs),
              static_cast<unsigned long long>(model.work()),
              static_cast<unsigned long long>(model.memory_bytes()));
  return 0;
}

int time_runs(const char* delegate_path, const char* inputs_path, const char* repeat) {
  const Bytes delegate = read(delegate_path);
  const Bytes inputs = read(inputs_path);
  bpte::EthosUModel model;
  bpte::Report report;
  if (!model.open({delegate.data(), delegate.size()}, 0, report)) return refuse(report.message());
  Bytes memory(static_cast<size_t>(model.memory_bytes()));
  if (!model.prepare({memory.data(), memory.size()}, report)) return refuse(report.message());
  if (model.input_count() != 1 || model.input(0).size() != inputs.size()) {
    return refuse("one input of that size is wanted");
  }
  double best = 0;
  const long runs = std::strtol(repeat, nullptr, 10);
  for (long k = 0; k < runs; ++k) {
    std::memcpy(model.input(0).data(), inputs.data(), inputs.size());
    const std::clock_t start = std::clock();
    if (!model.run(report)) return refuse(report.message());
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    if (k == 0 || seconds < best) best = seconds;
  }
  std::printf("%.6f\n", best);
  return 0;
}

int weights(const char* stream_path, const char* count, const char* out_path) {
  const Bytes bytes = read(stream_path);
  bpte::ethosu::WeightStream stream({bytes.data(), bytes.size()});
  std::vector<int16_t> found(std::strtoul(count, nullptr, 10));
  for (int16_t& weight : found) weight = stream.next();
  if (stream.failed() != nullptr) return refuse(stream.failed());
  write(out_path, found.data(), found.size() * sizeof(found[0]));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 5 && std::strcmp(argv[1], "run") == 0) {
    return run(argv[2], argv[3], argv[4], nullptr);
  }
  if (argc == 5 && std::strcmp(argv[1], "trace") == 0) {
    return run(argv[2], argv[3], argv[4], trace_operation);
  }
  if (argc == 5 && std::strcmp(argv[1], "time") == 0) return time_runs(argv[2], argv[3], argv[4]);
  if (argc == 3 && std::strcmp(argv[1], "list") == 0) return list(argv[2]);
  if (argc == 5 && std::strcmp(argv[1], "weights") == 0) return weights(argv[2], argv[3], argv[4]);
  std::fputs(
      "usage: ethosu_tool run|trace DELEGATE INPUTS OUTPUTS | list DELEGATE |"
      " time DELEGATE INPUTS REPEAT | weights STREAM COUNT OUT\n",
      stderr);
  return 2;
}
