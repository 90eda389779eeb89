// SPDX-License-Identifier: BSD-3-Clause

// As fuzz_open, for BP08: in place and through a data source, which must give the same results.

#include <cstdlib>

#include "aligned_copy.h"
#include "bundle_mutator.h"
#include "memory_source.h"
#include "read_all.h"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0 && size >= 8) {
    std::memcpy(data + 4, "BP08", 4);
  }
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const bpte_fuzz::AlignedCopy file(data, size);
  const auto in_place = bpte::Bundle::open(file.bytes());
  uint64_t sum = 0;
  if (in_place.ok()) {
    sum = bpte_test::read_all(in_place.get(), {});
  }
  bpte_test::MemorySource source(file.bytes());
  const bpte_fuzz::AlignedCopy buffer(size < bpte::kHeaderProbeSize ? bpte::kHeaderProbeSize
                                                                    : size);
  const auto from_source = bpte::Bundle::open(source, buffer.writable());
  if (from_source.fault().error != in_place.fault().error) {
    std::abort();
  }
  const bpte_fuzz::AlignedCopy payload(size);
  if (from_source.ok() && bpte_test::read_all(from_source.get(), payload.writable()) != sum) {
    std::abort();
  }
  return 0;
}
