// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/engine/message.h>

namespace bpte {

/// While it lives, it keeps the first error that ExecuTorch logs, which names the cause. Other log
/// lines are dropped; the platform prints none. An inner capture replaces an outer one for its
/// lifetime. Messages from ExecuTorch's own worker threads are captured as well.
class LogCapture {
 public:
  explicit LogCapture(Message& first_error);
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

 private:
  Message* outer_;
};

/// Sets the function that is called with the reason, instead of abort(), when a check of ExecuTorch
/// fails (its ET_CHECK). It must not return. nullptr: the platform's abort.
using AbortHandler = void (*)(const char* reason);
void set_executorch_abort_handler(AbortHandler handler);

}  // namespace bpte
