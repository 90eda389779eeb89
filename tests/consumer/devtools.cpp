// SPDX-License-Identifier: BSD-3-Clause
//
// bpte::devtools: where a bundle's program lies, by ExecuTorch's interface.
#include <executorch/devtools/bundled_program/bundled_program.h>

#include "console.h"

int main(int, char** words) {
  const auto file = consumer::map(words[1]);
  const void* program = nullptr;
  size_t size = 0;
  const auto error = executorch::bundled_program::get_program_data(
      const_cast<uint8_t*>(file.data()), file.size(), &program, &size);
  std::printf("%s: %zu bytes\n", executorch::runtime::to_string(error), size);
  return 0;
}
