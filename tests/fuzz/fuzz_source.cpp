// SPDX-License-Identifier: BSD-3-Clause

// Opens through a data source that misbehaves: the first bytes of an input say how (reads that
// fail, bytes that change between reads, a size that is wrong or unknown, buffers that are too
// small). Any checksum is accepted, so that the reader must be safe with any bytes.

#include "aligned_copy.h"
#include "bundle_mutator.h"
#include "read_all.h"

namespace {

// What goes wrong, in the first kFaultBytes of an input.
constexpr size_t kFaultBytes = 16;

class FaultySource : public bpte::DataSource {
 public:
  FaultySource(const uint8_t* faults, bpte::Span<const uint8_t> bytes)
      : faults_(faults), bytes_(bytes) {}

  uint64_t size() const override {
    switch (faults_[0] % 8) {
      case 0:
        return kUnknownSize;
      case 1:
        return bytes_.size() + faults_[1];
      case 2:
        return bytes_.size() - (faults_[1] < bytes_.size() ? faults_[1] : bytes_.size());
      case 3:
        // Changes between two calls.
        return bytes_.size() + (++size_calls_ > 1 ? faults_[1] : 0);
      default:
        return bytes_.size();
    }
  }

  bool read(uint64_t offset, bpte::Span<uint8_t> buffer) override {
    ++reads_;
    if (offset > bytes_.size() || buffer.size() > bytes_.size() - offset) {
      return false;
    }
    if (faults_[2] != 0 && reads_ == faults_[2]) {
      // Fails, having written some of the bytes.
      std::memset(buffer.data(), 0xEE, buffer.size() / 2);
      return false;
    }
    if (!buffer.empty()) {
      std::memcpy(buffer.data(), bytes_.data() + offset, buffer.size());
    }
    // From this reading on, eight bytes are different.
    if (faults_[3] != 0 && reads_ >= faults_[3]) {
      const uint64_t at = bpte_fuzz::load<uint16_t>(faults_ + 4);
      for (unsigned i = 0; i < 8; ++i) {
        if (at + i >= offset && at + i - offset < buffer.size()) {
          buffer.data()[at + i - offset] ^= faults_[8 + i];
        }
      }
    }
    return true;
  }

 private:
  const uint8_t* faults_;
  bpte::Span<const uint8_t> bytes_;
  mutable unsigned size_calls_ = 0;
  unsigned reads_ = 0;
};

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 == 0 || size < kFaultBytes) {
    return size;
  }
  uint8_t* const file = data + kFaultBytes;
  if (seed % 8 == 1 && size >= kFaultBytes + 8) {
    std::memcpy(file + 4, "BP08", 4);
  } else {
    bpte_fuzz::repair_bp09(file, size - kFaultBytes);
  }
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kFaultBytes) {
    return 0;
  }
  const uint8_t* const faults = data;
  const size_t file_size = size - kFaultBytes;
  FaultySource source(faults, {data + kFaultBytes, file_size});
  // Usually large enough, with a varying rest as scratch for checksums.
  const bpte_fuzz::AlignedCopy metadata(faults[6] % 8 == 0 ? size_t{faults[7]} * 8
                                                           : file_size + faults[7]);
  const bpte_fuzz::AlignedCopy payload(faults[6] % 8 == 1 ? file_size / 2 : file_size);
  bpte::OpenOptions options;
  options.verify_checksums = faults[6] >= 128;
  const auto bundle = bpte::Bundle::open(source, metadata.writable(), options);
  if (bundle.ok()) {
    bpte_test::read_all(bundle.get(), payload.writable());
  }
  return 0;
}
