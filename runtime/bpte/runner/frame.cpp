// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/runner/frame.h>

#if BPTE_RUNNER_WIRE

#include <bpte/core/crc32.h>

#include <cstring>

namespace bpte {

namespace {

// What begins a frame. Neither character at its ends is one of base64's, so that a frame is found
// also where the line before it lost its end.
constexpr char kMark[] = "#bpte:";
constexpr size_t kMarkSize = sizeof kMark - 1;

constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// The six bits that a character stands for, -1 for what is not base64's.
int digit_value(uint8_t character) {
  if (character >= 'A' && character <= 'Z') return character - 'A';
  if (character >= 'a' && character <= 'z') return character - 'a' + 26;
  if (character >= '0' && character <= '9') return character - '0' + 52;
  if (character == '+') return 62;
  return character == '/' ? 63 : -1;
}

uint32_t seed_of(Text nonce) {
  return crc32({reinterpret_cast<const uint8_t*>(nonce.data), nonce.size});
}

}  // namespace

uint64_t frame_number(const uint8_t* bytes, size_t size) {
  uint64_t number = 0;
  for (size_t i = size; i-- > 0;) number = number << 8 | bytes[i];
  return number;
}

FrameWriter::FrameWriter(Output& output, Text nonce) : output_(output), seed_(seed_of(nonce)) {}

void FrameWriter::begin(FrameKind kind, uint32_t sequence) {
  output_.write(kMark, kMarkSize);
  crc_ = seed_;
  held_size_ = 0;
  number(static_cast<uint8_t>(kind), 1);
  number(sequence, 4);
}

void FrameWriter::number(uint64_t value, size_t size) {
  uint8_t little[8];
  for (size_t i = 0; i < size; ++i) little[i] = static_cast<uint8_t>(value >> (8 * i));
  bytes({little, size});
}

void FrameWriter::bytes(Span<const uint8_t> bytes) {
  crc_ = crc32(bytes, crc_);
  const uint8_t* at = bytes.data();
  size_t left = bytes.size();
  while (held_size_ > 0 && left > 0) {
    held_[held_size_++] = *at++;
    --left;
    if (held_size_ == sizeof held_) {
      encode(held_, sizeof held_);
      held_size_ = 0;
    }
  }
  const size_t whole = left - left % sizeof held_;
  encode(at, whole);
  for (size_t i = whole; i < left; ++i) held_[held_size_++] = at[i];
}

// A multiple of three bytes.
void FrameWriter::encode(const uint8_t* at, size_t size) {
  char text[256];
  size_t length = 0;
  for (const uint8_t* const end = at + size; at != end; at += 3) {
    const uint32_t bits = static_cast<uint32_t>(at[0] << 16 | at[1] << 8 | at[2]);
    text[length++] = kDigits[bits >> 18];
    text[length++] = kDigits[bits >> 12 & 63];
    text[length++] = kDigits[bits >> 6 & 63];
    text[length++] = kDigits[bits & 63];
    if (length == sizeof text) {
      output_.write(text, length);
      length = 0;
    }
  }
  if (length > 0) output_.write(text, length);
}

void FrameWriter::end() {
  number(crc_, 4);
  // The last one or two bytes take two or three characters; nothing pads them.
  char text[sizeof held_ + 1];
  size_t length = 0;
  if (held_size_ > 0) {
    const uint32_t second = held_size_ > 1 ? held_[1] : 0u;
    const uint32_t bits = uint32_t{held_[0]} << 16 | second << 8;
    for (uint32_t shift = 18; length <= held_size_; shift -= 6) {
      text[length++] = kDigits[bits >> shift & 63];
    }
  }
  text[length++] = '\n';
  output_.write(text, length);
}

FrameReader::FrameReader(Span<uint8_t> room, Text nonce) : room_(room), seed_(seed_of(nonce)) {}

bool FrameReader::take(uint8_t byte) {
  if (matched_ < kMarkSize) {
    if (byte == static_cast<uint8_t>(kMark[matched_])) {
      ++matched_;
    } else {
      matched_ = byte == static_cast<uint8_t>(kMark[0]) ? 1 : 0;
    }
    bits_ = 0;
    bit_count_ = size_ = 0;
    overflow_ = false;
    return false;
  }
  const int digit = digit_value(byte);
  if (digit < 0) {
    matched_ = byte == static_cast<uint8_t>(kMark[0]) ? 1 : 0;
    return whole();
  }
  bits_ = bits_ << 6 | static_cast<uint32_t>(digit);
  bit_count_ += 6;
  if (bit_count_ < 8) return false;
  bit_count_ -= 8;
  if (size_ == room_.size()) {
    overflow_ = true;
  } else {
    room_[size_++] = static_cast<uint8_t>(bits_ >> bit_count_);
  }
  return false;
}

bool FrameReader::whole() {
  // A lone last character holds less than a byte: one was lost.
  if (overflow_ || size_ < kFrameOverhead || bit_count_ == 6) return false;
  const size_t covered = size_ - sizeof(uint32_t);
  return crc32({room_.data(), covered}, seed_) ==
         frame_number(room_.data() + covered, sizeof(uint32_t));
}

uint32_t FrameReader::sequence() const {
  return static_cast<uint32_t>(frame_number(room_.data() + 1, 4));
}

Span<const uint8_t> FrameReader::body() const {
  return {room_.data() + 5, size_ - kFrameOverhead};
}

}  // namespace bpte

#endif  // BPTE_RUNNER_WIRE
