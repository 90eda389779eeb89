// SPDX-License-Identifier: BSD-3-Clause
#include "standard_input.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace bpte::host {

namespace {

constexpr int kPatienceMs = 30'000;

}  // namespace

bool StandardInput::read(uint8_t& byte) {
  if (at_ == end_ && !fill()) return false;
  byte = buffer_[at_++];
  return true;
}

bool StandardInput::fill() {
  ssize_t got = -1;
  do {
    pollfd standard_input = {STDIN_FILENO, POLLIN, 0};
    const int ready = poll(&standard_input, 1, kPatienceMs);
    if (ready == 0) return false;
    if (ready > 0) got = ::read(STDIN_FILENO, buffer_, sizeof buffer_);
  } while (got < 0 && (errno == EINTR || errno == EAGAIN));
  if (got <= 0) return false;
  at_ = 0;
  end_ = static_cast<size_t>(got);
  return true;
}

}  // namespace bpte::host
