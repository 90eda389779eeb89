// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/internal/flatbuffer.h>

namespace bpte::flatbuffer {

Position Reader::fail(Position at) {
  if (!bad()) {
    bad_at_ = at;
  }
  return 0;
}

bool Reader::holds(Position at, uint32_t size, uint32_t align) {
  if ((at & (align - 1)) == 0 && at <= size_ && size <= size_ - at) {
    return true;
  }
  fail(at);
  return false;
}

Position Reader::follow(Position at) {
  if (at == 0 && !holds(0, 4, 4)) {
    return 0;
  }
  const uint32_t offset = load<uint32_t>(at);
  // Both terms are below 2^31: the sum cannot wrap.
  if (offset == 0 || offset > kMaxSize || at + offset >= size_) {
    return fail(at);
  }
  return at + offset;
}

Position Reader::root() {
  return follow(0);
}

Position Reader::field(Position table, unsigned index, Shape shape) {
  if (table == 0 || bad() || !holds(table, 4, 4)) {
    return 0;
  }
  // The stored offset is signed. Computing modulo 2^32 is enough: a vtable in front of the buffer
  // becomes a position of 2^31 or more, which lies outside every buffer.
  const Position vtable = table - load<uint32_t>(table);
  if (!holds(vtable, 2, 2)) {
    return 0;
  }
  const uint32_t vtable_size = load<uint16_t>(vtable);
  if ((vtable_size & 1) != 0) {
    return fail(vtable);
  }
  if (!holds(vtable, vtable_size, 2)) {
    return 0;
  }
  const uint32_t slot = 4 + 2 * index;
  if (slot >= vtable_size) {
    return 0;
  }
  const uint32_t offset = load<uint16_t>(vtable + slot);
  if (offset == 0) {
    return 0;
  }
  return holds(table + offset, shape >> 8, shape & 0xFF) ? table + offset : 0;
}

Position Reader::table(Position table, unsigned index) {
  const Position at = field(table, index, kOffset);
  return at != 0 ? follow(at) : 0;
}

PackedVector Reader::find(Position table, unsigned index, Shape element) {
  Vector found;
  const Position at = this->table(table, index);
  if (at == 0 || !holds(at, 4, 4)) {
    return PackedVector::kAbsent;
  }
  found.count = load<uint32_t>(at);
  found.at = at + 4;
  // holds() takes a product below 2^32: no buffer is larger than 2^31.
  const uint64_t bytes = uint64_t{found.count} * (element >> 8);
  if (bytes > kMaxSize ||
      !holds(found.at, static_cast<uint32_t>(bytes), bytes != 0 ? element & 0xFF : 1)) {
    fail(at);
    return PackedVector::kAbsent;
  }
  return found;
}

PackedVector Reader::find_tables(Position table, unsigned index) {
  return find(table, index, kOffset);
}

PackedVector Reader::find_string(Position table, unsigned index) {
  const Vector found = find(table, index, kByte);
  const Position end = found.at + found.count;
  if (found && (!holds(end, 1, 1) || data_[end] != 0)) {
    fail(found.at);
    return PackedVector::kAbsent;
  }
  return found;
}

}  // namespace bpte::flatbuffer
