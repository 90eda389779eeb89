// SPDX-License-Identifier: BSD-3-Clause
#include "weights.h"

#include "bytes.h"

namespace bpte::ethosu {
namespace {

constexpr uint32_t kQuotients = 12;  // of a chunk, and its bits
constexpr uint32_t kWeightsAhead = 8;
constexpr uint32_t kNoZeroRuns = 6;     // in the place of the zeros' remainder bits
constexpr uint32_t kEndOfStream = 7;    // the same
constexpr uint32_t kUncompressed = 7;   // in the place of the weights' remainder bits
constexpr uint32_t kMostRemainder = 5;  // bits of a compressed weight's remainder
constexpr uint32_t kMostMagnitude = 255;

}  // namespace

bool WeightStream::Queue::push(uint32_t value) {
  if (count_ == kCapacity) return false;
  items_[(first_ + count_++) % kCapacity] = value;
  return true;
}

uint32_t WeightStream::Queue::pop() {
  const uint32_t value = items_[first_];
  first_ = (first_ + 1) % kCapacity;
  --count_;
  return value;
}

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
  uint32_t value = 0;
  const size_t byte_at = static_cast<size_t>(at_ >> 3);
  if (bytes_.size() - byte_at >= sizeof(uint32_t)) {  // 25 bits at any place; none asks for more
    value = load<uint32_t>(bytes_.data() + byte_at) >> (at_ & 7) & ((1u << count) - 1);
    at_ += count;
    return value;
  }
  for (uint32_t have = 0; have < count;) {
    const uint32_t skip = static_cast<uint32_t>(at_ & 7);
    const uint32_t take = count - have < 8 - skip ? count - have : 8 - skip;
    const uint32_t byte = bytes_[static_cast<size_t>(at_ >> 3)];
    value |= (byte >> skip & ((1u << take) - 1)) << have;
    have += take;
    at_ += take;
  }
  return value;
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
  taken_ = 0;
  return true;
}

WeightStream::Quotients WeightStream::weight_quotients(uint32_t unary) {
  const uint32_t most = uncompressed_ && weights_.remainder_bits > 5 ? 8 : kQuotients;
  uint32_t ones = 0;
  for (uint32_t i = 0; i < most; ++i) ones += unary >> i & 1;
  // A quotient of 1 or more has a second bit.
  uint32_t more = ones != 0 ? bits(ones) : 0;
  Quotients found;
  for (uint32_t i = 0; i < most && weights_.quotients < weights_.total; ++i) {
    uint32_t code = 0;
    if ((unary >> i & 1) != 0) {
      code = 1 + (more & 1);
      more >>= 1;
    }
    weights_.open += code;
    if (code < 2 || truncated_) {
      found.items[found.count++] = weights_.open;
      weights_.open = 0;
      ++weights_.quotients;
    }
  }
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
    ++zeros_.quotients;
  }
  return found;
}

bool WeightStream::read_remainders(Codes& codes) {
  for (uint32_t i = 0; i < codes.pending.count && codes.finished < codes.total; ++i) {
    const uint32_t quotient = codes.pending.items[i] << codes.remainder_bits;
    if (!codes.values.push(quotient + bits(codes.remainder_bits))) {
      return fail("a weight slice has its zeros too far from its weights");
    }
    ++codes.finished;
  }
  return failed_ == nullptr;
}

bool WeightStream::chunk() {
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
  const uint32_t unary = weights_turn && !uncompressed_ ? bits(kQuotients) : 0;
  if (zeros_turn) {
    const uint32_t length = zeros_.remainder_bits < 3 ? kQuotients : 8;
    new_zeros = zero_quotients(bits(length), length);
  }
  if (weights_turn) new_weights = weight_quotients(unary);
  if (!read_remainders(weights_) || !read_remainders(zeros_)) return false;
  weights_.pending = new_weights;
  zeros_.pending = new_zeros;
  return true;
}

int16_t WeightStream::weight_of(uint32_t index) {
  // An index past the palette's is the value itself. Its lowest bit is the sign.
  const uint32_t value =
      index < palette_size_ ? palette_[index] : index - palette_size_ + direct_offset_;
  if (value >> 1 > kMostMagnitude) {
    (void)fail("a weight does not fit into 9 bits");
    return 0;
  }
  const int magnitude = static_cast<int>(value >> 1);
  return static_cast<int16_t>((value & 1) != 0 ? -magnitude : magnitude);
}

namespace {

int16_t unfold(uint32_t value) {
  const int magnitude = static_cast<int>(value >> 1);
  return static_cast<int16_t>((value & 1) != 0 ? -magnitude : magnitude);
}

}  // namespace

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

int16_t WeightStream::next() {
  if (fast_) return failed_ == nullptr ? next_fast() : int16_t{0};
  while (failed_ == nullptr) {
    if (run_ != 0) {
      --run_;
      return 0;
    }
    if (run_wanted_) {
      if (zeros_.values.empty()) {
        (void)chunk();
        continue;
      }
      run_ = zeros_.values.pop();
      run_wanted_ = false;
    } else if (taken_ == weights_.total) {
      (void)begin_slice();
    } else if (weights_.values.empty()) {
      (void)chunk();
    } else {
      ++taken_;
      run_wanted_ = zero_runs_;
      return weight_of(weights_.values.pop());
    }
  }
  return 0;
}

}  // namespace bpte::ethosu
