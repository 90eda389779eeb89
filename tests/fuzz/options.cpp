// SPDX-License-Identifier: BSD-3-Clause

// AddressSanitizer's options in every fuzz target. No memory outlives an execution. A quarantine of
// freed memory that is larger than an execution needs only causes page faults.

extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "quarantine_size_mb=1:malloc_context_size=8";
}
