// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/executorch/program_loader.h>

#include <cstring>

namespace bpte {

namespace et = ::executorch::runtime;

namespace {

// ExecuTorch aligns a program's FlatBuffer to alignof(max_align_t). The exporter aligns segments to
// 128 by default.
constexpr size_t kAlignment = 128;

}  // namespace

size_t ProgramLoader::program_size() const {
  return program_.source != nullptr ? static_cast<size_t>(program_.size) : program_.bytes.size();
}

et::Result<et::FreeableBuffer> ProgramLoader::load(size_t offset, size_t size,
                                                   const SegmentInfo& segment_info) const {
  if (offset > program_size() || size > program_size() - offset) return et::Error::InvalidProgram;
  const uint8_t* bytes = nullptr;
  if (program_.source == nullptr) {
    bytes = program_.bytes.data() + offset;
  } else {
    void* const buffer = memory_ == nullptr ? nullptr : memory_->allocate(size, kAlignment);
    if (buffer == nullptr) {
      lacking_ = size;
      return et::Error::MemoryAllocationFailed;
    }
    const et::Error error = load_into(offset, size, segment_info, buffer);
    if (error != et::Error::Ok) return error;
    bytes = static_cast<const uint8_t*>(buffer);
  }
  if (offset == 0) flatbuffer_ = {bytes, size};
  return et::FreeableBuffer(bytes, size, /*free_fn=*/nullptr);
}

et::Error ProgramLoader::load_into(size_t offset, size_t size, const SegmentInfo&,
                                   void* buffer) const {
  if (offset > program_size() || size > program_size() - offset) return et::Error::InvalidProgram;
  if (size == 0) return et::Error::Ok;
  if (program_.source == nullptr) {
    std::memcpy(buffer, program_.bytes.data() + offset, size);
    return et::Error::Ok;
  }
  const bool read = program_.source->read(program_.offset + offset,
                                          Span<uint8_t>(static_cast<uint8_t*>(buffer), size));
  if (!read) source_failed_ = true;
  return read ? et::Error::Ok : et::Error::AccessFailed;
}

}  // namespace bpte
