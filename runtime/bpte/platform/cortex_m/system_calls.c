// SPDX-License-Identifier: BSD-3-Clause
//
// The system calls that the C library needs. Only some of ExecuTorch's operators call them: random
// numbers (aten::rand), for which there is no entropy, and library code that would raise a signal.

#include <stddef.h>
#include <sys/types.h>

void* __dso_handle __attribute__((weak));

__attribute__((noreturn)) void bpte_board_abort(void);

__attribute__((noreturn)) void abort(void) {
  bpte_board_abort();
}
__attribute__((noreturn)) void _exit(int status) {
  (void)status;
  bpte_board_abort();
}

int getentropy(void* buffer, size_t size);
int getentropy(void* buffer, size_t size) {
  (void)buffer;
  (void)size;
  return -1;
}
pid_t getpid(void) {
  return 1;
}
int kill(pid_t pid, int signal) {
  (void)pid;
  (void)signal;
  bpte_board_abort();
}
ssize_t read(int file, void* buffer, size_t size) {
  (void)file;
  (void)buffer;
  (void)size;
  return -1;
}
