// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/config.h>
#include <bpte/core/internal/judge_blocks.h>
#include <bpte/core/internal/vector_kernels.h>

#if !BPTE_CORE_SMALL

namespace bpte {
namespace internal {

namespace {

// Collects pairs into blocks, and passes these to the kernels.
class Block {
 public:
  Block(ScalarType type, double rtol, double atol, Judge& judge)
      : kernels_(block_kernels(type)),
        type_(type),
        element_bytes_(element_size(type)),
        gathered_bytes_(element_size(kernels_.gathered)),
        rtol_(rtol),
        atol_(atol),
        judge_(judge) {}

  void row(const uint8_t* expected, const uint8_t* actual, const Loop& row) {
    const bool in_place = kernels_.judge_in_place != nullptr && row.strides[0] == element_bytes_ &&
                          row.strides[1] == element_bytes_;
    for (size_t done = 0; done < row.size;) {
      const uint8_t* const e = expected + done * row.strides[0];
      const uint8_t* const a = actual + done * row.strides[1];
      const size_t left = row.size - done;
      const size_t room = kernels_.count - filled_;
      const size_t count = left < room ? left : room;
      done += count;
      if (in_place && count == kernels_.count) {
        judge({type_, false, element_bytes_, e, a}, kernels_.judge_in_place, count, count);
        continue;
      }
      kernels_.gather(e, row.strides[0], count, expected_ + filled_ * gathered_bytes_);
      kernels_.gather(a, row.strides[1], count, actual_ + filled_ * gathered_bytes_);
      filled_ += count;
      if (filled_ == kernels_.count) {
        flush();
      }
    }
  }

  void flush() {
    const size_t count = filled_;
    if (count == 0) {
      return;
    }
    const size_t padded = (count + kBlockStep - 1) / kBlockStep * kBlockStep;
    const size_t padding = (padded - count) * gathered_bytes_;
    std::memset(expected_ + count * gathered_bytes_, 0, padding);
    std::memset(actual_ + count * gathered_bytes_, 0, padding);
    const bool integers =
        kernels_.gathered == ScalarType::kDouble && judge_.kind() != Number::Kind::kDouble;
    judge({kernels_.gathered, integers, gathered_bytes_, expected_, actual_},
          kernels_.judge_gathered, count, padded);
    filled_ = 0;
  }

 private:
  // Pairs whose elements lie side by side.
  struct Pairs {
    ScalarType type;
    bool integers;  // though stored as doubles
    size_t element_bytes;
    const uint8_t* expected_data;
    const uint8_t* actual_data;

    Element expected(size_t i) const { return element(expected_data + i * element_bytes); }
    Element actual(size_t i) const { return element(actual_data + i * element_bytes); }

    Element element(const uint8_t* at) const {
      Element element = load(type, at);
      if (integers) {
        element.bits = static_cast<uint64_t>(static_cast<int64_t>(element.real));
      }
      return element;
    }
  };

  void judge(const Pairs& pairs, BlockKernels::Judge kernel, size_t count, size_t padded) {
    BlockResult result;
    result.max_relative = judge_.max_relative();
    if (!kernel(pairs.expected_data, pairs.actual_data, padded, rtol_, atol_, result)) {
      for (size_t i = 0; i < count; ++i) {
        judge_.pair(pairs.expected(i), pairs.actual(i));
      }
      return;
    }
    if (result.mismatches != 0 && judge_.mismatches() == 0) {
      size_t i = 0;
      double error;
      while (judge_.close(pairs.expected(i), pairs.actual(i), error)) {
        ++i;
      }
      judge_.found(judge_.numel() + i, pairs.expected(i), pairs.actual(i));
    }
    judge_.block(result, count);
  }

  const BlockKernels& kernels_;
  ScalarType type_;
  size_t element_bytes_;
  size_t gathered_bytes_;
  double rtol_;
  double atol_;
  Judge& judge_;
  size_t filled_ = 0;
  alignas(32) uint8_t expected_[kBlockBytes];
  alignas(32) uint8_t actual_[kBlockBytes];
};

// Notes the mismatch that comes first in logical order. Takes a copy of the walk, since it stops in
// the middle.
void find_first(const TensorView& expected, const TensorView& actual, Walk walk, Judge& judge) {
  const size_t inner = walk.end - 1;
  const Loop& row = walk.loops[inner];
  size_t offsets[2] = {0, 0};
  uint64_t index = 0;
  do {
    const uint8_t* e = expected.data.data() + offsets[0];
    const uint8_t* a = actual.data.data() + offsets[1];
    for (size_t i = 0; i < row.size; ++i, ++index, e += row.strides[0], a += row.strides[1]) {
      const Element x = load(expected.scalar_type, e);
      const Element y = load(expected.scalar_type, a);
      double error;
      if (!judge.close(x, y, error)) {
        return judge.found(index, x, y);
      }
    }
  } while (advance(walk, inner, offsets));
}

}  // namespace

bool suits_blocks(double rtol, double atol) {
  return rtol >= 0 && is_finite(rtol) && atol >= 0;
}

void judge_blocks(const TensorView& expected, const TensorView& actual, double rtol, double atol,
                  Walk& walk, Judge& judge) {
  Block block(expected.scalar_type, rtol, atol, judge);
  const uint8_t* const expected_data = expected.data.data();
  const uint8_t* const actual_data = actual.data.data();
  const bool same_order =
      expected.dim_order.empty() || std::memcmp(expected.dim_order.data(), actual.dim_order.data(),
                                                expected.dim_order.size()) == 0;
  const size_t inner = walk.end - 1;
  if (!same_order || walk.first == inner) {
    size_t offsets[2] = {0, 0};
    do {
      block.row(expected_data + offsets[0], actual_data + offsets[1], walk.loops[inner]);
    } while (advance(walk, inner, offsets));
    block.flush();
    return;
  }
  // Goes in the order of memory, which is not the logical one: the mismatch found first may not be
  // the first.
  const size_t element_bytes = element_size(expected.scalar_type);
  block.row(expected_data, actual_data, {walk.numel, {element_bytes, element_bytes}, 0});
  block.flush();
  if (judge.mismatches() != 0) {
    find_first(expected, actual, walk, judge);
  }
}

}  // namespace internal
}  // namespace bpte

#endif
