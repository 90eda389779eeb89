// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/executorch/heap_arena.h>

#include <cstdlib>

namespace bpte {

namespace {

constexpr size_t kMinBlock = 64 * 1024;
// Vectorised kernels may read, not write, up to a vector past a tensor's end (XNNPACK states
// XNN_EXTRA_BYTES, 128 at most).
constexpr size_t kSlack = 128;

}  // namespace

void* HeapArena::allocate(size_t size, size_t alignment) {
  for (bool fresh = false;; fresh = true) {
    if (last_ != nullptr) {
      uint8_t* const bytes = reinterpret_cast<uint8_t*>(last_ + 1);
      const uintptr_t next = reinterpret_cast<uintptr_t>(bytes) + last_->used;
      const size_t padding = static_cast<size_t>(-next & (alignment - 1));
      const size_t left = last_->size - last_->used;
      if (padding <= left && size <= left - padding) {
        uint8_t* const start = bytes + last_->used + padding;
        last_->used += padding + size;
        return start;
      }
    }
    const size_t overhead = sizeof(Block) + alignment + kSlack;
    if (fresh || size > SIZE_MAX / 2 || alignment > SIZE_MAX / 4) return nullptr;
    size_t block_size = last_ == nullptr ? kMinBlock : 2 * last_->size;
    if (block_size < size + overhead) block_size = size + overhead;
    Block* const block = static_cast<Block*>(std::malloc(sizeof(Block) + block_size + kSlack));
    if (block == nullptr) return nullptr;
    *block = {last_, mark(), block_size, 0};
    last_ = block;
  }
}

void HeapArena::rewind(size_t mark) {
  if (last_ == nullptr) return;
  if (mark == 0) {
    // Nothing is left in use. Keeps the last block, the largest, for later allocations.
    free_blocks(last_->previous);
    *last_ = {nullptr, 0, last_->size, 0};
    return;
  }
  while (last_->before > mark) {
    Block* const block = last_;
    last_ = block->previous;
    std::free(block);
  }
  last_->used = mark - last_->before;
}

void HeapArena::free_blocks(Block* block) {
  while (block != nullptr) {
    Block* const previous = block->previous;
    std::free(block);
    block = previous;
  }
}

}  // namespace bpte
