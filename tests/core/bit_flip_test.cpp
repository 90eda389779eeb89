// SPDX-License-Identifier: BSD-3-Clause

// Every bit of three bundles flipped in turn, between guard pages. With checksums on, each flip is
// refused; with them off, none crashes or reads outside the file, in place or from a source.

#include "check.h"
#include "guarded.h"
#include "memory_source.h"
#include "read_all.h"
#include "samples.h"

namespace {

void flip_every_bit(bpte::Span<const uint8_t> sample) {
  const bpte_test::Guarded file(sample.data(), sample.size());
  const bpte_test::Guarded metadata(sample.size());
  const bpte_test::Guarded payload(sample.size());
  bpte::OpenOptions verify;
  verify.verify_checksums = true;
  CHECK(bpte::Bundle::open(file.bytes(), verify).ok());

  size_t accepted = 0;
  size_t accepted_from_source = 0;
  for (size_t bit = 0; bit < sample.size() * 8; ++bit) {
    uint8_t& byte = file.writable()[bit / 8];
    const uint8_t mask = static_cast<uint8_t>(1u << bit % 8);
    byte ^= mask;
    accepted += bpte::Bundle::open(file.bytes(), verify).ok() ? 1 : 0;
    bpte_test::MemorySource source(file.bytes());
    accepted_from_source += bpte::Bundle::open(source, metadata.writable(), verify).ok() ? 1 : 0;
    const auto bundle = bpte::Bundle::open(file.bytes());
    if (bundle.ok()) {
      bpte_test::read_all(bundle.get(), {});
    }
    const auto from_source = bpte::Bundle::open(source, metadata.writable());
    if (from_source.ok()) {
      bpte_test::read_all(from_source.get(), payload.writable());
    }
    byte ^= mask;
  }
  CHECK(accepted == 0);
  CHECK(accepted_from_source == 0);
  CHECK(bpte::Bundle::open(file.bytes(), verify).ok());
}

// BP08 has no checksums: only that nothing crashes, and that both readers agree.
void flip_every_bit_of_bp08(bpte::Span<const uint8_t> sample) {
  const bpte_test::Guarded file(sample.data(), sample.size(), 16);
  const bpte_test::Guarded buffer(sample.size(), 16);
  size_t disagreements = 0;
  for (size_t bit = 0; bit < sample.size() * 8; ++bit) {
    uint8_t& byte = file.writable()[bit / 8];
    const uint8_t mask = static_cast<uint8_t>(1u << bit % 8);
    byte ^= mask;
    const auto in_place = bpte::Bundle::open(file.bytes());
    bpte_test::MemorySource source(file.bytes());
    const auto from_source = bpte::Bundle::open(source, buffer.writable());
    disagreements += in_place.fault().error != from_source.fault().error ? 1 : 0;
    if (in_place.ok() && from_source.ok()) {
      disagreements +=
          bpte_test::read_all(in_place.get(), {}) != bpte_test::read_all(from_source.get(), {}) ? 1
                                                                                                : 0;
    }
    byte ^= mask;
  }
  CHECK(disagreements == 0);
}

// Flips before they can be cut short: every prefix of a file is refused too.
void cut_everywhere(bpte::Span<const uint8_t> sample) {
  size_t accepted = 0;
  for (size_t size = 0; size < sample.size(); ++size) {
    const bpte_test::Guarded file(sample.data(), size);
    accepted += bpte::Bundle::open(file.bytes()).ok() ? 1 : 0;
    bpte_test::MemorySource source(file.bytes());
    const bpte_test::Guarded buffer(size < 128 ? 128 : size);
    accepted += bpte::Bundle::open(source, buffer.writable()).ok() ? 1 : 0;
  }
  CHECK(accepted == 0);
}

TEST_CASE("flipped bits of a plain bundle are refused") {
  flip_every_bit(bpte_test::kPlain);
}

TEST_CASE("flipped bits of a bundle with a longer header are refused") {
  flip_every_bit(bpte_test::kLongerHeader);
}

TEST_CASE("flipped bits of a bundle with tolerances are refused") {
  flip_every_bit(bpte_test::kTolerances);
}

TEST_CASE("flipped bits of a BP08 file read alike in place and from a source") {
  flip_every_bit_of_bp08(bpte_test::kPlainBP08);
}

TEST_CASE("every prefix of a bundle is refused") {
  cut_everywhere(bpte_test::kPlain);
}

}  // namespace
