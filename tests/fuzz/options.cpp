// SPDX-License-Identifier: BSD-3-Clause

// What AddressSanitizer is told in every fuzz target. Nothing outlives an execution, so that a
// quarantine of freed memory larger than what one of them takes only costs page faults.

extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "quarantine_size_mb=1:malloc_context_size=8";
}
