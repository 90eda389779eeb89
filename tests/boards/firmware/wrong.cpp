// SPDX-License-Identifier: BSD-3-Clause
//
// A firmware that begins like a real one and then goes wrong in one way.

#include <cstdint>
#include <cstring>

#include "console.h"
#include "fault.h"

namespace {

void say(const char* text) {
  bpte_board::console().write(text, std::strlen(text));
}

constexpr char kBegin[] =
    "#bpte {\"event\": \"begin\", \"protocol\": 2, \"target\": \"wrong\", \"cases\": 2}\n";

#ifdef BPTE_WRONG_FAULT_STACK
volatile bool endless = true;
uint32_t descend(volatile uint32_t* above) {
  volatile uint32_t here[64];
  here[0] = *above + 1;
  return endless ? descend(here) + here[0] : 0;
}
#endif

}  // namespace

int main() {
#if defined(BPTE_WRONG_SILENT)
  return 0;
#endif
  say(kBegin);
#if defined(BPTE_WRONG_HANG)
  for (;;) asm volatile("");
#elif defined(BPTE_WRONG_FAULT_BUS)
  return static_cast<int>(*reinterpret_cast<volatile uint32_t*>(BPTE_BOARD_NOTHING));
#elif defined(BPTE_WRONG_FAULT_UNDEFINED)
  asm volatile("udf #1");
#elif defined(BPTE_WRONG_FAULT_STACK)
  volatile uint32_t top = 0;
  return static_cast<int>(descend(&top));
#elif defined(BPTE_WRONG_FAULT_DIVIDE)
  volatile int zero = 0;
  return 100 / zero;
#elif defined(BPTE_WRONG_CUT_SHORT)
  say("#bpte {\"event\": \"case\", \"suite\": 0, \"method\": \"forward\", \"case\": 0, \"verdi");
  return 0;
#elif defined(BPTE_WRONG_EXIT_LIES)
  // Nothing was judged, and the exit status reports success.
  say("#bpte {\"event\": \"error\", \"error\": \"out_of_memory\", \"message\": \"\", \"outcome\": "
      "4}\n");
  return 0;
#endif
  return 0;
}
