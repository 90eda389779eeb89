// SPDX-License-Identifier: BSD-3-Clause
//
// bpte::engine alone.
#include <bpte/engine/engine.h>

#include <cstdio>

int main() {
  std::puts(to_string(bpte::EngineError::kMissingOperator));
}
