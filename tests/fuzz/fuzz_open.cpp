// SPDX-License-Identifier: BSD-3-Clause

// Opens the bytes in place and reads everything that the bundle gives. Any checksum is accepted.

#include <cstdlib>

#include "aligned_copy.h"
#include "bundle_mutator.h"
#include "read_all.h"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  return seed % 8 != 0 ? bpte_fuzz::repair_bp09(data, size) : size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const bpte_fuzz::AlignedCopy file(data, size);
  const auto bundle = bpte::Bundle::open(file.bytes());
  char message[160];
  if (bundle.ok()) {
    bpte_test::read_all(bundle.get(), {});
  } else if (bpte::format_fault(bundle.fault(), message) != std::strlen(message)) {
    std::abort();
  }
  return 0;
}
