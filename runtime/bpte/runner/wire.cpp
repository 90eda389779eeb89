// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/runner/wire.h>

#if BPTE_RUNNER_WIRE

#include <bpte/core/crc32.h>

#include <cstring>

namespace bpte {

namespace {

constexpr size_t kOffsetSize = 6;  // of an offset in a frame
// Where nobody asks, outputs are numbered from here, apart from the numbers of requests.
constexpr uint32_t kUnasked = 0x80000000;
constexpr size_t kUnaskedChunk = 768;
// How many bytes outside of a frame are read before the other side counts as silent.
constexpr uint32_t kPatience = 1u << 20;

}  // namespace

Wire::Wire(Output& output, Input* input, Text nonce, Span<uint8_t> record_room)
    : output_(output),
      input_(input),
      record_room_(record_room),
      writer_(output, nonce),
      reader_(frame_, nonce),
      waits_(input != nullptr) {}

void Wire::write(const char* data, size_t size) {
  const auto* const bytes = reinterpret_cast<const uint8_t*>(data);
  record_crc_ = crc32({bytes, size}, record_crc_);
  if (record_size_ <= record_room_.size() && size <= record_room_.size() - record_size_) {
    std::memcpy(record_room_.data() + record_size_, data, size);
  }
  record_size_ += size;
  output_.write(data, size);
}

void Wire::abandon() {
  record_size_ = 0;
  record_crc_ = 0;
  waits_ = false;
}

bool Wire::settle(const ValueSource& values) {
  values_ = values;
  if (input_ != nullptr) offer(0);
  bool heard = true;
  for (uint32_t i = 1; i <= values.count; ++i) {
    const Bytes bytes = object(i);
    needed_ += bytes.size();
    if (input_ == nullptr) send_all(kUnasked + unasked_, bytes);
    ++unasked_;
  }
  if (waits_) heard = waits_ = listen();
  ++step_;
  record_size_ = 0;
  record_crc_ = 0;
  return heard;
}

void Wire::offer(uint32_t sequence) {
  const bool kept = record_size_ <= record_room_.size();
  writer_.begin(FrameKind::kOffer, sequence);
  writer_.number(step_, 4);
  writer_.number(kept ? record_size_ : 0, 4);
  writer_.number(record_crc_, 4);
  writer_.end();
}

// Serves until the next step is wanted. False when the other side fell silent.
bool Wire::listen() {
  uint8_t byte = 0;
  for (uint32_t noise = 0; noise < kPatience && input_->read(byte); ++noise) {
    if (!reader_.take(byte)) continue;
    if (answer()) return true;
    noise = 0;
  }
  return false;
}

// Whether the frame asks for the next step. Every answer depends on the frame alone, so that a
// frame that comes late, or twice, does no harm.
bool Wire::answer() {
  const Bytes body = reader_.body();
  const bool read = reader_.kind() == FrameKind::kRead;
  if (!read && reader_.kind() != FrameKind::kNext) return false;
  if (body.size() < (read ? kReadSize : size_t{4})) return false;
  // An asker says a request several times where much is lost.
  if (reader_.sequence() == answered_) return false;
  answered_ = reader_.sequence();
  if (frame_number(body.data(), 4) != step_) {
    offer(answered_);
  } else if (read) {
    answer_read(body);
  } else {
    return true;
  }
  return false;
}

void Wire::answer_read(Bytes body) {
  const uint8_t* const at = body.data();
  const auto index = static_cast<uint32_t>(frame_number(at + 4, 2));
  const auto chunk = static_cast<size_t>(frame_number(at + 6, 2));
  const uint64_t offset = frame_number(at + 8, kOffsetSize);
  const auto count = static_cast<uint32_t>(frame_number(at + 14, 4));
  const Bytes map = body.subspan(kReadSize, body.size() - kReadSize);
  const uint32_t sequence = answered_;
  if (index > values_.count || chunk == 0 || count == 0) return offer(sequence);
  const Bytes bytes = object(index);
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t start = offset + uint64_t{i} * chunk;
    if (start >= bytes.size()) break;
    if (!map.empty()) {
      if (i / 8 >= map.size()) break;
      if ((map[i / 8] >> (i % 8) & 1) == 0) continue;
    }
    const auto from = static_cast<size_t>(start);
    const size_t left = bytes.size() - from;
    send(sequence, start, bytes.subspan(from, left < chunk ? left : chunk));
  }
  writer_.begin(FrameKind::kDone, sequence);
  writer_.end();
}

// Object 0 is the record, the others are its values. A scalar has no bytes: its value is in the
// record.
Span<const uint8_t> Wire::object(uint32_t index) {
  if (index == 0) {
    if (record_size_ > record_room_.size()) return {};
    return {record_room_.data(), record_size_};
  }
  Value value;
  if (values_.get(index - 1, value) != EngineError::kOk) return {};
  return value.kind == ValueKind::kTensor ? value.tensor.data : Bytes();
}

void Wire::send(uint32_t sequence, uint64_t offset, Bytes bytes) {
  sent_ += bytes.size();
  writer_.begin(FrameKind::kData, sequence);
  writer_.number(offset, kOffsetSize);
  writer_.bytes(bytes);
  writer_.end();
}

void Wire::send_all(uint32_t sequence, Bytes bytes) {
  for (size_t offset = 0; offset < bytes.size(); offset += kUnaskedChunk) {
    const size_t left = bytes.size() - offset;
    send(sequence, offset, bytes.subspan(offset, left < kUnaskedChunk ? left : kUnaskedChunk));
  }
}

}  // namespace bpte

#endif  // BPTE_RUNNER_WIRE
