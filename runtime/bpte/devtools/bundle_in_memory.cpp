// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/crc32.h>
#include <bpte/devtools/bundle_in_memory.h>

#include <atomic>
#include <cstring>

namespace bpte {

namespace {

constexpr size_t kIdentifierOffset = 4;
constexpr size_t kIdentifierSize = 4;

// No FlatBuffer is larger: its offsets are signed 32-bit numbers in places.
constexpr uint64_t kLargestFlatBuffer = 0x7FFFFFFF;

// So many of a file's first bytes tell it from another one.
constexpr size_t kFingerprintSize = 128;

uint32_t fingerprint(const void* data, size_t length) {
  const size_t size = length < kFingerprintSize ? length : kFingerprintSize;
  return crc32({static_cast<const uint8_t*>(data), size});
}

// The latest addresses, each with its file's length. The address is null while the rest of a slot
// changes, so that no reader takes one file's length for another's.
struct Slot {
  std::atomic<const void*> address{nullptr};
  std::atomic<size_t> length{0};
  std::atomic<uint32_t> fingerprint{0};
};
Slot slots[8];
std::atomic<unsigned> next_slot{0};

Slot* slot_of(const void* data) {
  for (Slot& slot : slots) {
    if (slot.address.load() == data) return &slot;
  }
  return nullptr;
}

// 0 when there is none.
size_t remembered_length(const void* data) {
  const Slot* const slot = slot_of(data);
  if (slot == nullptr) return 0;
  const size_t length = slot->length.load();
  const uint32_t expected = slot->fingerprint.load();
  const bool current = slot->address.load() == data && fingerprint(data, length) == expected;
  return current ? length : 0;
}

bool has_identifier(const uint8_t* data, const char* identifier) {
  return std::memcmp(data + kIdentifierOffset, identifier, kIdentifierSize) == 0;
}

uint64_t length_of(const uint8_t* data) {
  if (has_identifier(data, "BP09")) {
    // A header that breaks a rule is named when the bundle is opened, which reads its first bytes.
    const Result<Header> header = Header::parse({data, kHeaderProbeSize});
    return header.ok() ? header->file_size : kHeaderProbeSize;
  }
  const size_t remembered = remembered_length(data);
  return remembered != 0 ? remembered : kLargestFlatBuffer;
}

}  // namespace

bool begins_as_bundle(const void* data) {
  const auto* const bytes = static_cast<const uint8_t*>(data);
  return bytes != nullptr && (has_identifier(bytes, "BP08") || has_identifier(bytes, "BP09"));
}

void remember_length(const void* data, size_t length) {
  if (!has_identifier(static_cast<const uint8_t*>(data), "BP08")) return;
  Slot* slot = slot_of(data);
  if (slot == nullptr) slot = &slots[next_slot.fetch_add(1) % (sizeof slots / sizeof *slots)];
  slot->address.store(nullptr);
  slot->length.store(length);
  slot->fingerprint.store(fingerprint(data, length));
  slot->address.store(data);
}

bool BundleInMemory::Source::read(uint64_t offset, Span<uint8_t> buffer) {
  return offset <= size_ && buffer.size() <= size_ - offset && buffer.data() == data_ + offset;
}

BundleInMemory::BundleInMemory(const void* data)
    : BundleInMemory(data, static_cast<size_t>(length_of(static_cast<const uint8_t*>(data)))) {}

BundleInMemory::BundleInMemory(const void* data, size_t length)
    : data_(static_cast<const uint8_t*>(data)), source_(data_, length) {
  bundle_ = Bundle::open(source_, destination(0, source_.size()));
}

Span<uint8_t> BundleInMemory::destination(uint64_t offset, uint64_t size) const {
  return {const_cast<uint8_t*>(data_) + offset, static_cast<size_t>(size)};
}

Span<const uint8_t> BundleInMemory::bytes_of(const SegmentInfo& info) const {
  return {data_ + info.file_offset, static_cast<size_t>(info.size)};
}

Result<Span<const uint8_t>> BundleInMemory::payload(const TestCase& test_case) const {
  const SegmentInfo info = test_case.payload();
  return bundle_->case_payload(test_case, destination(info.file_offset, info.size), true);
}

}  // namespace bpte
