// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/engine/executorch/arena.h>

namespace bpte {

/// An arena that grows on the heap: for hosts.
class HeapArena final : public Arena {
 public:
  HeapArena() = default;
  ~HeapArena() { free_blocks(last_); }
  HeapArena(const HeapArena&) = delete;
  HeapArena& operator=(const HeapArena&) = delete;

  void* allocate(size_t size, size_t alignment) override;
  size_t mark() const override { return last_ == nullptr ? 0 : last_->before + last_->used; }
  void rewind(size_t mark) override;
  size_t available() const override { return SIZE_MAX; }

 private:
  struct Block {
    Block* previous;
    size_t before;  // bytes allocated from earlier blocks
    size_t size;    // bytes after this header
    size_t used;
  };

  static void free_blocks(Block* block);

  Block* last_ = nullptr;
};

}  // namespace bpte
