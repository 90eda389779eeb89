// SPDX-License-Identifier: BSD-3-Clause

// Checksums are checked here. A file that passes them must fail once a bit of it is flipped: the
// last bytes of an input say which.

#include <cstdlib>

#include "aligned_copy.h"
#include "bundle_mutator.h"
#include "read_all.h"

namespace {

constexpr size_t kFlipBytes = 4;

// Makes the segments' checksums right if the segment table lies where a valid file has it.
void repair_segment_crcs(uint8_t* data, size_t size) {
  const bpte_fuzz::AlignedCopy copy(data, size);
  bpte_fuzz::repair_metadata_crc(copy.writable().data(), size);
  const auto bundle = bpte::Bundle::open(copy.bytes());
  for (uint32_t i = 0; bundle.ok() && i < bundle->segment_count(); ++i) {
    const bpte::SegmentInfo info = bundle->segment(i).get();
    // The entry in the metadata: found by its content.
    uint8_t wanted[24];
    const uint64_t offset = info.file_offset - bundle->header().segment_base_offset;
    bpte_fuzz::store(wanted, offset);
    bpte_fuzz::store(wanted + 8, info.size);
    bpte_fuzz::store(wanted + 16, info.alignment);
    bpte_fuzz::store(wanted + 20, info.crc32);
    for (size_t at = 72; at + 24 <= bundle->header().metadata_size; at += 4) {
      if (std::memcmp(data + at, wanted, 24) == 0) {
        bpte_fuzz::store(data + at + 20,
                         bpte::crc32({data + info.file_offset, static_cast<size_t>(info.size)}));
      }
    }
  }
  bpte_fuzz::repair_metadata_crc(data, size);
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0 && size > kFlipBytes) {
    bpte_fuzz::repair_bp09(data, size - kFlipBytes);
    bpte_fuzz::repair_metadata_crc(data, size - kFlipBytes);
    repair_segment_crcs(data, size - kFlipBytes);
  }
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size <= kFlipBytes) {
    return 0;
  }
  const size_t file_size = size - kFlipBytes;
  const bpte_fuzz::AlignedCopy file(data, file_size);
  bpte::OpenOptions options;
  options.verify_checksums = true;
  const auto bundle = bpte::Bundle::open(file.bytes(), options);
  if (!bundle.ok()) {
    return 0;
  }
  bpte_test::read_all(bundle.get(), {});
  if (bundle->header().format == bpte::Format::kBP08) {
    return 0;  // has no checksums
  }
  uint32_t flip = bpte_fuzz::load<uint32_t>(data + file_size);
  flip %= static_cast<uint32_t>(file_size * 8);
  file.writable()[flip / 8] ^= static_cast<uint8_t>(1u << flip % 8);
  if (bpte::Bundle::open(file.bytes(), options).ok()) {
    std::abort();
  }
  return 0;
}
