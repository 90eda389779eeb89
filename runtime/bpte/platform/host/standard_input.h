// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/runner/wire.h>

#include <cstddef>
#include <cstdint>

namespace bpte::host {

/// Standard input: what the launcher asks for. It ends with the launcher, and waits half a minute
/// at most for one that lives and says nothing.
class StandardInput final : public bpte::Input {
 public:
  [[nodiscard]] bool read(uint8_t& byte) override;

 private:
  bool fill();

  uint8_t buffer_[4096];
  size_t at_ = 0;
  size_t end_ = 0;
};

}  // namespace bpte::host
