// SPDX-License-Identifier: BSD-3-Clause
//
// Tests what the start-up promises: variables are initialised and zeroed, constructors have run,
// floating point is on, a read that faults is survived, and time passes.

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "clock.h"
#include "console.h"
#include "fault.h"

namespace {

volatile int initialised = 42;
volatile int zeroed;

struct Constructed {
  Constructed() : value(7) {}
  volatile int value;
};
Constructed constructed;

void say(const char* text) {
  bpte_board::console().write(text, std::strlen(text));
}

int failures = 0;
void check(bool ok, const char* what) {
  say(ok ? "ok: " : "FAILED: ");
  say(what);
  say("\n");
  if (!ok) ++failures;
}

}  // namespace

int main() {
  check(initialised == 42, "initialised variables");
  check(zeroed == 0, "zeroed variables");
  check(constructed.value == 7, "constructors");
  volatile float third = 1.0f;
  third = third / 3.0f;
  check(third > 0.33f && third < 0.34f, "floating point");
  errno = 5;
  check(errno == 5, "errno");

  uint32_t value = 0;
  check(bpte_board::probe_read(0xE000ED00, value) && value != 0, "probing what is there: CPUID");
  check(!bpte_board::probe_read(BPTE_BOARD_NOTHING, value), "probing what is not");
  check(!bpte_board::probe_read(BPTE_BOARD_NOTHING + 4, value), "probing it again");

  bpte_board::BoardClock clock;
  clock.start();
  const uint64_t start = clock.now();
  uint64_t last = start;
  bool backwards = false;
  for (int i = 0; i < 200000; ++i) {
    const uint64_t now = clock.now();
    if (now < last) backwards = true;
    last = now;
  }
  check(last > start, "time passes");
  check(!backwards, "time never runs backwards");
  say(failures == 0 ? "selftest passed\n" : "selftest FAILED\n");
  return failures == 0 ? 0 : 1;
}
