// SPDX-License-Identifier: BSD-3-Clause
//
// bpte-run: runs every case of a bundle through an engine, and writes the result protocol to
// stdout.

#include <bpte/core/bundle.h>
#include <bpte/core/format_number.h>
#include <bpte/core/version.h>
#include <bpte/runner/budgets.h>
#include <bpte/runner/metrics.h>
#include <bpte/runner/runner.h>
#include <bpte/runner/selection.h>
#include <bpte/runner/wire.h>

#include "mapped_file.h"
#include "reserved_arena.h"
#include "standard_input.h"

#if BPTE_HAVE_EXECUTORCH
#if BPTE_ETHOSU_MODEL
#include <bpte/engine/executorch/ethosu_backend.h>
#endif
#include <bpte/engine/executorch/executorch_engine.h>
#include <bpte/engine/executorch/heap_arena.h>
#include <bpte/engine/executorch/log_capture.h>
#endif
#if BPTE_HAVE_REFERENCE
#include <bpte/engine/reference/reference_engine.h>
#endif

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace {

constexpr int kUsage = static_cast<int>(bpte::Outcome::kUsage);

constexpr char kHelp[] =
    R"(usage: bpte-run FILE [options]

Runs every test case of a .bpte file and writes the result protocol (docs/result-protocol.md) to stdout.

  --method NAME      only the suite of this method
  --case N           only case N of each suite, counted from 0
  --teach            give each step the inputs that the bundle states, also those that are carried
  --rtol R, --atol A judge with these tolerances instead of the bundle's
  --no-verify        do not check the checksums of segments
  --engine NAME      %s
  --source           read the file piece by piece instead of mapping it
  --max-planned-memory BYTES
                     the limit of a program's memory plan, and of what its operators and delegates
                     need besides (4 GiB each); only what is used takes memory
  --trace[=HOW]      look at each instruction, and report: first (the first wrong one), all, strict
                     (a case with a wrong one fails) or record (their values, with --outputs)
  --isolate          give each instruction right inputs: overwrite what the one before gave
  --trace-rtol R, --trace-atol A
                     judge instructions with these tolerances instead of their dtypes' defaults
  --dump K           report instruction K with its values (with --outputs)
  --profile N        before each case is judged, execute it N times for the times of its
                     instructions
  --outputs HOW      send the actual outputs, too: pull (when standard input asks for them) or once
  --target NAME      what the report calls this machine (host)
  --nonce WORD       repeated in the report, to tell it from another run's
  --help, --version

exit code: 0 all passed, 1 a mismatch, 2 usage, 3 malformed bundle or program, 4 it could not be run

example: bpte-run model.bpte --method forward --case 0
)";

#if BPTE_HAVE_EXECUTORCH && BPTE_HAVE_REFERENCE
constexpr char kEngines[] = "executorch (default) or reference";
#elif BPTE_HAVE_EXECUTORCH
constexpr char kEngines[] = "executorch";
#else
constexpr char kEngines[] = "reference";
#endif

class Stdout final : public bpte::Output {
 public:
  void write(const char* data, size_t size) override {
    std::fwrite(data, 1, size, stdout);
    if (size > 0 && data[size - 1] == '\n') std::fflush(stdout);
  }
};

class SteadyClock final : public bpte::Clock {
 public:
  uint64_t now() override {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                     std::chrono::steady_clock::now().time_since_epoch())
                                     .count());
  }
  const char* unit() const override { return "ns"; }
};

// Aligned memory of a size known at run time only.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t size)
      : bytes_(new (std::align_val_t{kAlignment}, std::nothrow) uint8_t[size]), size_(size) {}
  ~Buffer() { ::operator delete[](bytes_, std::align_val_t{kAlignment}); }
  Buffer(Buffer&& other) noexcept { *this = static_cast<Buffer&&>(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    return *this;
  }
  bpte::Span<uint8_t> span() const { return {bytes_, bytes_ == nullptr ? 0 : size_}; }

 private:
  static constexpr size_t kAlignment = 64;
  uint8_t* bytes_ = nullptr;
  size_t size_ = 0;
};

// What a host can tell: what the engine takes. `planned` and `other` give bytes.
template <typename Planned, typename Other>
class EngineMeter final : public bpte::Meter {
 public:
  EngineMeter(Planned planned, Other other) : planned_(planned), other_(other) {}
  bpte::Resources measure() override {
    bpte::Resources resources;
    resources.planned_memory = planned_();
    resources.engine_memory = other_();
    return resources;
  }

