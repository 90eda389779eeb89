// SPDX-License-Identifier: BSD-3-Clause
// A file that grows from its end, and a set of the things that are already in it.

#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "python.h"

namespace bpte_native {

// Bytes written from the last to the first. Places are counted from the end.
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { PyMem_RawFree(memory_); }

  // Makes room for `count` bytes before the existing ones; valid until the next call. Throws
  // bad_alloc.
  uint8_t* prepend(size_t count) {
    if (count > capacity_ - used_) grow(count);
    used_ += count;
    return memory_ + (capacity_ - used_);
  }
  [[nodiscard]] size_t used() const { return used_; }
  // The byte that is `place` bytes before the end.
  [[nodiscard]] const uint8_t* at(size_t place) const { return memory_ + (capacity_ - place); }

 private:
  void grow(size_t count) {
    size_t capacity = capacity_ + capacity_ / 2 + count + 4096;
    auto* memory = static_cast<uint8_t*>(PyMem_RawMalloc(capacity));
    if (memory == nullptr) throw std::bad_alloc();
    if (used_ != 0) std::memcpy(memory + (capacity - used_), at(used_), used_);
    PyMem_RawFree(memory_);
    memory_ = memory;
    capacity_ = capacity;
  }

  uint8_t* memory_ = nullptr;
  size_t capacity_ = 0;
  size_t used_ = 0;
};

// Finds bytes that were written before. Only bytes with the same tag count as equal.
class Shared {
 public:
  explicit Shared(const Arena& arena) : arena_(arena) {}

  // The distance that was noted for these bytes, or 0; then `note` is called next for them.
  uint32_t find(uint32_t tag, const uint8_t* bytes, size_t count) {
    if (entries_.empty() || 4 * (filled_ + 1) > 3 * entries_.size()) rehash();
    hash_ = hash(tag, bytes, count);
    size_t mask = entries_.size() - 1;
    for (slot_ = hash_ & mask;; slot_ = (slot_ + 1) & mask) {
      const Entry& entry = entries_[slot_];
      if (entry.distance == 0) return 0;
      if (entry.hash == hash_ && entry.tag == tag && entry.count == count &&
          std::memcmp(arena_.at(entry.place), bytes, count) == 0) {
        return entry.distance;
      }
    }
  }
  // Remembers that the bytes of the last `find` are now at `place` in the arena.
  void note(uint32_t tag, size_t place, size_t count, uint32_t distance) {
    entries_[slot_] = {hash_, static_cast<uint32_t>(count), tag, distance, place};
    ++filled_;
  }

 private:
  struct Entry {
    uint32_t hash;
    uint32_t count;
    uint32_t tag;
    uint32_t distance;  // 0: empty
    size_t place;
  };

  static uint32_t hash(uint32_t tag, const uint8_t* bytes, size_t count) {
    uint64_t state = (tag + count) * 0x9E3779B97F4A7C15u;
    while (count >= 8) {
      uint64_t word;
      std::memcpy(&word, bytes, 8);
      state = (state ^ word) * 0xFF51AFD7ED558CCDu;
      state ^= state >> 32;
      bytes += 8;
      count -= 8;
    }
    uint64_t word = 0;
    if (count != 0) std::memcpy(&word, bytes, count);
    state = (state ^ word) * 0xFF51AFD7ED558CCDu;
    state ^= state >> 32;
    state *= 0xC4CEB9FE1A85EC53u;
    return static_cast<uint32_t>(state >> 32);
  }

  void rehash() {
    PyVector<Entry> old(entries_.empty() ? 64 : 2 * entries_.size());
    old.swap(entries_);
    size_t mask = entries_.size() - 1;
    for (const Entry& entry : old) {
      if (entry.distance == 0) continue;
      size_t slot = entry.hash & mask;
      while (entries_[slot].distance != 0) slot = (slot + 1) & mask;
      entries_[slot] = entry;
    }
  }

  const Arena& arena_;
  PyVector<Entry> entries_;
  size_t filled_ = 0;
  size_t slot_ = 0;
  uint32_t hash_ = 0;
};

}  // namespace bpte_native
