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
  int16_t next() { return ready_at_ < dense_end_ ? ready_[ready_at_++] : next_after_zeros(); }
  /// Why a weight could not be had; nullptr: all could.
  const char* failed() const { return failed_; }

 private:
  static constexpr uint32_t kMostCodes = 12;  ///< of a chunk
  /// Of what was decoded and not yet taken. What a chunk decodes must fit beside the weights that
  /// wait for runs of zeros, or the other way round: the stream's own rules keep both within 8 of
  /// another.
  static constexpr uint32_t kCapacity = 32;

  struct Quotients {
    uint32_t items[kMostCodes] = {};
    uint32_t count = 0;
  };
  /// The codes of one kind, weights or runs of zeros, within a slice.
  struct Codes {
    uint32_t total = 0;      ///< in the slice
    uint32_t quotients = 0;  ///< read so far
    uint32_t remainder_bits = 0;
    uint32_t open = 0;  ///< the quotient that goes on in the next chunk
    Quotients pending;  ///< of the last chunk: their remainders come in the next

    void limit(Quotients& found) {
      if (found.count > total - quotients) found.count = total - quotients;
      quotients += found.count;
    }
  };

  uint32_t bits(uint32_t count);
  int16_t next_after_zeros();
  int16_t next_fast();
  bool fail(const char* why);
  bool begin_slice();
  bool read_palette();
  bool chunk();
  bool plain_chunk();
  Quotients weight_quotients(uint32_t unary);
  Quotients zero_quotients(uint32_t unary, uint32_t length);
  uint32_t read_remainders(const Codes& codes, uint32_t* to);
  template <typename T>
  bool make_room(T* values, uint32_t count, uint32_t& at, uint32_t& end);
  int16_t weight_of(uint32_t index);

  Span<const uint8_t> bytes_;
  uint64_t bits_ = 0;
  uint64_t at_ = 0;
  const char* failed_ = nullptr;

  int16_t ready_[kCapacity] = {};  ///< weights that were decoded, from ready_at_ to ready_end_
  uint32_t ready_at_ = 0;
  uint32_t ready_end_ = 0;
  uint32_t dense_end_ = 0;         ///< up to here no zeros stand between them
  uint32_t runs_[kCapacity] = {};  ///< the same of the lengths of runs of zeros
  uint32_t runs_at_ = 0;
  uint32_t runs_end_ = 0;

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
  uint32_t decoded_ = 0;  ///< weights, zeros of runs not counted
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
