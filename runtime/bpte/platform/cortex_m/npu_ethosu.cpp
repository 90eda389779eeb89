// SPDX-License-Identifier: BSD-3-Clause
//
// The Ethos-U NPU, for firmware whose ExecuTorch has its delegate. Its driver waits for ever for an
// NPU that is not there, so the delegate is registered only once the NPU has answered; otherwise
// another is, which refuses every program with "NPU absent". With the functional model in the
// firmware (BPTE_ETHOSU_MODEL), the delegate is registered either way: npu_model.cpp stands between
// it and the driver.
//
// Without an FVP or a board at hand, only the absent case has been run (QEMU has no NPU).

#include <ethosu_driver.h>
#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/platform/log.h>

#include <cstdint>
#include <cstring>

#include "npu.h"

#ifndef BPTE_ETHOSU_MODEL
#define BPTE_ETHOSU_MODEL 0
#endif

namespace et = ::executorch::runtime;

namespace bpte_board {
namespace {

constexpr char kBackend[] = "EthosUBackend";
constexpr uintptr_t kIrqEnable = 0xE000E100;  // NVIC_ISER0

ethosu_driver driver;

bool start_npu() {
  void* const base = reinterpret_cast<void*>(BPTE_BOARD_NPU);
  constexpr uint32_t kSecure = 1;
  constexpr uint32_t kPrivileged = 1;
  if (ethosu_init(&driver, base, nullptr, 0, kSecure, kPrivileged) != 0) return false;
  *reinterpret_cast<volatile uint32_t*>(kIrqEnable + 4 * (BPTE_BOARD_NPU_IRQ / 32)) =
      1u << (BPTE_BOARD_NPU_IRQ % 32);
  return true;
}

class AbsentNpu final : public et::BackendInterface {
 public:
  bool is_available() const override {
    ET_LOG(Error, "NPU absent: no Ethos-U answers at 0x%08lx",
           static_cast<unsigned long>(BPTE_BOARD_NPU));
    return false;
  }
  et::Result<et::DelegateHandle*> init(et::BackendInitContext&, et::FreeableBuffer*,
                                       et::ArrayRef<et::CompileSpec>) const override {
    return et::Error::NotFound;
  }
  et::Error execute(et::BackendExecutionContext&, et::DelegateHandle*,
                    et::Span<et::EValue*>) const override {
    return et::Error::NotFound;
  }
};

AbsentNpu absent_npu;

}  // namespace
}  // namespace bpte_board

// The mangled name of executorch::runtime::register_backend(const Backend&).
#define BPTE_REGISTER_BACKEND(prefix) \
  prefix##_ZN10executorch7runtime16register_backendERKNS0_7BackendE

extern "C" {

// Linked with --wrap: every registration of a backend comes here, from a constructor, and may go
// on.
et::Error BPTE_REGISTER_BACKEND(__real_)(const et::Backend&);
et::Error BPTE_REGISTER_BACKEND(__wrap_)(const et::Backend& backend) {
  using namespace bpte_board;
  if (std::strcmp(backend.name, kBackend) != 0) return BPTE_REGISTER_BACKEND(__real_)(backend);
  const bool usable = npu_answers() ? start_npu() : BPTE_ETHOSU_MODEL != 0;
  return usable ? BPTE_REGISTER_BACKEND(__real_)(backend)
                : BPTE_REGISTER_BACKEND(__real_)({kBackend, &absent_npu});
}

void board_interrupt() {
  ethosu_irq_handler(&bpte_board::driver);
}
}
