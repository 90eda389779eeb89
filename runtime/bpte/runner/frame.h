// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Frames: how bytes travel on a line that may lose some, between lines of text
// (docs/result-protocol.md, "Frames"). A frame is one line of printable characters, so that nothing
// on the way takes it for a command, and it is found again after whatever was lost.

#include <bpte/core/span.h>
#include <bpte/core/text.h>
#include <bpte/runner/runner.h>

#include <cstddef>
#include <cstdint>

namespace bpte {

/// What a frame is for. A reader ignores a kind that it does not know.
enum class FrameKind : uint8_t {
  kRead = 1,   ///< asks for chunks of an object
  kData = 2,   ///< one chunk
  kOffer = 3,  ///< says which record was written, and which step may be asked for
  kDone = 4,   ///< the chunks that were asked for have been sent
  kNext = 5,   ///< nothing more of this step is wanted
};

/// Bytes of a frame besides its body: kind, sequence and checksum.
inline constexpr size_t kFrameOverhead = 9;

/// Writes frames, piece by piece: it holds three bytes of a frame, never all.
class FrameWriter {
 public:
  /// `nonce` is the word of the run. A frame's checksum covers it, so that a frame of another run
  /// counts as damaged.
  FrameWriter(Output& output, Text nonce);

  void begin(FrameKind kind, uint32_t sequence);
  /// The low `size` bytes of `value`, the lowest first.
  void number(uint64_t value, size_t size);
  void bytes(Span<const uint8_t> bytes);
  void end();

 private:
  void encode(const uint8_t* at, size_t size);

  Output& output_;
  uint32_t seed_;
  uint32_t crc_ = 0;
  uint8_t held_[3] = {};  // what does not make four characters yet
  size_t held_size_ = 0;
};

/// Finds whole frames in what arrives, byte by byte.
class FrameReader {
 public:
  /// `room` takes one frame: kFrameOverhead bytes and the body. A longer frame is passed over. The
  /// caller owns it.
  FrameReader(Span<uint8_t> room, Text nonce);

  /// Takes the next byte. True when it ends a frame whose checksum is right: kind(), sequence() and
  /// body() are that frame's until the next call.
  [[nodiscard]] bool take(uint8_t byte);

  FrameKind kind() const { return static_cast<FrameKind>(room_[0]); }
  uint32_t sequence() const;
  Span<const uint8_t> body() const;

 private:
  bool whole();

  Span<uint8_t> room_;
  uint32_t seed_;
  size_t matched_ = 0;  // characters of the mark
  uint32_t bits_ = 0;
  size_t bit_count_ = 0;
  size_t size_ = 0;
  bool overflow_ = false;
};

/// The number in the first `size` bytes, the lowest first. The caller keeps `size` at most 8.
uint64_t frame_number(const uint8_t* bytes, size_t size);

}  // namespace bpte
