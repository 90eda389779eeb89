// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/compare.h>
#include <bpte/core/config.h>
#include <bpte/core/data_source.h>
#include <bpte/core/features.h>
#include <bpte/core/internal/flatbuffer.h>
#include <bpte/core/result.h>
#include <bpte/core/tensor_view.h>
#include <bpte/core/text.h>

#include <cstdint>

namespace bpte {

/// So many of a file's first bytes identify a bundle. A caller that knows only an address reads
/// them to learn the file's size.
inline constexpr size_t kHeaderProbeSize = 128;

enum class Format : uint8_t { kBP08 = 8, kBP09 = 9 };

/// The extended header (schema/README.md). For BP08: the facts that it has, and zeros.
struct Header {
  Format format = Format::kBP09;
  uint64_t file_size = 0;
  uint64_t metadata_size = 0;
  uint64_t segment_base_offset = 0;
  uint64_t segment_data_size = 0;
  uint32_t base_alignment = 0;  ///< of the first byte's address; BP08: 16
  uint32_t required_features = 0;
  uint32_t metadata_crc32 = 0;
  uint32_t header_length = 0;

  /// Reads and checks the header of a BP09 file from its first bytes. Needs kHeaderProbeSize of
  /// them, or the whole file when it is shorter. Checks every rule that the header alone can break,
  /// but neither the real length nor the metadata.
  static Result<Header> parse(Span<const uint8_t> first_bytes);
};

/// A run of bytes in the file. For BP08: a vector inside the FlatBuffer.
struct SegmentInfo {
  uint64_t file_offset = 0;  ///< from the file's first byte
  uint64_t size = 0;
  uint32_t alignment = 0;
  uint32_t crc32 = 0;
};

struct OpenOptions {
  /// Checks the CRC-32 of every segment and that all padding is zero, at opening. The metadata's
  /// checksum is always checked.
  bool verify_checksums = false;
};

class Bundle;
namespace internal {
struct Fields;
}

/// One test case: a view, valid as long as its Bundle and the file's bytes are. Opening has checked
/// all that the file can get wrong. The calls below fail only for an index out of range
/// (no_such_item).
class TestCase {
 public:
  Text name() const;  ///< empty when the file gives none
  uint32_t input_count() const;
  uint32_t output_count() const;  ///< expected outputs; 0: the case is only run

  /// The segment that holds this case's payloads. Its size is 0 when there are none (only scalars),
  /// and for BP08, whose payloads lie in the metadata.
  SegmentInfo payload() const;

  /// Input or expected output. `payload_bytes` is what Bundle::case_payload() gave for this case;
  /// the tensor's data points into it (BP08: into the metadata). When it is too small
  /// (buffer_too_small) the value has its kind, scalar type, sizes and dim_order all the same.
  Result<Value> input(uint32_t index, Span<const uint8_t> payload_bytes) const;
  Result<Value> expected_output(uint32_t index, Span<const uint8_t> payload_bytes) const;

  /// What the file states for this output: the step's tolerance, else its case's, else the suite's,
  /// else the default. Members that are not stated stay NaN.
  Tolerance tolerance(uint32_t output_index) const;

#if BPTE_CORE_STEPS
  /// Steps of a sequence, each of them a test case. A case with steps has no values of its own.
  uint32_t step_count() const;
  Result<TestCase> step(uint32_t index) const;
  /// Of a step: which outputs of the step before become its inputs. In place, ascending by input.
  Span<const Carry> carries() const;
#endif

#if BPTE_CORE_METRICS
  /// Classes, for the suite's metrics: one, or one per sample. In place.
  Span<const int32_t> labels() const;
#endif

#if BPTE_CORE_TRACE
  /// Expected results of instructions, in the order of execution. Bundle::trace_value() reads them.
  uint32_t trace_count() const;
#endif

 private:
  friend class Bundle;
  friend class TestSuite;
  Result<Value> value(uint32_t index, const Span<const uint8_t>& payload_bytes,
                      unsigned field) const;
  uint32_t payload_segment() const;  // kNoIndex when it has none

