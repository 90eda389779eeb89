// SPDX-License-Identifier: BSD-3-Clause
//
// What a line brings to a target that serves its outputs: any bytes, some of them requests. The
// first byte of the input says how. With an odd one the rest is what comes on the line, as it is.
// With an even one the rest is requests, each a byte for its size and its content, to which a right
// checksum is given here: a fuzzer would not find one.

#include <bpte/core/crc32.h>
#include <bpte/runner/wire.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr bpte::Text kNonce = {"nonce", 5};
constexpr size_t kOutputs = 3;

// Holds what a target writes to what its objects are.
class Line final : public bpte::Output {
 public:
  void write(const char* data, size_t size) override {
    text_.append(data, size);
    // A request can ask for an object some times over, byte by byte; more is a fault.
    if (text_.size() > (size_t{1} << 26)) std::abort();
  }
  std::string text_;
};

class Bytes final : public bpte::Input {
 public:
  explicit Bytes(std::string bytes) : bytes_(std::move(bytes)) {}
  bool read(uint8_t& byte) override {
    if (at_ == bytes_.size()) return false;
    byte = static_cast<uint8_t>(bytes_[at_++]);
    return true;
  }

 private:
  std::string bytes_;
  size_t at_ = 0;
};

// An engine whose outputs have 0, 1 and 1,000 bytes.
class Outputs final : public bpte::Engine {
 public:
  const char* name() const override { return ""; }
  const char* version() const override { return ""; }
  bpte::EngineError load(const bpte::ProgramLocation&) override { return bpte::EngineError::kOk; }
  bool has_method(const char*, size_t) const override { return true; }
  bpte::EngineError load_method(const char*, size_t) override { return bpte::EngineError::kOk; }
  size_t input_count() const override { return 0; }
  size_t output_count() const override { return kOutputs; }
  bpte::EngineError set_input(size_t, const bpte::Value&) override {
    return bpte::EngineError::kOk;
  }
  bpte::EngineError execute() override { return bpte::EngineError::kOk; }
  bpte::EngineError output(size_t index, bpte::Value& value) override {
    if (index >= kOutputs) std::abort();
    constexpr size_t kSizes[kOutputs] = {0, 1, 1000};
    value.kind = bpte::ValueKind::kTensor;
    value.tensor.data = {bytes_.data(), kSizes[index]};
    return bpte::EngineError::kOk;
  }
  const char* message() const override { return ""; }

 private:
  std::vector<uint8_t> bytes_ = std::vector<uint8_t>(1000, 0x5A);
};

std::string requests(const uint8_t* data, size_t size) {
  Line line;
  bpte::FrameWriter writer(line, kNonce);
  while (size > 0) {
    const size_t length = data[0] % 64u < size - 1 ? data[0] % 64u : size - 1;
    ++data;
    --size;
    if (length >= 5) {
      uint32_t sequence = 0;
      std::memcpy(&sequence, data + 1, sizeof sequence);
      writer.begin(static_cast<bpte::FrameKind>(data[0] % 8), sequence);
      // A chunk of a few bytes many times over is right, and takes long.
      std::vector<uint8_t> body(data + 5, data + length);
      if (body.size() > 7) body[7] |= 1;
      writer.bytes({body.data(), body.size()});
      writer.end();
    }
    data += length;
    size -= length;
  }
  return line.text_;
}

// Every frame that the target sent is whole, and its chunk lies within an object.
void check(const std::string& text) {
  static uint8_t room[4096];
  bpte::FrameReader reader(room, kNonce);
  for (const char character : text) {
    if (!reader.take(static_cast<uint8_t>(character))) continue;
    const bpte::Span<const uint8_t> body = reader.body();
    switch (reader.kind()) {
      case bpte::FrameKind::kOffer:
        if (body.size() != 12) std::abort();
        break;
      case bpte::FrameKind::kDone:
        if (!body.empty()) std::abort();
        break;
      case bpte::FrameKind::kData: {
        if (body.size() <= 6) std::abort();
        const uint64_t end = bpte::frame_number(body.data(), 6) + (body.size() - 6);
        if (end > 1000) std::abort();
        break;
      }
      default:
        std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const bool as_it_is = (data[0] & 1) != 0;
  Bytes input(as_it_is ? std::string(reinterpret_cast<const char*>(data + 1), size - 1)
                       : requests(data + 1, size - 1));
  Line line;
  Outputs engine;
  uint8_t record[64];
  bpte::Wire wire(line, &input, kNonce, bpte::Span<uint8_t>(record, data[0] % 64u));
  for (int step = 0; step < 4; ++step) {
    const std::string text = "#bpte {\"event\":\"case\"}\n";
    wire.write(text.data(), text.size());
    if (!wire.settle(bpte::outputs_of(engine, step % 2 == 0 ? kOutputs : 0))) break;
  }
  check(line.text_);
  return 0;
}
