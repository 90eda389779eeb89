// SPDX-License-Identifier: BSD-3-Clause
#include <bpte/engine/executorch/stand_in.h>

#include <atomic>

namespace bpte {

namespace {

std::atomic<const char*> noted{nullptr};

}  // namespace

void note_stand_in(const char* words) {
  noted.store(words);
}

const char* take_stand_in() {
  const char* const words = noted.exchange(nullptr);
  return words == nullptr ? "" : words;
}

}  // namespace bpte
