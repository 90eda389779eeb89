// SPDX-License-Identifier: BSD-3-Clause
//
// Runs every suite and case of a bundle, and reports by the result protocol. The bundle is, in this
// order: read from the host (--file), at the address of --at, linked in (bpte_add_bundle), or at
// the board's load address. --linked demands a linked one.

#include <bpte/core/bundle.h>
#include <bpte/core/internal/aligned.h>
#include <bpte/runner/budgets.h>
#include <bpte/runner/metrics.h>
#include <bpte/runner/runner.h>
#include <bpte/runner/selection.h>

#include <cstdint>
#include <cstring>
#include <new>

#include "arguments.h"
#include "board_engine.h"
#include "clock.h"
#include "console.h"
#include "semihosting.h"

extern "C" {
// From firmware.ld.
extern uint8_t __data_start[], __bss_end[], __stack_limit[], __stack_top[];
extern uint8_t __flash_size[];
extern uint8_t __arena_start[], __arena_end[], __ram_free_start[], __ram_free_end[];
// From bpte_add_bundle(), if it was used.
extern const uint8_t bpte_bundle[] __attribute__((weak));
extern const uint8_t bpte_bundle_end[] __attribute__((weak));
}

namespace bpte_board {
namespace {

constexpr int kUsage = static_cast<int>(bpte::Outcome::kUsage);
constexpr size_t kScratchSize = 4096;
constexpr size_t kBufferAlignment = 16;  // what the core needs

using Bytes = bpte::Span<uint8_t>;

int usage(const char* why) {
  bpte::Message text;
  text << "bpte: usage: " << why << "\n";
  say(text);
  return kUsage;
}

/// Takes `size` aligned bytes off the front of a buffer.
Bytes take(Bytes& from, size_t size) {
  const uintptr_t start = reinterpret_cast<uintptr_t>(from.data());
  const size_t padding = static_cast<size_t>(-start & (kBufferAlignment - 1));
  if (padding > from.size() || size > from.size() - padding) return {};
  const Bytes taken = from.subspan(padding, size);
  from = from.subspan(padding + size, from.size() - padding - size);
  return taken;
}

/// The bytes of a bundle in memory.
bpte::Span<const uint8_t> bytes_at(const Arguments& arguments) {
  if (arguments.linked || (!arguments.has_address && bpte_bundle != nullptr)) {
    return {bpte_bundle, static_cast<size_t>(bpte_bundle_end - bpte_bundle)};
  }
  const uint32_t address = arguments.has_address ? arguments.address : BPTE_BOARD_LOAD_ADDRESS;
  const auto* const start = reinterpret_cast<const uint8_t*>(address);
  if (arguments.has_size) return {start, arguments.size};
  // The size was not given: takes the header's, at most up to the end of the bundle's memory.
  const uint64_t end = uint64_t{BPTE_BOARD_BUNDLE_ORIGIN} + BPTE_BOARD_BUNDLE_LENGTH;
  size_t room = bpte::kHeaderProbeSize;
  if (address >= BPTE_BOARD_BUNDLE_ORIGIN && address < end) {
    room = static_cast<size_t>(end - address);
  }
  const size_t probe = room < bpte::kHeaderProbeSize ? room : bpte::kHeaderProbeSize;
  const bpte::Result<bpte::Header> header = bpte::Header::parse({start, probe});
  if (!header.ok()) return {start, probe};  // opening it reports what is wrong
  return {start, header->file_size < room ? static_cast<size_t>(header->file_size) : room};
}

/// The most stack that was in use: reset has filled the stack with a pattern.
uint32_t stack_used() {
  const uint32_t* at = bpte::internal::as_aligned<uint32_t>(__stack_limit);
  while (at < bpte::internal::as_aligned<uint32_t>(__stack_top) && *at == 0xA5A5A5A5) ++at;
  return static_cast<uint32_t>(__stack_top - reinterpret_cast<const uint8_t*>(at));
}

/// Tells what the firmware takes of its board.
class BoardMeter final : public bpte::Meter {
 public:
  explicit BoardMeter(size_t buffers) : buffers_(buffers) {}
  bpte::Resources measure() override {
    const EngineMemory engine = engine_memory();
    bpte::Resources resources;
    resources.planned_memory = engine.planned;
    resources.engine_memory = engine.other;
    resources.buffers = buffers_;
    resources.static_memory = static_cast<uint32_t>(__bss_end - __data_start);
    resources.stack_size = static_cast<uint32_t>(__stack_top - __stack_limit);
    resources.stack = stack_used();
    // The linker gives a size as the address of a symbol.
    resources.flash = reinterpret_cast<uintptr_t>(__flash_size);
    return resources;
  }

