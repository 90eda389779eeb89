// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The target's side of a transfer (docs/result-protocol.md, "Transfers"). The other side asks for
// pieces of the last record and of the outputs that belong to it, as often as it wants; this side
// keeps nothing of what was asked before.

#include <bpte/core/span.h>
#include <bpte/core/text.h>
#include <bpte/runner/frame.h>
#include <bpte/runner/runner.h>
#include <bpte/runner/value_source.h>

#include <cstddef>
#include <cstdint>

namespace bpte {

/// The way back: what the other side sends.
class Input {
 public:
  /// Waits for a byte. False when none comes: the line has ended, or nothing came for as long as
  /// the implementation waits. It must not wait for ever, unless somebody else limits the run.
  [[nodiscard]] virtual bool read(uint8_t& byte) = 0;

 protected:
  ~Input() = default;
};

/// Stands between a run's records and its line. It passes every record on, and keeps the last one
/// in the caller's buffer, to send it again. After each record it serves the other side, until that
/// wants the next step; without a way back it sends every output once.
class Wire final : public Output {
 public:
  /// `input` is null where there is no way back. `nonce` is the run's. `record_room` is what a
  /// record may take to be sent again; one that is longer arrives at its first try or not at all.
  /// Everything outlives this object.
  Wire(Output& output, Input* input, Text nonce, Span<uint8_t> record_room);

  void write(const char* data, size_t size) override;

  /// Ends a step: the record that was written since the last one, and the values that go with it.
  /// False when the other side fell silent; the run cannot go on then, and later steps wait for
  /// nobody.
  [[nodiscard]] bool settle(const ValueSource& values);
  /// The run is lost: forgets the record that is being written, and waits for nobody from now on.
  void abandon();

  /// What `begin` says of it: "pull" or "once".
  const char* name() const { return input_ != nullptr ? "pull" : "once"; }
  bool has_way_back() const { return input_ != nullptr; }
  /// Bytes of records and outputs that were sent more than once.
  uint64_t sent_again() const { return sent_ > needed_ ? sent_ - needed_ : 0; }

 private:
  using Bytes = Span<const uint8_t>;

  void offer(uint32_t sequence);
  bool listen();
  bool answer();
  void answer_read(Bytes body);
  Bytes object(uint32_t index);
  void send(uint32_t sequence, uint64_t offset, Bytes bytes);
  void send_all(uint32_t sequence, Bytes bytes);

  static constexpr size_t kReadSize = 18;  // the body of `read` without its map
  static constexpr size_t kLargestMap = 32;

  Output& output_;
  Input* input_;
  Span<uint8_t> record_room_;
  uint8_t frame_[kFrameOverhead + kReadSize + kLargestMap] = {};
  FrameWriter writer_;
  FrameReader reader_;
  bool waits_;

  // The current step.
  uint32_t step_ = 0;
  size_t record_size_ = 0;
  uint32_t record_crc_ = 0;
  ValueSource values_;
  uint32_t answered_ = 0;  // the last request

  uint32_t unasked_ = 0;  // values of the run so far: the sequence where nobody asks
  uint64_t sent_ = 0;
  uint64_t needed_ = 0;
};

}  // namespace bpte
