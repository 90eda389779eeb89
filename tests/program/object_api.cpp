// SPDX-License-Identifier: BSD-3-Clause
// FlatBuffers' own C++ on program files: its verifier, and the time of its object API.
//
//   object_api verify FILE...    "ok FILE" or "bad FILE" for each; the exit code counts the bad
//   object_api time FILE REPEAT  best nanoseconds to unpack and to pack: "UNPACK PACK BYTES"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "program_generated.h"

namespace {

using Bytes = std::vector<char>;

Bytes read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

// The FlatBuffer's part of a file: the extended header states where it ends.
size_t program_size(const Bytes& data) {
  uint64_t size = data.size();
  if (data.size() >= 40 && std::memcmp(data.data() + 8, "eh00", 4) == 0) {
    std::memcpy(&size, data.data() + 16, 8);
  }
  return size <= data.size() ? size : data.size();
}

int verify(int count, char** paths) {
  int bad = 0;
  for (int i = 0; i < count; ++i) {
    Bytes data = read(paths[i]);
    flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(data.data()),
                                   program_size(data));
    bool ok = executorch_flatbuffer::VerifyProgramBuffer(verifier);
    std::printf("%s %s\n", ok ? "ok" : "bad", paths[i]);
    bad += ok ? 0 : 1;
  }
  return bad > 100 ? 100 : bad;
}

template <typename Function>
long long best(int repeat, Function function) {
  long long result = std::numeric_limits<long long>::max();
  for (int i = 0; i < repeat; ++i) {
    auto start = std::chrono::steady_clock::now();
    function();
    auto spent = std::chrono::steady_clock::now() - start;
    long long nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count();
    if (nanoseconds < result) result = nanoseconds;
  }
  return result;
}

int time(const char* path, int repeat) {
  Bytes data = read(path);
  const auto* program = executorch_flatbuffer::GetProgram(data.data());
  std::unique_ptr<executorch_flatbuffer::ProgramT> object(program->UnPack());
  size_t size = 0;
  long long unpack = best(repeat, [&] { object.reset(program->UnPack()); });
  long long pack = best(repeat, [&] {
    flatbuffers::FlatBufferBuilder builder;
    executorch_flatbuffer::FinishProgramBuffer(
        builder, executorch_flatbuffer::Program::Pack(builder, object.get()));
    size = builder.GetSize();
  });
  std::printf("%lld %lld %zu\n", unpack, pack, size);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string command = argc > 1 ? argv[1] : "";
  if (command == "verify") return verify(argc - 2, argv + 2);
  if (command == "time" && argc == 4) return time(argv[2], std::atoi(argv[3]));
  std::fprintf(stderr, "usage: object_api verify FILE... | time FILE REPEAT\n");
  return 2;
}
