// SPDX-License-Identifier: BSD-3-Clause

// What FlatBuffers' generated verifier takes for the same schema (flatc --cpp schema/bpte.fbs).

#include "bpte_generated.h"

extern "C" {
volatile uint32_t sink;
void entry() {
#if USE_VERIFIER
  const auto* const file = reinterpret_cast<const uint8_t*>(uintptr_t{0x71000000});
  flatbuffers::Verifier verifier(file, *reinterpret_cast<const volatile uint32_t*>(file + 24));
  sink = bpte_flatbuffer::VerifyBundledProgramBuffer(verifier) ? 1 : 0;
#endif
}
}