  const Bundle* bundle_ = nullptr;
  uint32_t table_ = 0;        // offset of the BundledMethodTestCase table in the metadata
  uint32_t case_table_ = 0;   // of a step: offset of its case's table
  uint32_t suite_table_ = 0;  // offset of its BundledMethodTestSuite
};

class TestSuite {
 public:
  Text method_name() const;
  uint32_t case_count() const;
  Result<TestCase> test_case(uint32_t index) const;

#if BPTE_CORE_METRICS
  uint32_t metric_count() const;
  Result<Metric> metric(uint32_t index) const;
#endif

#if BPTE_CORE_TRACE
  /// Who computed the traces of the cases.
  TraceOrigin trace_origin() const;
  /// What is known of the method's instructions; a trace's entries refer to them.
  uint32_t instruction_count() const;
  Result<Instruction> instruction(uint32_t index) const;
#endif

 private:
  friend class Bundle;
  const Bundle* bundle_ = nullptr;
  uint32_t table_ = 0;
};

/// An opened bundle: views into bytes that the caller owns and keeps alive and unchanged. Allocates
/// nothing. Opening checks every rule of schema/README.md, except the segments' checksums and
/// paddings (OpenOptions) and the rules that need the program loaded. After that, no access can
/// leave the file.
class Bundle {
 public:
  /// In place: `file` is the whole file, memory-mapped, in flash or in DDR. BP09's first byte must
  /// lie at a multiple of the header's base_alignment (misaligned_base names it).
  static Result<Bundle> open(Span<const uint8_t> file, const OpenOptions& options = {});

#if BPTE_CORE_DATA_SOURCE
  /// Through a data source: header and metadata are read into `metadata_buffer` (aligned to 16;
  /// buffer_too_small names the size), segments only when asked for. BP08 has no segments apart
  /// from its FlatBuffer: the buffer must take the whole file.
  static Result<Bundle> open(DataSource& source, Span<uint8_t> metadata_buffer,
                             const OpenOptions& options = {});
#endif

  const Header& header() const;

  uint32_t suite_count() const;
  Result<TestSuite> suite(uint32_t index) const;
  /// no_such_item when no suite names this method.
  Result<TestSuite> suite_for(Text method_name) const;

  /// Where the program lies. BP08 states no alignment: its own is what its address happens to have.
  SegmentInfo program_info() const;
  /// The program in place, aligned to program_info().alignment. Empty when the bundle came from a
  /// data source (use read_segment).
  Span<const uint8_t> program() const;

  /// This case's payloads, verified against the segment's CRC-32 when `verify` is set. In place, or
  /// read into `buffer` (aligned to 16, size of TestCase::payload()) when the bundle came from a
  /// data source. In place, `buffer` is not used.
  Result<Span<const uint8_t>> case_payload(const TestCase& test_case, Span<uint8_t> buffer,
                                           bool verify) const;

#if BPTE_CORE_TRACE
  /// Entry `index` of a case's trace. Its payload is used in place, or read into `buffer` (aligned
  /// to 16; buffer_too_small names the size) when the bundle came from a data source. One value at
  /// a time: the segment's checksum, which is over all of them, is verify_segment()'s.
  Result<TraceValue> trace_value(const TestCase& test_case, uint32_t index,
                                 Span<uint8_t> buffer) const;
#endif

  uint32_t segment_count() const;  ///< BP08: 0
  Result<SegmentInfo> segment(uint32_t index) const;
  /// Reads bytes [offset, offset + buffer.size()) of the file through the data source, or copies
  /// them in place.
  Status read(uint64_t file_offset, Span<uint8_t> buffer) const;
#if BPTE_CORE_CHECKSUMS
  /// CRC-32 of one segment, in place or through `scratch` (any size above 0) from a data source.
  Status verify_segment(uint32_t index, Span<uint8_t> scratch) const;
  /// Every segment's CRC-32 and every padding byte.
  Status verify_checksums(Span<uint8_t> scratch) const;
#endif