 private:
  Planned planned_;
  Other other_;
};

// A program that plans more than this is probably damaged.
constexpr uint64_t kPlannedMemory = uint64_t{4} << 30;
constexpr size_t kDefaultPlannedMemory =
    kPlannedMemory < SIZE_MAX / 4 ? static_cast<size_t>(kPlannedMemory) : SIZE_MAX / 4;

struct Arguments {
  const char* file = nullptr;
  bpte::RunOptions run;
  bool source = false;
  const char* engine = BPTE_HAVE_EXECUTORCH ? "executorch" : "reference";
  size_t max_planned_memory = kDefaultPlannedMemory;
  bool send_outputs = false;
  bool pull = false;
};

[[noreturn]] void usage_error(const char* what, const char* which) {
  std::fprintf(stderr, "bpte-run: %s%s\nTry: bpte-run --help\n", what, which);
  std::exit(kUsage);
}

double parse_tolerance(const char* text) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(value >= 0)) usage_error("not a tolerance: ", text);
  return value;
}

/// A decimal number below `limit`; `complaint` is what is said of anything else.
uint64_t parse_number(const char* text, uint64_t limit, const char* complaint) {
  char* end = nullptr;
  errno = 0;
  const unsigned long long value = std::strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value >= limit) {
    usage_error(complaint, text);
  }
  return value;
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const char* const argument = argv[i];
    const auto is = [argument](const char* name) { return std::strcmp(argument, name) == 0; };
    const auto value = [&]() -> const char* {
      if (i + 1 == argc) usage_error("a value is missing after ", argument);
      return argv[++i];
    };
    if (is("--help") || is("-h")) {
      std::printf(kHelp, kEngines);
      std::exit(0);
    } else if (is("--version")) {
      std::printf("bpte-run %s\n", bpte::kVersion);
      std::exit(0);
    } else if (is("--method")) {
      const char* const name = value();
      if (*name == '\0') usage_error("--method wants a name", "");
      arguments.run.method = {name, std::strlen(name)};
    } else if (is("--case")) {
      arguments.run.test_case =
          static_cast<uint32_t>(parse_number(value(), bpte::kNoIndex, "not a case's number: "));
    } else if (is("--rtol")) {
      arguments.run.rtol = parse_tolerance(value());
    } else if (is("--atol")) {
      arguments.run.atol = parse_tolerance(value());
#if BPTE_CORE_STEPS
    } else if (is("--teach")) {
      arguments.run.teach = true;
#endif
#if BPTE_RUNNER_TRACE
    } else if (is("--trace")) {
      arguments.run.trace.mode = bpte::TraceMode::kFirst;
    } else if (std::strncmp(argument, "--trace=", 8) == 0) {
      const bpte::Text mode = {argument + 8, std::strlen(argument + 8)};
      if (!bpte::trace_mode_of(mode, arguments.run.trace.mode)) {
        usage_error("not a way to trace: ", argument);
      }
    } else if (is("--isolate")) {
      arguments.run.trace.isolate = true;
    } else if (is("--trace-rtol")) {
      arguments.run.trace.rtol = parse_tolerance(value());
    } else if (is("--trace-atol")) {
      arguments.run.trace.atol = parse_tolerance(value());
    } else if (is("--profile")) {
      arguments.run.trace.profile =
          static_cast<uint32_t>(parse_number(value(), bpte::kNoIndex, "not a number of runs: "));
    } else if (is("--dump")) {
      arguments.run.trace.dump =
          static_cast<uint32_t>(parse_number(value(), bpte::kNoIndex, "not an instruction: "));
#endif
    } else if (is("--no-verify")) {
      arguments.run.verify_checksums = false;
    } else if (is("--engine")) {
      arguments.engine = value();
    } else if (is("--source")) {
      arguments.source = true;
    } else if (is("--max-planned-memory")) {
      arguments.max_planned_memory =
          static_cast<size_t>(parse_number(value(), SIZE_MAX / 2 + 1, "not a number of bytes: "));
    } else if (is("--outputs")) {
      const char* const how = value();
      arguments.send_outputs = true;
      arguments.pull = std::strcmp(how, "pull") == 0;
      if (!arguments.pull && std::strcmp(how, "once") != 0) {
        usage_error("--outputs is neither pull nor once: ", how);
      }
    } else if (is("--target")) {
      arguments.run.target = value();
    } else if (is("--nonce")) {
      const char* const word = value();
      arguments.run.nonce = {word, std::strlen(word)};
    } else if (argument[0] == '-' && argument[1] != '\0') {
      usage_error("unknown option ", argument);
    } else if (arguments.file != nullptr) {
      usage_error("more than one file: ", argument);
    } else {
      arguments.file = argument;
    }
  }
  if (arguments.file == nullptr) usage_error("no file given", "");
  return arguments;
}

