// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>

#include <cstddef>
#include <cstdint>

namespace bpte::ethosu {

/// Takes weights out of a compressed stream, one after the other, in the order in which they were
/// put in. The stream is a sequence of slices: a header, then chunks of codes. A code is a Golomb
/// code: a quotient in unary, of which a chunk has up to 12, and the remainders of the chunk
/// before. Runs of zeros have codes of their own, between the weights' chunks.
class WeightStream {
 public:
  WeightStream() = default;
  explicit WeightStream(Span<const uint8_t> bytes)
      : bytes_(bytes), bits_(uint64_t{bytes.size()} * 8) {}

  /// Ethos-U85, the format FWD: each weight has as many bits, of which the header says the meaning.
  /// Takes the weights of sharer `index` of `sharers`, which stand there in turns, `run` each.
  static WeightStream fast(Span<const uint8_t> bytes, uint32_t run, uint32_t sharers,
                           uint32_t index);

  /// The next weight, -255..255. 0 when the stream is over or makes no sense: see failed().
  int16_t next();
  /// Why a weight could not be had; nullptr: all could.
  const char* failed() const { return failed_; }

 private:
  /// Values that were decoded and not yet taken. What a chunk decodes, at most 12, must fit beside
  /// those that wait for the other kind's: the stream's own rules keep both within 8 of another.
  class Queue {
   public:
    bool empty() const { return count_ == 0; }
    bool push(uint32_t value);
    uint32_t pop();
    void clear() { first_ = count_ = 0; }

   private:
    static constexpr uint32_t kCapacity = 32;
    uint32_t items_[kCapacity] = {};
    uint32_t first_ = 0;
    uint32_t count_ = 0;
  };
  struct Quotients {
    uint32_t items[12] = {};
    uint32_t count = 0;
  };
  /// The codes of one kind, weights or runs of zeros, within a slice.
  struct Codes {
    uint32_t total = 0;      ///< in the slice
    uint32_t quotients = 0;  ///< read so far
    uint32_t finished = 0;   ///< read so far with their remainders
    uint32_t remainder_bits = 0;
    uint32_t open = 0;  ///< the quotient that goes on in the next chunk
    Quotients pending;  ///< of the last chunk: their remainders come in the next
    Queue values;
  };

  uint32_t bits(uint32_t count);
  int16_t next_fast();
  bool fail(const char* why);
  bool begin_slice();
  bool read_palette();
  bool chunk();
  Quotients weight_quotients(uint32_t unary);
  Quotients zero_quotients(uint32_t unary, uint32_t length);
  bool read_remainders(Codes& codes);
  int16_t weight_of(uint32_t index);

  Span<const uint8_t> bytes_;
  uint64_t bits_ = 0;
  uint64_t at_ = 0;
  const char* failed_ = nullptr;

  // Of the format FWD.
  bool fast_ = false;
  bool raw_ = false;
  uint32_t fast_bits_ = 0;  ///< of a weight
  int32_t zero_adjust_ = 0;
  uint64_t run_length_ = 1;
  uint64_t others_ = 0;  ///< weights of others between two runs
  uint64_t in_run_ = 0;

  // Of the slice.
  Codes weights_;
  Codes zeros_;
  uint32_t taken_ = 0;  ///< weights given out, zeros of runs not counted
  bool zero_runs_ = false;
  bool uncompressed_ = false;
  bool truncated_ = false;   ///< a quotient is at most 2
  bool run_wanted_ = false;  ///< the next thing is the length of a run of zeros
  uint32_t run_ = 0;         ///< zeros still to be given out

  // Of the palette, which stays until a slice has another.
  bool has_palette_ = false;
  uint32_t direct_offset_ = 0;
  uint32_t palette_size_ = 0;
  uint32_t palette_bits_ = 0;
  uint16_t palette_[32] = {};
};

}  // namespace bpte::ethosu