  uint32_t named_data_count() const;
  Result<Text> named_data_key(uint32_t index) const;
  Result<SegmentInfo> named_data_segment(uint32_t index) const;
  Result<NamedDataRole> named_data_role(uint32_t index) const;
  /// Empty when the file gives none. Opening has checked that it is a name and no path.
  Result<Text> named_data_file_name(uint32_t index) const;
  /// no_such_item when no entry has this key.
  Result<SegmentInfo> named_data_for(Text key) const;

  uint32_t metadata_count() const;
  Result<Text> metadata_key(uint32_t index) const;
  Result<Text> metadata_value(uint32_t index) const;
  /// no_such_item when no entry has this key.
  Result<Text> metadata_for(Text key) const;

#if BPTE_CORE_BUDGETS
  uint32_t budget_count() const;
  Result<Budget> budget(uint32_t index) const;
#endif

 private:
  friend class TestCase;
  friend class TestSuite;

  // The steps below give Error::kOk, or the broken rule with the fault filled in
  // (internal/refuse.h).
  // What both ways of opening share; `scratch` as for verify_checksums().
  Error adopt(const Span<const uint8_t>& metadata, const OpenOptions& options,
              const Span<uint8_t>& scratch, Fault& fault);
  // The next bytes of [offset, offset + size): all of them in place, or as many as `scratch` takes.
  Error load(uint64_t file_offset, uint64_t size, const Span<uint8_t>& scratch,
             Span<const uint8_t>& bytes, Fault& fault) const;
  Error read_into(uint64_t file_offset, const Span<uint8_t>& buffer, Fault& fault) const;
  Error verify(uint32_t first, uint32_t last, uint64_t padding, const Span<uint8_t>& scratch,
               Fault& fault) const;
  Error scan(uint64_t from, uint64_t to, const Span<uint8_t>& scratch, uint32_t* crc,
             Fault& fault) const;
  // Empty when there is no such segment.
  SegmentInfo segment_info(uint32_t index) const;
  // A vector of tables in the metadata: how many it has, and where one of them lies. Past the last
  // one that is 0, an absent table, all of whose fields are absent.
  uint32_t count(uint32_t table, unsigned field) const;
  uint32_t entry(uint32_t table, unsigned field, uint32_t index, Fault& fault) const;
  // Reads such a table into a struct. Gives where it lies.
  uint32_t read_entry(uint32_t table, uint32_t index, const internal::Fields& fields, void* into,
                      Fault& fault) const;
  // Reads a Value table. `payload` holds the bytes of its segment from `from` on.
  Error read_value(uint32_t table, const Span<const uint8_t>& payload, uint64_t from, Value& value,
                   Fault& fault) const;
  // In place, or read into `buffer`, which must take all of them.
  Error payload(uint64_t file_offset, uint64_t size, const Span<uint8_t>& buffer,
                Span<const uint8_t>& bytes, Fault& fault) const;
  // Index of a key in one of the root's sorted lists; the list's count when the key is not there.
  uint32_t find(unsigned field, const Text& key) const;
  Text text(uint32_t table, unsigned field) const;
  Result<Text> entry_text(unsigned list, uint32_t index, unsigned field) const;
  bool from_source() const {
    return BPTE_CORE_DATA_SOURCE && file_ == nullptr;
  }
  bool bp09() const {
    return !BPTE_CORE_BP08 || header_.format == Format::kBP09;
  }

  Header header_;
  // Of the metadata, which opening has checked. So no reading finds it bad, and none changes it: a
  // bundle can be read from several threads.
  mutable flatbuffer::Reader reader_;
  const uint8_t* file_ = nullptr;  // the whole file in place; null when it comes from source_
  DataSource* source_ = nullptr;
  uint32_t root_ = 0;  // of the BundledProgram table in the metadata
};

}  // namespace bpte
