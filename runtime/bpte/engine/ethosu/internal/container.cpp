// SPDX-License-Identifier: BSD-3-Clause
#include "container.h"

#include <cstring>

#include "bytes.h"

namespace bpte::ethosu {
namespace {

// A block: name[16] padded with zeros, u32 size, u8 flag (1: the data is a key of named data), 11
// zero bytes, the data, zeros up to a multiple of 16.
constexpr size_t kNameSize = 16;
constexpr size_t kSizeAt = 16;
constexpr size_t kFlagAt = 20;
constexpr size_t kHeaderSize = 32;
constexpr size_t kAlignment = 16;

// An entry of inputs and outputs: i32 shape[6], element size, offset, region.
constexpr size_t kDimensions = 6;
constexpr size_t kEntrySize = (kDimensions + 3) * 4;

/// Takes the block `name` off the front of `rest`.
bool take(const char* name, Span<const uint8_t>& rest, Span<const uint8_t>& data, Report& report) {
  char padded[kNameSize] = {};
  std::memcpy(padded, name, std::strlen(name));
  if (rest.size() < kHeaderSize || std::memcmp(rest.data(), padded, kNameSize) != 0) {
    return report.fail(EngineError::kInvalidProgram)
           << "Ethos-U delegate: the block " << name << " is missing";
  }
  const uint32_t size = load<uint32_t>(rest.data() + kSizeAt);
  if (size > rest.size() - kHeaderSize) {
    return report.fail(EngineError::kInvalidProgram)
           << "Ethos-U delegate: the block " << name << " states " << size << " bytes, "
           << uint64_t{rest.size() - kHeaderSize} << " are left";
  }
  if (rest[kFlagAt] != 0) {
    const Span<const uint8_t> key = rest.subspan(kHeaderSize, size);
    return report.fail(EngineError::kUnsupported)
           << "Ethos-U delegate: the block " << name << " is named data ("
           << Span<const char>(reinterpret_cast<const char*>(key.data()), key.size())
           << "), the model reads blocks of the delegate alone";
  }
  data = rest.subspan(kHeaderSize, size);
  const size_t padding = (kAlignment - size % kAlignment) % kAlignment;
  const size_t room = rest.size() - kHeaderSize - size;
  const size_t next = kHeaderSize + size + (padding < room ? padding : room);
  rest = rest.subspan(next, rest.size() - next);
  return true;
}

}  // namespace

uint32_t Bindings::count() const {
  return block_.size() < 4 ? 0 : load<uint32_t>(block_.data());
}

bool Bindings::well_formed() const {
  return block_.size() >= 4 && count() <= (block_.size() - 4) / kEntrySize;
}

bool Bindings::get(uint32_t index, const char* what, uint64_t scratch_size, Binding& binding,
                   Report& report) const {
  const auto refuse = [&]() -> Report& {
    return report.fail(EngineError::kInvalidProgram)
           << "Ethos-U delegate: " << what << " " << index << " ";
  };
  if (index >= count()) return refuse() << "of " << count();
  const uint8_t* entry = block_.data() + 4 + index * kEntrySize;
  uint64_t bytes = load<uint32_t>(entry + kDimensions * 4);
  if (bytes != 1 && bytes != 2 && bytes != 4)
    return refuse() << "has elements of " << bytes << " bytes";
  binding.element_bytes = static_cast<uint32_t>(bytes);
  for (size_t d = 0; d < kDimensions; ++d) {
    const int32_t size = load<int32_t>(entry + d * 4);
    if (size < 0) return refuse() << "has the size " << size;
    bytes *= static_cast<uint32_t>(size);
    if (bytes > UINT32_MAX) return refuse() << "is larger than the scratch memory";
  }
  binding.bytes = bytes;
  binding.offset = load<uint32_t>(entry + (kDimensions + 1) * 4);
  if (!within(binding.offset, bytes, scratch_size)) {
    return refuse() << "(offset " << binding.offset << ", " << bytes
                    << " bytes) ends past the scratch memory, " << scratch_size << " bytes";
  }
  return true;
}

bool Container::open(Span<const uint8_t> bytes, Report& report) {
  Span<const uint8_t> rest = bytes;
  Span<const uint8_t> ignored;
  Span<const uint8_t> scratch;
  Span<const uint8_t> input;
  Span<const uint8_t> output;
  if (!take("vela_bin_stream", rest, ignored, report) ||
      !take("cmd_data", rest, commands, report) || !take("weight_data", rest, weights, report) ||
      !take("scratch_size", rest, scratch, report) || !take("inputs", rest, input, report) ||
      !take("outputs", rest, output, report) || !take("vela_end_stream", rest, ignored, report)) {
    return false;
  }
  inputs = Bindings(input);
  outputs = Bindings(output);
  if (scratch.size() != 4 || !inputs.well_formed() || !outputs.well_formed()) {
    return report.fail(EngineError::kInvalidProgram)
           << "Ethos-U delegate: scratch_size, inputs or outputs have a wrong size";
  }
  scratch_size = load<uint32_t>(scratch.data());
  Binding binding;
  for (uint32_t i = 0; i < inputs.count(); ++i) {
    if (!inputs.get(i, "input", scratch_size, binding, report)) return false;
  }
  for (uint32_t i = 0; i < outputs.count(); ++i) {
    if (!outputs.get(i, "output", scratch_size, binding, report)) return false;
  }
  return true;
}

}  // namespace bpte::ethosu
