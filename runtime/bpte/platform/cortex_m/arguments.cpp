// SPDX-License-Identifier: BSD-3-Clause
#include "arguments.h"

#include <cstring>

namespace bpte_board {
namespace {

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool decode(char* word) {
  char* to = word;
  for (const char* from = word; *from != '\0'; ++from) {
    if (*from != '%') {
      *to++ = *from;
      continue;
    }
    const int high = digit(from[1]);
    const int low = high < 0 ? -1 : digit(from[2]);
    if (low < 0) return false;
    *to++ = static_cast<char>(high * 16 + low);
    from += 2;
  }
  *to = '\0';
  return true;
}

bool number(const char* text, uint64_t& value, uint64_t limit) {
  uint64_t base = 10;
  if (text[0] == '0' && text[1] == 'x') {
    base = 16;
    text += 2;
  }
  if (*text == '\0') return false;
  value = 0;
  for (; *text != '\0'; ++text) {
    const int d = digit(*text);
    if (d < 0 || static_cast<uint64_t>(d) >= base) return false;
    if (value > (limit - static_cast<uint64_t>(d)) / base) return false;
    value = value * base + static_cast<uint64_t>(d);
  }
  return true;
}

char* next_word(char*& at) {
  while (*at == ' ') ++at;
  if (*at == '\0') return nullptr;
  char* const word = at;
  while (*at != ' ' && *at != '\0') ++at;
  if (*at == ' ') *at++ = '\0';
  return word;
}

}  // namespace

const char* parse_arguments(bpte::Span<char> line, Arguments& arguments) {
  char* at = line.data();
  next_word(at);  // the program's name
  while (char* const option = next_word(at)) {
    char* const value = next_word(at);
    if (value == nullptr) return "an option without a value";
    if (!decode(value)) return "a percent sign without two digits";
    const auto is = [option](const char* name) { return std::strcmp(option, name) == 0; };
    uint64_t n = 0;
    if (is("--file")) {
      arguments.file = value;
    } else if (is("--method")) {
      arguments.run.method = {value, std::strlen(value)};
    } else if (is("--nonce")) {
      arguments.run.nonce = {value, std::strlen(value)};
    } else if (is("--console")) {
      arguments.semihosting_console = std::strcmp(value, "semihosting") == 0;
      if (!arguments.semihosting_console && std::strcmp(value, "uart") != 0)
        return "no such console";
#if BPTE_RUNNER_WIRE
    } else if (is("--outputs")) {
      arguments.send_outputs = true;
      arguments.pull = std::strcmp(value, "pull") == 0;
      if (!arguments.pull && std::strcmp(value, "once") != 0) return "no such way of outputs";
#endif
#if BPTE_RUNNER_TRACE
    } else if (is("--trace")) {
      if (!bpte::trace_mode_of({value, std::strlen(value)}, arguments.run.trace.mode))
        return "no such way to trace";
    } else if (is("--trace-rtol-bits") || is("--trace-atol-bits")) {
      bpte::TraceOptions& trace = arguments.run.trace;
      if (!number(value, n, UINT64_MAX)) return "a tolerance that is not a number";
      std::memcpy(is("--trace-rtol-bits") ? &trace.rtol : &trace.atol, &n, sizeof(n));
#endif
    } else if (is("--rtol-bits") || is("--atol-bits")) {
      if (!number(value, n, UINT64_MAX)) return "a tolerance that is not a number";
      std::memcpy(is("--rtol-bits") ? &arguments.run.rtol : &arguments.run.atol, &n, sizeof(n));
    } else if (!number(value, n, UINT32_MAX)) {
      return "a value that is not a number below 2^32";
    } else if (is("--linked")) {
      arguments.linked = n == 1;
#if BPTE_CORE_STEPS
    } else if (is("--teach")) {
      arguments.run.teach = n == 1;
#endif
#if BPTE_RUNNER_TRACE
    } else if (is("--isolate")) {
      arguments.run.trace.isolate = n == 1;
    } else if (is("--profile")) {
      arguments.run.trace.profile = static_cast<uint32_t>(n);
    } else if (is("--dump")) {
      arguments.run.trace.dump = static_cast<uint32_t>(n);
#endif
    } else if (is("--at")) {
      arguments.has_address = true;
      arguments.address = static_cast<uint32_t>(n);
    } else if (is("--size")) {
      arguments.has_size = true;
      arguments.size = static_cast<uint32_t>(n);
    } else if (is("--instruction-ns")) {
      arguments.instruction_ns = static_cast<uint32_t>(n);
    } else if (is("--case")) {
      arguments.run.test_case = static_cast<uint32_t>(n);
    } else {
      return "an unknown option";
    }
  }
  return nullptr;
}

}  // namespace bpte_board
