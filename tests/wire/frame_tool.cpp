// SPDX-License-Identifier: BSD-3-Clause
//
// frame_tool NONCE < BYTES: finds frames in what it reads, and writes each one again, whole. Driven
// by tests/wire/test_frames.py.

#include <bpte/runner/frame.h>

#include <cstdio>
#include <cstring>

namespace {

class Stdout final : public bpte::Output {
 public:
  void write(const char* data, size_t size) override { std::fwrite(data, 1, size, stdout); }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const bpte::Text nonce = {argv[1], std::strlen(argv[1])};
  static uint8_t room[1 << 20];
  bpte::FrameReader reader(room, nonce);
  Stdout output;
  bpte::FrameWriter writer(output, nonce);
  for (int byte = std::getchar(); byte != EOF; byte = std::getchar()) {
    if (!reader.take(static_cast<uint8_t>(byte))) continue;
    // The body in pieces of all sizes, as a sender has it.
    const bpte::Span<const uint8_t> body = reader.body();
    writer.begin(reader.kind(), reader.sequence());
    for (size_t at = 0, size = 0; at < body.size(); at += size) {
      size = at % 7 < body.size() - at ? at % 7 : body.size() - at;
      if (size == 0) size = 1;
      writer.bytes(body.subspan(at, size));
    }
    writer.end();
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}
