// SPDX-License-Identifier: BSD-3-Clause
// Data files (`.ptd`) that anything may have written: opens them, reads every entry, looks each key
// up as the engines do. The first byte of an input says whether the program has its file twice.
// Besides the sanitizers' checks: a failure has a message, what passed the check can be read, and a
// look-up gives what the entry is, or says why not.

#include <bpte/engine/data_file.h>

#include <cstdlib>
#include <cstring>

#include "aligned_copy.h"
#include "bundle_mutator.h"
#include "read_all.h"

namespace {

constexpr char kName[] = "weights.ptd";

class Files final : public bpte::DataFiles {
 public:
  Files(bpte::Span<const uint8_t> bytes, uint32_t count) : bytes_(bytes), count_(count) {}
  uint32_t count() const override { return count_; }
  bpte::Text name(uint32_t) const override { return {kName, sizeof kName - 1}; }
  bpte::ProgramLocation location(uint32_t) const override {
    bpte::ProgramLocation location;
    location.bytes = bytes_;
    return location;
  }

 private:
  bpte::Span<const uint8_t> bytes_;
  uint32_t count_;
};

void require(bool is_so) {
  if (!is_so) std::abort();
}

/// Whether it succeeded; a message is there when it did not, and only then.
bool passed(bool ok, const bpte::Report& report) {
  require(ok == (report.error() == bpte::EngineError::kOk));
  require(ok == (report.message()[0] == '\0'));
  return ok;
}

void read(const bpte::DataEntry& entry) {
  const bpte::TensorView& tensor = entry.tensor;
  bpte_test::sum_of_bytes(entry.key.data, entry.key.size + 1);
  bpte_test::sum_of_bytes(tensor.data.data(), tensor.data.size());
  bpte_test::sum_of_bytes(tensor.sizes.data(), tensor.sizes.size() * sizeof(int32_t));
  bpte_test::sum_of_bytes(tensor.dim_order.data(), tensor.dim_order.size());
  require(entry.key.size != 0 && entry.key.data[entry.key.size] == '\0');
  require(entry.has_layout || tensor.sizes.empty());
  require(tensor.sizes.size() == tensor.dim_order.size());
}

uint64_t dense_bytes(const bpte::TensorView& tensor) {
  size_t bytes = bpte::element_size(tensor.scalar_type);
  for (const int32_t size : tensor.sizes) bytes *= static_cast<size_t>(size);
  return bytes;
}

/// Looks the key of a valid entry up.
void look_up(const bpte::DataFileSet& set, const bpte::DataEntry& entry) {
  bpte::DataEntry found, tensor;
  bpte::Report report;
  const bool unique = set.find(entry.key, found);
  if (unique)
    require(found.key == entry.key && found.tensor.data.data() == entry.tensor.data.data());
  const bool fits = entry.has_layout && dense_bytes(entry.tensor) == entry.tensor.data.size();
  const bool is_tensor = set.find_tensor(entry.key, entry.tensor, tensor, report);
  require(passed(is_tensor, report) == (unique && fits));
}

}  // namespace

// Most inputs get a header that fits their length again.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 == 0 || size < 1 + 64) return size;
  uint8_t* const file = data + 1;
  const uint64_t length = size - 1;
  std::memcpy(file + 4, "FT01FH01", 8);
  bpte_fuzz::store<uint32_t>(file + 12, 40);
  bpte_fuzz::store<uint64_t>(file + 16, 48);
  uint64_t base = bpte_fuzz::load<uint64_t>(file + 32);
  if (base < 48 || base > length) base = length / 2;
  bpte_fuzz::store<uint64_t>(file + 24, base < 48 ? 0 : base - 48);
  bpte_fuzz::store<uint64_t>(file + 32, base);
  bpte_fuzz::store<uint64_t>(file + 40, length - base);
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const bpte_fuzz::AlignedCopy file(data + 1, size - 1, bpte::DataFile::kAlignment);
  const Files files(file.bytes(), 1 + data[0] % 2);
  bpte::DataFileSet set(&files);
  bpte::Report report;
  if (!passed(set.check(report), report)) return 0;
  bpte::DataEntry entry;
  for (uint64_t i = 0; i < set.key_count(); ++i) {
    require(set.entry(i, entry));
    read(entry);
    // Every look-up reads all keys: of a file of thousands, some are enough.
    if (i < 16) look_up(set, entry);
  }
  require(!set.entry(set.key_count(), entry));
  const bpte::Text missing = {"\xff", 1};
  bpte::Report missed;
  require(!passed(set.find_tensor(missing, {}, entry, missed), missed) || set.find(missing, entry));
  return 0;
}
