// SPDX-License-Identifier: BSD-3-Clause
//
// printf() for tests that need it: picolibc's stdout, on the board's console.

#include <cstdio>

#include "console.h"

namespace {

int put(char c, FILE*) {
  bpte_board::console().write(&c, 1);
  return static_cast<unsigned char>(c);
}

FILE console_stream = FDEV_SETUP_STREAM(put, nullptr, nullptr, _FDEV_SETUP_WRITE);

}  // namespace

FILE* const stdin = nullptr;
FILE* const stdout = &console_stream;
FILE* const stderr = &console_stream;
