// SPDX-License-Identifier: BSD-3-Clause
#include "program.h"

#include <bpte/engine/program_header.h>

#include <cstring>

namespace bpte::reference {
namespace {

// Smallest alignment of a tensor's data in a program (@executorch-tensor-alignment): enough for an
// element of any type.
constexpr size_t kProgramAlignment = 8;

}  // namespace

bool Program::read_extended_header(size_t& metadata_size, Report& report) {
  const uint64_t size = bytes_.size();
  metadata_size = segment_base_ = segment_end_ = bytes_.size();
  const ExtendedHeader header = ExtendedHeader::read(bytes_);
  if (!header.present) return true;
  if (header.length < schema::kHeaderMinimumLength ||
      header.length > size - schema::kHeaderOffset) {
    return report.invalid_program()
           << "extended header: length " << header.length << " is impossible";
  }
  const uint64_t base = header.segment_base;
  if (header.program_size > size || header.program_size < schema::kHeaderOffset + header.length ||
      base > size) {
    return report.invalid_program()
           << "extended header: program size " << header.program_size << " or segment base " << base
           << " contradicts the size, " << size;
  }
  metadata_size = static_cast<size_t>(header.program_size);
  if (base == 0) return true;  // a program without segments
  segment_base_ = static_cast<size_t>(base);
  if (header.length < schema::kHeaderLengthWithDataSize) return true;
  const uint64_t data_size = header.segment_data_size;
  if (base < header.program_size || data_size > size - base) {
    return report.invalid_program()
           << "extended header: segments at " << base << ", size " << data_size
           << ", do not lie after the program within " << size << " bytes";
  }
  if (data_size != 0) segment_end_ = static_cast<size_t>(base + data_size);
  return true;
}

bool Program::open(Span<const uint8_t> bytes, Report& report) {
  *this = Program();
  if (bytes.size() < 8 || std::memcmp(bytes.data() + 4, schema::kIdentifier, 4) != 0) {
    return report.invalid_program() << "not a program: no " << schema::kIdentifier << " at byte 4";
  }
  if (reinterpret_cast<uintptr_t>(bytes.data()) % kProgramAlignment != 0) {
    return report.invalid_program()
           << "the program is misaligned: its address must be a multiple of "
           << uint64_t{kProgramAlignment};
  }
  bytes_ = bytes;
  size_t metadata_size = 0;
  if (!read_extended_header(metadata_size, report)) return false;
  flatbuffer_ = FlatBuffer(bytes.subspan(0, metadata_size));
  root_ = flatbuffer_.root();
  const uint32_t version = flatbuffer_.scalar<uint32_t>(root_, schema::Program::version, 0);
  const Vector plans = flatbuffer_.vector(root_, schema::Program::execution_plan, sizeof(uint32_t));
  if (flatbuffer_.malformed() || root_ == 0) {
    return report.invalid_program() << "the program's FlatBuffer is malformed";
  }
  if (version != schema::kVersion) {
    return report.invalid_program()
           << "program version " << version << ", not " << schema::kVersion;
  }
  if (plans.count == 0) {
    return report.invalid_program() << "the program has no method";
  }
  return true;
}

uint32_t Program::find_method(Text name) const {
  const FlatBuffer flatbuffer = flatbuffer_;  // a name that cannot be read does not match
  const Vector plans = flatbuffer.vector(root_, schema::Program::execution_plan, sizeof(uint32_t));
  for (uint32_t i = 0; i < plans.count; ++i) {
    const uint32_t plan = flatbuffer.table_element(plans, i);
    const Text candidate = flatbuffer.string(plan, schema::ExecutionPlan::name);
    if (candidate.data != nullptr && candidate.size == name.size &&
        std::memcmp(candidate.data, name.data, name.size) == 0) {
      return plan;
    }
  }
  return 0;
}

bool Program::constant(uint32_t buffer_index, size_t size, Span<const uint8_t>& data,
                       Report& report) const {
  const uint32_t offsets = flatbuffer_.table(root_, schema::Program::constant_segment);
  const Vector inline_buffers =
      flatbuffer_.vector(root_, schema::Program::constant_buffer, sizeof(uint32_t));
  if (inline_buffers.count == 0) return subsegment(offsets, buffer_index, size, data, report);
  if (buffer_index >= inline_buffers.count) {
    return report.invalid_program()
           << "constant buffer " << buffer_index << " of " << inline_buffers.count;
  }
  const Vector storage = flatbuffer_.vector(flatbuffer_.table_element(inline_buffers, buffer_index),
                                            schema::Buffer::storage, 1);
  if (size > storage.count) {
    return report.invalid_program()
           << "constant buffer " << buffer_index << " has " << storage.count
           << " bytes, the tensor needs " << uint64_t{size};
  }
  data = {flatbuffer_.pointer(storage.at), size};
  return true;
}

bool Program::initial_state(uint64_t segments_index, uint32_t buffer_index, size_t size,
                            Span<const uint8_t>& data, Report& report) const {
  const Vector segments =
      flatbuffer_.vector(root_, schema::Program::mutable_data_segments, sizeof(uint32_t));
  if (segments_index >= segments.count) {
    return report.invalid_program()
           << "mutable data segment " << segments_index << " of " << segments.count;
  }
  const uint32_t offsets =
      flatbuffer_.table_element(segments, static_cast<uint32_t>(segments_index));
  return subsegment(offsets, buffer_index, size, data, report);
}

bool Program::segment(uint32_t index, Span<const uint8_t>& data, Report& report) const {
  const Vector segments = flatbuffer_.vector(root_, schema::Program::segments, sizeof(uint32_t));
  const uint32_t segment = flatbuffer_.table_element(segments, index);
  const uint64_t offset = flatbuffer_.scalar<uint64_t>(segment, schema::DataSegment::offset, 0);
  const uint64_t size = flatbuffer_.scalar<uint64_t>(segment, schema::DataSegment::size, 0);
  const uint64_t room = segment_end_ - segment_base_;
  if (index >= segments.count) {
    return report.invalid_program() << "segment " << index << " of " << segments.count;
  }
  if (offset > room || size > room - offset) {
    return report.invalid_program()
           << "segment " << index << " (offset " << offset << ", size " << size
           << ") ends past the file's segments, " << room << " bytes";
  }
  data = bytes_.subspan(segment_base_ + static_cast<size_t>(offset), static_cast<size_t>(size));
  return true;
}

bool Program::delegate_data(uint32_t delegate, Span<const uint8_t>& data, Report& report) const {
  namespace Reference = schema::BackendDelegateDataReference;
  const uint32_t processed = flatbuffer_.table(delegate, schema::BackendDelegate::processed);
  const int8_t location = flatbuffer_.scalar<int8_t>(processed, Reference::location, 0);
  const uint32_t index = flatbuffer_.scalar<uint32_t>(processed, Reference::index, 0);
  if (location == static_cast<int8_t>(schema::DataLocation::SEGMENT)) {
    return segment(index, data, report);
  }
  const Vector all =
      flatbuffer_.vector(root_, schema::Program::backend_delegate_data, sizeof(uint32_t));
  if (index >= all.count) {
    return report.invalid_program() << "delegate data " << index << " of " << all.count;
  }
  const Vector bytes = flatbuffer_.vector(flatbuffer_.table_element(all, index),
                                          schema::BackendDelegateInlineData::data, 1);
  data = {flatbuffer_.pointer(bytes.at), bytes.count};
  return true;
}

bool Program::subsegment(uint32_t offsets, uint32_t buffer_index, size_t size,
                         Span<const uint8_t>& data, Report& report) const {
  const uint32_t segment_index =
      flatbuffer_.scalar<uint32_t>(offsets, schema::SubsegmentOffsets::segment_index, 0);
  const Vector starts =
      flatbuffer_.vector(offsets, schema::SubsegmentOffsets::offsets, sizeof(uint64_t));
  const Vector segments = flatbuffer_.vector(root_, schema::Program::segments, sizeof(uint32_t));
  if (buffer_index >= starts.count || segment_index >= segments.count) {
    return report.invalid_program() << "data " << buffer_index << " of " << starts.count
                                    << " in segment " << segment_index << " of " << segments.count;
  }
  const uint32_t segment = flatbuffer_.table_element(segments, segment_index);
  const uint64_t segment_offset =
      flatbuffer_.scalar<uint64_t>(segment, schema::DataSegment::offset, 0);
  const uint64_t segment_size = flatbuffer_.scalar<uint64_t>(segment, schema::DataSegment::size, 0);
  const uint64_t start = flatbuffer_.element<uint64_t>(starts, buffer_index);
  const uint64_t room = segment_end_ - segment_base_;
  if (segment_offset > room || segment_size > room - segment_offset) {
    return report.invalid_program()
           << "segment " << segment_index << " (offset " << segment_offset << ", size "
           << segment_size << ") ends past the file's segments, " << room << " bytes";
  }
  if (start > segment_size || size > segment_size - start) {
    return report.invalid_program()
           << "data " << buffer_index << " at " << start << ", size " << uint64_t{size}
           << ", ends past segment " << segment_index << ", size " << segment_size;
  }
  data = bytes_.subspan(segment_base_ + static_cast<size_t>(segment_offset + start), size);
  return true;
}

}  // namespace bpte::reference