#if BPTE_RUNNER_WIRE
// As long as the launcher reads lines.
constexpr size_t kLongestRecord = size_t{1} << 20;
#endif

constexpr char kPlannedAdvice[] = "; --max-planned-memory allows more";

#if BPTE_HAVE_REFERENCE
// Larger than any program for which the reference engine is meant.
constexpr size_t kTablesLimit = size_t{1} << 26;
constexpr size_t kProgramLimit = size_t{1} << 30;
#endif

// ExecuTorch's kernels trust a program's memory plan, and some trust the values of their inputs, so
// they can crash this process. The crash is reported all the same. The signal's handler writes the
// report, although it calls what a handler may not: the process is lost anyway. An alarm ends it if
// it hangs.
#if defined(__SANITIZE_ADDRESS__)
void report_crashes() {}  // the sanitizer reports more
#else
void crashed(int signal_number) {
  alarm(5);
  char message[64] = "the program crashed with signal ";
  const size_t length = std::strlen(message);
  message[length + bpte::format_uint(static_cast<uint64_t>(signal_number),
                                     bpte::Span<char>(message + length, 8))] = '\0';
  bpte::abandon_run("execution_failed", message);
  std::fflush(stdout);
  _exit(static_cast<int>(bpte::Outcome::kInfrastructure));
}

void report_crashes() {
  // The handler has a stack of its own, because the crash may be an overflow of the other.
  static char stack[64 * 1024];
  stack_t alternative = {};
  alternative.ss_sp = stack;
  alternative.ss_size = sizeof stack;
  sigaltstack(&alternative, nullptr);
  struct sigaction action = {};
  action.sa_handler = crashed;
  action.sa_flags = SA_ONSTACK | static_cast<int>(SA_RESETHAND);
  for (const int signal_number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    sigaction(signal_number, &action, nullptr);
  }
}
#endif

int finish(bpte::Outcome outcome) {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::fprintf(stderr, "bpte-run: the report could not be written\n");
    return static_cast<int>(bpte::Outcome::kInfrastructure);
  }
  return static_cast<int>(outcome);
}

int run(const bpte::Bundle& bundle, const Arguments& arguments, bpte::RunOptions options,
        bpte::Output& output) {
  bpte::Message why;
  if (!bpte::anything_selected(bundle, options, why)) usage_error(why.c_str(), "");
  SteadyClock clock;
#if BPTE_CORE_STEPS
  const Buffer carried(options.teach ? 0 : bpte::largest_carry(bundle));
  options.carry_buffer = carried.span();
#endif
#if BPTE_RUNNER_METRICS
  const Buffer measured(bpte::largest_metrics(bundle));
  options.metric_buffer = measured.span();
#endif
  report_crashes();
#if BPTE_HAVE_EXECUTORCH
  if (std::strcmp(arguments.engine, "executorch") == 0) {
    bpte::set_executorch_abort_handler([](const char* reason) {
      bpte::abandon_run("execution_failed", reason);
      std::fflush(stdout);
      _exit(static_cast<int>(bpte::Outcome::kInfrastructure));
    });
    bpte::HeapArena program, method;
    bpte::host::ReservedArena planned(arguments.max_planned_memory);
    bpte::host::ReservedArena temp(arguments.max_planned_memory);
    bpte::ExecutorchMemory memory;
    memory.program = &program;
    memory.method = &method;
    memory.planned = &planned;
    memory.temp = &temp;
    bpte::ExecutorchOptions engine_options;
    engine_options.planned_advice = kPlannedAdvice;
    bpte::ExecutorchEngine engine(memory, engine_options);
    EngineMeter meter([&] { return planned.peak(); }, [] { return bpte::kNotMeasured; });
    options.meter = &meter;
#if BPTE_ETHOSU_MODEL
    // Without it a program for an Ethos-U is refused by the name of its backend.
    (void)bpte::register_ethosu_backend();
#endif
#if BPTE_RUNNER_TRACE
    options.trace.stepping = &engine;
#endif
    return finish(bpte::run_bundle(bundle, engine, output, clock, options));
  }
#endif
#if BPTE_HAVE_REFERENCE
  if (std::strcmp(arguments.engine, "reference") == 0) {
    const bpte::host::Reservation planned(arguments.max_planned_memory);
    const bpte::host::Reservation tables(kTablesLimit), program(kProgramLimit);
    const bpte::ReferenceMemory memory = {planned.span(), tables.span(), program.span(),
                                          bpte::host::Reservation::clear};
    bpte::ReferenceOptions engine_options;
    engine_options.planned_advice = kPlannedAdvice;
    bpte::ReferenceEngine engine(memory, engine_options);
    EngineMeter meter([&] { return engine.planned_bytes(); }, [&] { return engine.table_bytes(); });
    options.meter = &meter;
#if BPTE_RUNNER_TRACE
    options.trace.stepping = &engine;
#endif
    return finish(bpte::run_bundle(bundle, engine, output, clock, options));
  }
#endif
  usage_error("this bpte-run has no engine ", arguments.engine);
}

