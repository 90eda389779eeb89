// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/core/internal/aligned.h>
#include <bpte/core/scalar_type.h>
#include <bpte/engine/data_file.h>
#include <bpte/engine/form.h>

#include <cstring>

namespace bpte {

#if BPTE_ENGINE_DATA_FILES

namespace {

using flatbuffer::kByte;
using flatbuffer::kU32;
using flatbuffer::Position;
using flatbuffer::Vector;

// ExecuTorch's extension/flat_tensor: the identifier, the header behind it (flat_tensor_header.h)
// and the numbers of the fields (flat_tensor.fbs). tests/runner/test_data_files.py reads the files
// that ExecuTorch writes.
constexpr char kIdentifier[] = "FT01";
constexpr char kHeaderMagic[] = "FH01";
constexpr size_t kHeaderAt = 8;
constexpr size_t kHeaderLength = 40;
constexpr uint32_t kVersion = 0;

namespace FlatTensor {
enum : uint16_t { version = 0, segments = 1, named_data = 2 };
}
namespace NamedData {
enum : uint16_t { key = 0, segment_index = 1, tensor_layout = 2 };
}
namespace DataSegment {
enum : uint16_t { offset = 0, size = 1 };
}
namespace TensorLayout {
enum : uint16_t { scalar_type = 0, sizes = 1, dim_order = 2 };
}

template <typename T>
T load(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// "float32[2, 3]", with the memory order if that is not row-major.
Report& describe(Report& report, const TensorView& tensor) {
  report << to_string(tensor.scalar_type);
  report.list(tensor.sizes.data(), tensor.sizes.size());
  bool row_major = true;
  for (size_t i = 0; i < tensor.dim_order.size(); ++i) {
    row_major = row_major && tensor.dim_order[i] == i;
  }
  if (row_major) return report;
  return (report << " in order ").list(tensor.dim_order.data(), tensor.dim_order.size());
}

}  // namespace

Report& DataFile::refuse(Report& report) const {
  return report.fail(EngineError::kInvalidData) << "data file '" << name_ << "': ";
}

bool DataFile::read_header(Report& report, size_t& flatbuffer_size) {
  const uint8_t* const header = bytes_.data() + kHeaderAt;
  const uint64_t size = bytes_.size();
  if (size < kHeaderAt + kHeaderLength || std::memcmp(bytes_.data() + 4, kIdentifier, 4) != 0 ||
      std::memcmp(header, kHeaderMagic, 4) != 0) {
    return refuse(report) << "not a data file of ExecuTorch (" << kIdentifier << ", with a header "
                          << kHeaderMagic << ")";
  }
  const auto length = load<uint32_t>(header + 4);
  const auto start = load<uint64_t>(header + 8), used = load<uint64_t>(header + 16);
  const auto base = load<uint64_t>(header + 24), data_size = load<uint64_t>(header + 32);
  if (length < kHeaderLength || start < kHeaderAt + kHeaderLength || start > size ||
      used > size - start || base > size || data_size > size - base) {
    return refuse(report) << "its header (FlatBuffer at " << start << ", size " << used
                          << ", segments at " << base << ", size " << data_size
                          << ") contradicts the file's size, " << size;
  }
  flatbuffer_size = static_cast<size_t>(start + used);
  segment_base_ = base;
  segment_end_ = base + data_size;
  return true;
}

bool DataFile::open(Span<const uint8_t> bytes, Text name, Report& report) {
  *this = DataFile();
  bytes_ = bytes;
  name_ = name;
  size_t flatbuffer_size = 0;
  if (!read_header(report, flatbuffer_size)) return false;
  if (reinterpret_cast<uintptr_t>(bytes.data()) % kAlignment != 0) {
    return refuse(report) << "its address is no multiple of " << uint64_t{kAlignment};
  }
  reader_ = flatbuffer::Reader(bytes.subspan(0, flatbuffer_size));
  const Position root = reader_.root();
  const uint32_t version = reader_.scalar<uint32_t>(root, FlatTensor::version);
  segments_ = reader_.tables(root, FlatTensor::segments);
  entries_ = reader_.tables(root, FlatTensor::named_data);
  if (reader_.bad()) return refuse(report) << "its FlatBuffer is malformed";
  if (version != kVersion) {
    return refuse(report) << "version " << version << ", known is " << kVersion;
  }
  return true;
}

bool DataFile::layout(Position table, TensorView& tensor) const {
  tensor.scalar_type =
      static_cast<ScalarType>(reader_.scalar<int8_t>(table, TensorLayout::scalar_type));
  const Vector sizes = reader_.vector(table, TensorLayout::sizes, kU32);
  const Vector dim_order = reader_.vector(table, TensorLayout::dim_order, kByte);
  if (reader_.bad() || sizes.count > kMaxRank || dim_order.count != sizes.count) return false;
  if (sizes.count == 0) return true;  // a scalar: the vectors may be absent
  tensor.sizes = {internal::as_aligned<int32_t>(reader_.pointer(sizes.at)), sizes.count};
  tensor.dim_order = {reader_.pointer(dim_order.at), dim_order.count};
  uint32_t seen = 0;
  for (const uint8_t dimension : tensor.dim_order) {
    if (dimension >= sizes.count) return false;
    seen |= 1u << dimension;
  }
  return seen == (1u << sizes.count) - 1;
}

Text DataFile::key(uint32_t index) const {
  const Vector key = reader_.string(reader_.element(entries_, index), NamedData::key);
  if (!key) return {};
  return {reinterpret_cast<const char*>(reader_.pointer(key.at)), key.count};
}

bool DataFile::entry(uint32_t index, DataEntry& entry, Report& report) const {
  entry = DataEntry();
  entry.key = key(index);
  const Position table = reader_.element(entries_, index);
  const uint32_t segment = reader_.scalar<uint32_t>(table, NamedData::segment_index);
  const Position layout_table = reader_.table(table, NamedData::tensor_layout);
  if (reader_.bad() || entry.key.size == 0) {
    return refuse(report) << "entry " << index << " has no key, or its FlatBuffer is malformed";
  }
  if (segment >= segments_.count) {
    return refuse(report) << "the key '" << entry.key << "' is in segment " << segment << " of "
                          << segments_.count;
  }
  const Position at = reader_.element(segments_, segment);
  const auto offset = reader_.scalar<uint64_t>(at, DataSegment::offset);
  const auto size = reader_.scalar<uint64_t>(at, DataSegment::size);
  const uint64_t room = segment_end_ - segment_base_;
  if (reader_.bad() || offset > room || size > room - offset) {
    return refuse(report) << "segment " << segment << " (offset " << offset << ", size " << size
                          << ") ends past its data, " << room << " bytes";
  }
  entry.has_layout = layout_table != 0;
  if (entry.has_layout && !layout(layout_table, entry.tensor)) {
    return refuse(report) << "the key '" << entry.key << "' has no valid sizes and dim_order";
  }
  entry.tensor.data =
      bytes_.subspan(static_cast<size_t>(segment_base_ + offset), static_cast<size_t>(size));
  return true;
}

bool DataFileSet::file(uint32_t index, DataFile& file, Report& report) const {
  const Span<const uint8_t> bytes =
      copies_.empty() ? files_->location(index).bytes : copies_[index];
  return file.open(bytes, files_->name(index), report);
}

bool DataFileSet::check(Report& report) {
  key_count_ = 0;
  for (uint32_t i = 0; i < count(); ++i) {
    DataFile opened;
    if (!file(i, opened, report)) return false;
    for (uint32_t k = 0; k < opened.count(); ++k) {
      DataEntry entry;
      if (!opened.entry(k, entry, report)) return false;
    }
    key_count_ += opened.count();
  }
  return true;
}

bool DataFileSet::entry(uint64_t index, DataEntry& entry) const {
  Report ignored;
  for (uint32_t i = 0; i < count(); ++i) {
    DataFile opened;
    if (!file(i, opened, ignored)) return false;
    if (index < opened.count()) return opened.entry(static_cast<uint32_t>(index), entry, ignored);
    index -= opened.count();
  }
  return false;
}

uint32_t DataFileSet::find_all(Text key, DataEntry& entry) const {
  Report ignored;
  uint32_t found = 0;
  for (uint32_t i = 0; i < count(); ++i) {
    DataFile opened;
    if (!file(i, opened, ignored)) continue;
    for (uint32_t k = 0; k < opened.count(); ++k) {
      if (!(opened.key(k) == key)) continue;
      if (!opened.entry(k, entry, ignored)) return 0;
      ++found;
    }
  }
  return found;
}

bool DataFileSet::find(Text key, DataEntry& entry) const {
  return find_all(key, entry) == 1;
}

bool DataFileSet::find_tensor(Text key, const TensorView& wanted, DataEntry& entry,
                              Report& report) const {
  const uint32_t found = find_all(key, entry);
  if (found == 0) return miss(key, report);
  const auto refuse = [&]() -> Report& {
    return report.fail(EngineError::kInvalidData) << "the external tensor '" << key << "' ";
  };
  if (found > 1) return refuse() << "stands in the data files " << found << " times";
  const TensorView& given = entry.tensor;
  if (!entry.has_layout) {
    refuse() << "is no tensor in its data file, the program wants ";
    return describe(report, wanted);
  }
  if (!same_form(given, wanted)) {
    refuse() << "is ";
    describe(report, given) << " in its data file, the program wants ";
    return describe(report, wanted);
  }
  size_t bytes = element_size(wanted.scalar_type);
  for (const int32_t size : wanted.sizes) bytes *= static_cast<size_t>(size);
  if (given.data.size() != bytes) {
    return refuse() << "has " << uint64_t{given.data.size()} << " bytes in its data file, it needs "
                    << uint64_t{bytes};
  }
  return true;
}

#else

bool DataFileSet::check(Report& report) {
  if (count() == 0) return true;
  return report.fail(EngineError::kUnsupported)
         << "data file '" << files_->name(0)
         << "': this engine was built without the code that reads them (BPTE_ENGINE_DATA_FILES)";
}

bool DataFileSet::entry(uint64_t, DataEntry&) const {
  return false;
}

bool DataFileSet::find(Text, DataEntry&) const {
  return false;
}

bool DataFileSet::find_tensor(Text key, const TensorView&, DataEntry&, Report& report) const {
  return miss(key, report);
}

#endif

bool DataFileSet::miss(Text key, Report& report) const {
  report.fail(EngineError::kMissingData)
      << "the program needs the external tensor '" << key << "', and ";
  if (count() == 0) return report << "the bundle has no data file";
  report << "no data file has it:";
  for (uint32_t i = 0; i < count(); ++i) report << " " << files_->name(i);
  return false;
}

}  // namespace bpte