 private:
  size_t buffers_;
};

BoardClock board_clock;
SemihostingFile bundle_file;
char command_line[512];

#if BPTE_RUNNER_WIRE
// What a record may take to be sent again: one of a case with six outputs, or so.
uint8_t record_room[4096];

// Makes the wire, if outputs are to be sent. It lives as long as the program.
void attach_wire(Arguments& arguments) {
  alignas(bpte::Wire) static uint8_t storage[sizeof(bpte::Wire)];
  if (!arguments.send_outputs) return;
  bpte::Input* const input = arguments.pull ? &console_input() : nullptr;
  arguments.run.wire = new (storage) bpte::Wire(console(), input, arguments.run.nonce, record_room);
}
#endif

Bytes between(uint8_t* start, uint8_t* end) {
  return {start, static_cast<size_t>(end - start)};
}

/// `buffers`: bytes taken already, of other memory.
int run(const bpte::Result<bpte::Bundle>& bundle, const bpte::RunOptions& options,
        Bytes program = {}, size_t buffers = 0) {
  if (!bundle.ok()) return static_cast<int>(report_fault(bundle.fault(), console(), options));
  bpte::Message why;
  if (!bpte::anything_selected(*bundle, options, why)) return usage(why.c_str());
  EngineSpans spans;
  spans.planned = between(__arena_start, __arena_end);
  spans.other = between(__ram_free_start, __ram_free_end);
  spans.program = program;
  bpte::RunOptions run_options = options;
  const size_t before = spans.other.size();
#if BPTE_CORE_STEPS
  if (!options.teach) run_options.carry_buffer = take(spans.other, bpte::largest_carry(*bundle));
#endif
#if BPTE_RUNNER_METRICS
  run_options.metric_buffer = take(spans.other, bpte::largest_metrics(*bundle));
#endif
  BoardMeter meter(buffers + before - spans.other.size());
  run_options.meter = &meter;
  bpte::Engine& engine = make_engine(spans);
#if BPTE_RUNNER_TRACE
  run_options.trace.stepping = &engine_stepping();
#endif
  return static_cast<int>(run_bundle(*bundle, engine, console(), board_clock, run_options));
}

int run_from_memory(const Arguments& arguments) {
  return run(bpte::Bundle::open(bytes_at(arguments)), arguments.run);
}

int run_from_file(Arguments& arguments) {
  bpte::RunOptions& options = arguments.run;
  if (!bundle_file.open(arguments.file)) {
    bpte::Fault fault;
    fault.error = bpte::Error::kReadFailed;
    return static_cast<int>(report_fault(fault, console(), options));
  }
  // The memory for a bundle holds what is read of this one.
  Bytes room(reinterpret_cast<uint8_t*>(BPTE_BOARD_BUNDLE_ORIGIN), BPTE_BOARD_BUNDLE_LENGTH);
  const bpte::Result<bpte::Bundle> bundle = bpte::Bundle::open(bundle_file, room);
  const size_t before = room.size();
  if (bundle.ok()) {
    // Opening was offered all of the room for the metadata; the header says how much that took.
    const bpte::Header& header = bundle->header();
    const uint64_t metadata =
        header.format == bpte::Format::kBP09 ? header.metadata_size : bundle_file.size();
    take(room, static_cast<size_t>(metadata));
    options.case_buffer = take(room, bpte::largest_payload(*bundle));
    options.scratch = take(room, kScratchSize);
#if BPTE_RUNNER_TRACE
    if (options.trace.mode != bpte::TraceMode::kOff) {
      options.trace.buffer = take(room, bpte::largest_trace_value(*bundle));
    }
#endif
  }
  return run(bundle, options, room, before - room.size());
}

}  // namespace
}  // namespace bpte_board

int main() {
  using namespace bpte_board;
  Arguments arguments;
  arguments.run.target = BPTE_BOARD_NAME;
  if (semihosting_command_line(command_line)) {
    const char* const wrong = parse_arguments(command_line, arguments);
    if (arguments.semihosting_console) use_semihosting_console();
    if (wrong != nullptr) return usage(wrong);
  }
  board_clock.start(arguments.instruction_ns);
#if BPTE_RUNNER_WIRE
  attach_wire(arguments);
#endif
  if (arguments.linked && bpte_bundle == nullptr) return usage("no bundle is linked in");
  return arguments.file != nullptr ? run_from_file(arguments) : run_from_memory(arguments);
}