int run_mapped(bpte::host::File& file, const Arguments& arguments, bpte::Output& output) {
  bpte::RunOptions options = arguments.run;
  // The header states the alignment. A file without a valid header is refused when it is opened.
  size_t alignment = 1;
  uint8_t first[bpte::kHeaderProbeSize];
  const size_t probe = file.size() < sizeof first ? static_cast<size_t>(file.size()) : sizeof first;
  if (file.read(0, bpte::Span<uint8_t>(first, probe))) {
    const auto header = bpte::Header::parse(bpte::Span<const uint8_t>(first, probe));
    if (header.ok()) alignment = header->base_alignment;
  }
  const bpte::Span<const uint8_t> bytes = file.map(alignment);
  if (bytes.empty() && file.size() != 0) {
    bpte::Fault fault;
    fault.error = bpte::Error::kReadFailed;
    fault.expected = file.size();
    return finish(bpte::report_fault(fault, output, options));
  }
  bpte::OpenOptions open_options;
  open_options.verify_checksums = options.verify_checksums;
  const bpte::Result<bpte::Bundle> bundle = bpte::Bundle::open(bytes, open_options);
  if (!bundle.ok()) return finish(bpte::report_fault(bundle.fault(), output, options));
  options.verified_at_opening = options.verify_checksums;
  options.verify_checksums = false;
  return run(*bundle, arguments, options, output);
}

int run_from_source(bpte::host::File& file, const Arguments& arguments, bpte::Output& output) {
  bpte::RunOptions options = arguments.run;
  Buffer metadata(64 * 1024);
  bpte::Result<bpte::Bundle> bundle = bpte::Bundle::open(file, metadata.span());
  if (!bundle.ok() && bundle.fault().error == bpte::Error::kBufferTooSmall) {
    metadata = Buffer(static_cast<size_t>(bundle.fault().expected));
    bundle = bpte::Bundle::open(file, metadata.span());
  }
  if (!bundle.ok()) return finish(bpte::report_fault(bundle.fault(), output, options));
  const Buffer cases(bpte::largest_payload(*bundle));
  const Buffer scratch(64 * 1024);
  options.case_buffer = cases.span();
  options.scratch = scratch.span();
#if BPTE_RUNNER_TRACE
  const bool traces = options.trace.mode != bpte::TraceMode::kOff;
  const Buffer value(traces ? bpte::largest_trace_value(*bundle) : 0);
  options.trace.buffer = value.span();
#endif
  return run(*bundle, arguments, options, output);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments = parse(argc, argv);
  bpte::host::File file;
  if (!file.open(arguments.file)) {
    std::fprintf(stderr, "bpte-run: %s: %s\n", arguments.file, file.error());
    return kUsage;
  }
  Stdout output;
#if BPTE_RUNNER_WIRE
  bpte::host::StandardInput input;
  const Buffer record(kLongestRecord);
  bpte::Wire wire(output, arguments.pull ? &input : nullptr, arguments.run.nonce, record.span());
  if (arguments.send_outputs) arguments.run.wire = &wire;
#else
  if (arguments.send_outputs) usage_error("built without BPTE_RUNNER_WIRE: ", "--outputs");
#endif
  return arguments.source ? run_from_source(file, arguments, output)
                          : run_mapped(file, arguments, output);
}
