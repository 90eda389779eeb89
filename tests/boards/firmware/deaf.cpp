// SPDX-License-Identifier: BSD-3-Clause
//
// Replaces arguments.cpp: a firmware that reads its command line and then does something else.
//   BPTE_DEAF_SELECTION   runs every case, whatever --method and --case say
//   BPTE_DEAF_ADDRESS     looks for the bundle at the board's load address, wherever it was put
//   BPTE_DEAF_NONCE       gives back none

#include "arguments.h"

#define parse_arguments parse_really
#include "arguments.cpp"
#undef parse_arguments

namespace bpte_board {

const char* parse_arguments(bpte::Span<char> line, Arguments& arguments) {
  const char* const wrong = parse_really(line, arguments);
#if defined(BPTE_DEAF_SELECTION)
  arguments.run.method = {};
  arguments.run.test_case = bpte::kNoIndex;
#elif defined(BPTE_DEAF_ADDRESS)
  arguments.has_address = arguments.has_size = false;
#elif defined(BPTE_DEAF_NONCE)
  arguments.run.nonce = {};
#endif
  return wrong;
}

}  // namespace bpte_board
