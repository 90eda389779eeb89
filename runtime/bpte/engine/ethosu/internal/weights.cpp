// SPDX-License-Identifier: BSD-3-Clause
#include "weights.h"

#include <cstring>

#include "bytes.h"
#include "registers.h"

namespace bpte::ethosu {
namespace {

constexpr uint32_t kWeightsAhead = 8;
constexpr uint32_t kNoZeroRuns = 6;     // in the place of the zeros' remainder bits
constexpr uint32_t kEndOfStream = 7;    // the same
constexpr uint32_t kUncompressed = 7;   // in the place of the weights' remainder bits
constexpr uint32_t kMostRemainder = 5;  // bits of a compressed weight's remainder
constexpr uint32_t kMostMagnitude = 255;

}  // namespace

bool WeightStream::fail(const char* why) {
  if (failed_ == nullptr) failed_ = why;
  return false;
}

uint32_t WeightStream::bits(uint32_t count) {
  if (count > bits_ - at_) {
    at_ = bits_;
    (void)fail("the weight stream ends too early");
    return 0;
  }
  // A word has 25 bits at any place; none asks for more.
  const size_t byte = static_cast<size_t>(at_ >> 3);
  uint32_t word = 0;
  if (bytes_.size() - byte >= sizeof(word)) {
    word = load<uint32_t>(bytes_.data() + byte);
  } else {
    std::memcpy(&word, bytes_.data() + byte, bytes_.size() - byte);
  }
  word = word >> (at_ & 7) & ((1u << count) - 1);
  at_ += count;
  return word;
}

bool WeightStream::read_palette() {
  direct_offset_ = bits(5);
  palette_size_ = bits(5);
  if (palette_size_ != 0) ++palette_size_;
  palette_bits_ = bits(3) + 2;
  for (uint32_t i = 0; i < palette_size_; ++i)
    palette_[i] = static_cast<uint16_t>(bits(palette_bits_));
  has_palette_ = true;
  return failed_ == nullptr;
}

bool WeightStream::begin_slice() {
  uint32_t zero_bits = kEndOfStream;
  // An end is followed by another sub-stream at the next byte, or by nothing.
  while ((zero_bits = bits(3)) == kEndOfStream && failed_ == nullptr)
    at_ = (at_ + 7) & ~uint64_t{7};
  weights_ = Codes();
  zeros_ = Codes();
  weights_.total = bits(15) + 1;
  uint32_t weight_bits = bits(3);
  truncated_ = bits(1) != 0;
  const bool new_palette = bits(1) != 0;
  if (new_palette && !read_palette()) return false;
  if (failed_ != nullptr) return false;
  if (!new_palette && !has_palette_)
    return fail("a weight slice refers to a palette that is not there");
  zero_runs_ = zero_bits != kNoZeroRuns;
  uncompressed_ = weight_bits == kUncompressed;
  if (zero_bits > 3 && zero_runs_) return fail("a weight slice has an unknown code for zeros");
  if (uncompressed_) {
    weight_bits = palette_bits_;
    if (palette_size_ != 0) {
      for (weight_bits = 0; 1u << weight_bits < palette_size_;) ++weight_bits;
    }
  } else if (weight_bits > kMostRemainder) {
    return fail("a weight slice has an unknown code for weights");
  }
  weights_.remainder_bits = weight_bits;
  zeros_.remainder_bits = zero_bits;
  // A slice with a palette of its own may begin with zeros; any other has them behind weights only.
  zeros_.total = zero_runs_ ? weights_.total + (new_palette ? 1 : 0) : 0;
  run_wanted_ = zero_runs_ && new_palette;
  decoded_ = 0;
  ready_at_ = ready_end_ = dense_end_ = 0;
  runs_at_ = runs_end_ = 0;
  return true;
}

WeightStream::Quotients WeightStream::weight_quotients(uint32_t unary) {
  Quotients found;
  if (uncompressed_) {  // all are 0
    found.count = weights_.remainder_bits > 5 ? 8 : kMostCodes;
    weights_.limit(found);
    return found;
  }
  uint32_t ones = 0;
  for (uint32_t left = unary; left != 0; left &= left - 1) ++ones;
  // A quotient of 1 or more has a second bit.
  uint32_t more = bits(ones);
  for (uint32_t i = 0; i < kMostCodes; ++i) {
    const uint32_t one = unary >> i & 1;
    const uint32_t code = one + (one & more);
    more >>= one;
    weights_.open += code;
    found.items[found.count] = weights_.open;
    if (code < 2 || truncated_) {
      weights_.open = 0;
      ++found.count;
    }
  }
  weights_.limit(found);
  return found;
}

WeightStream::Quotients WeightStream::zero_quotients(uint32_t unary, uint32_t length) {
  Quotients found;
  for (uint32_t i = 0; i < length; ++i) {
    if ((unary >> i & 1) != 0) {
      ++zeros_.open;
      continue;
    }
    found.items[found.count++] = zeros_.open;
    zeros_.open = 0;
  }
  zeros_.limit(found);
  return found;
}

namespace {

/// The lowest bit is the sign.
int16_t unfold(uint32_t value) {
  const int magnitude = static_cast<int>(value >> 1);
  return static_cast<int16_t>((value & 1) != 0 ? -magnitude : magnitude);
}

}  // namespace

inline int16_t WeightStream::weight_of(uint32_t index) {
  // An index past the palette's is the value itself.
  const uint32_t value =
      index < palette_size_ ? palette_[index] : index - palette_size_ + direct_offset_;
  if (value >> 1 > kMostMagnitude) {
    (void)fail("a weight does not fit into 9 bits");
    return 0;
  }
  return unfold(value);
}

uint32_t WeightStream::read_remainders(const Codes& codes, uint32_t* to) {
  for (uint32_t i = 0; i < codes.pending.count; ++i) {
    to[i] = (codes.pending.items[i] << codes.remainder_bits) + bits(codes.remainder_bits);
  }
  return codes.pending.count;
}

/// Where there are no quotients and no runs of zeros, weights stand one after the other.
bool WeightStream::plain_chunk() {
  ready_at_ = 0;
  ready_end_ = weights_.total - decoded_;
  if (ready_end_ > kCapacity) ready_end_ = kCapacity;
  for (uint32_t i = 0; i < ready_end_; ++i) ready_[i] = weight_of(bits(weights_.remainder_bits));
  dense_end_ = ready_end_;
  decoded_ += ready_end_;
  return failed_ == nullptr;
}

/// Moves what was decoded and not yet taken to the front of its buffer, to make room for more.
template <typename T>
bool WeightStream::make_room(T* values, uint32_t count, uint32_t& at, uint32_t& end) {
  end -= at;
  for (uint32_t i = 0; i < end; ++i) values[i] = values[at + i];
  at = 0;
  return count <= kCapacity - end || fail("a weight slice has its zeros too far from its weights");
}

bool WeightStream::chunk() {
  // Quicker, and not worth the flash of a small target.
  if (sizeof(void*) == 8 && uncompressed_ && !zero_runs_) return plain_chunk();
  const uint32_t weights = weights_.quotients;
  const uint32_t zeros = zeros_.quotients;
  const bool weights_turn =
      weights < weights_.total && (!zero_runs_ || weights < zeros + kWeightsAhead);
  const bool zeros_turn = zero_runs_ && zeros <= weights && zeros < zeros_.total;
  if (!weights_turn && !zeros_turn && weights_.pending.count == 0 && zeros_.pending.count == 0) {
    return fail("a weight slice ends before its last weight");
  }
  Quotients new_weights;
  Quotients new_zeros;
  const uint32_t unary = weights_turn && !uncompressed_ ? bits(kMostCodes) : 0;
  if (zeros_turn) {
    const uint32_t length = zeros_.remainder_bits < 3 ? kMostCodes : 8;
    new_zeros = zero_quotients(bits(length), length);
  }
  if (weights_turn) new_weights = weight_quotients(unary);
  uint32_t values[kMostCodes];
  uint32_t count = read_remainders(weights_, values);
  if (!make_room(ready_, count, ready_at_, ready_end_)) return false;
  for (uint32_t i = 0; i < count; ++i) ready_[ready_end_++] = weight_of(values[i]);
  dense_end_ = zero_runs_ ? 0 : ready_end_;
  decoded_ += count;
  count = read_remainders(zeros_, values);
  if (!make_room(runs_, count, runs_at_, runs_end_)) return false;
  for (uint32_t i = 0; i < count; ++i) runs_[runs_end_++] = values[i];
  weights_.pending = new_weights;
  zeros_.pending = new_zeros;
  return failed_ == nullptr;
}

WeightStream WeightStream::fast(Span<const uint8_t> bytes, uint32_t run, uint32_t sharers,
                                uint32_t index) {
  constexpr uint32_t kHeaderBits = 256;
  constexpr uint32_t kAdjustAt = 104;
  constexpr uint32_t kTableAt = 112;
  WeightStream stream(bytes);
  if (stream.bits_ < kHeaderBits) {
    (void)stream.fail("the weight stream ends too early");
    return stream;
  }
  stream.fast_ = true;
  stream.raw_ = stream.bits(1) != 0;
  const bool small = stream.bits(1) != 0;
  stream.fast_bits_ = stream.raw_ ? 8 : small ? 2 : 4;
  stream.at_ = kAdjustAt;
  stream.zero_adjust_ = static_cast<int8_t>(stream.bits(8));
  stream.at_ = kTableAt;
  for (uint32_t i = 0; i < 16; ++i) stream.palette_[i] = static_cast<uint16_t>(stream.bits(9));
  stream.run_length_ = run;
  stream.others_ = uint64_t{run} * (sharers - 1);
  stream.at_ = kHeaderBits + uint64_t{run} * index * stream.fast_bits_;
  return stream;
}

int16_t WeightStream::next_fast() {
  if (in_run_ == run_length_) {
    at_ += others_ * fast_bits_;
    in_run_ = 0;
  }
  ++in_run_;
  if (at_ > bits_) at_ = bits_;
  const uint32_t value = bits(fast_bits_);
  if (raw_) return static_cast<int16_t>(static_cast<int8_t>(value) - zero_adjust_);
  return unfold(palette_[value]);
}

int16_t WeightStream::next_after_zeros() {
  while (failed_ == nullptr) {
    if (kHasU85 && fast_) return next_fast();
    if (run_ != 0) {
      --run_;
      return 0;
    }
    if (run_wanted_ && runs_at_ != runs_end_) {
      run_ = runs_[runs_at_++];
      run_wanted_ = false;
    } else if (!run_wanted_ && ready_at_ != ready_end_) {
      run_wanted_ = zero_runs_;
      return ready_[ready_at_++];
    } else if (!run_wanted_ && decoded_ == weights_.total) {
      (void)begin_slice();
    } else {
      (void)chunk();
    }
  }
  return 0;
}

}  // namespace bpte::ethosu
