// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/span.h>
#include <bpte/runner/runner.h>

#include <cstdint>

namespace bpte_board {

/// What the firmware is asked to do. The command line's words are separated by spaces and
/// percent-encoded:
///   --at ADDRESS        the bundle lies there, in hexadecimal
///   --size BYTES        and has this size; else its header states it
///   --file PATH         read it from the host instead, case by case
///   --linked 1          it is linked into the firmware
///   --nonce WORD        repeated in the record `begin`
///   --method M  --case N
///   --rtol-bits X  --atol-bits X   tolerances, a double's 64 bits in hexadecimal: exact, and
///                       nothing to parse
///   --console uart|semihosting
///   --instruction-ns N  the emulator takes N ns of its time for each instruction: counts them
///   --outputs pull|once  send the actual outputs (with BPTE_RUNNER_WIRE)
///   --trace first|all|strict|record  look at each instruction (with BPTE_ENGINE_STEPPING, as the
///                       next ones)
///   --isolate 1
///   --trace-rtol-bits X  --trace-atol-bits X
///   --dump K
///   --profile N
struct Arguments {
  bool has_address = false;
  uint32_t address = 0;
  bool has_size = false;
  uint32_t size = 0;
  const char* file = nullptr;
  bool linked = false;
  bool semihosting_console = false;
  uint32_t instruction_ns = 0;  ///< 0: times are not those of instructions
#if BPTE_RUNNER_WIRE
  bool send_outputs = false;
  bool pull = false;  ///< the other side asks for them
#endif
  bpte::RunOptions run;
};

/// Reads `line` (NUL-terminated; the first word is the program's name), decoding it in place:
/// `arguments` points into it. Returns nullptr, or what is wrong.
const char* parse_arguments(bpte::Span<char> line, Arguments& arguments);

}  // namespace bpte_board
