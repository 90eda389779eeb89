// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/engine/message.h>

namespace bpte {

/// While it lives, keeps the first error that ExecuTorch logs, which names the cause, instead of
/// letting the platform print it. Other log lines are dropped. An inner one takes over for its
/// lifetime. Messages from ExecuTorch's own worker threads are taken as well.
class LogCapture {
 public:
  explicit LogCapture(Message& first_error);
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

 private:
  Message* outer_;
};

/// What is called, with the reason, instead of abort() when ExecuTorch gives up on a program that
/// it finds impossible (its ET_CHECK). It must not return. nullptr: the platform's abort.
using AbortHandler = void (*)(const char* reason);
void set_executorch_abort_handler(AbortHandler handler);

}  // namespace bpte
