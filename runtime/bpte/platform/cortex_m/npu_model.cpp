// SPDX-License-Identifier: BSD-3-Clause
//
// The functional model of the Ethos-U behind the entry points of Arm's driver (ethos-u-core-driver,
// ethosu_driver.h) that ExecuTorch's delegate calls: reserve, invoke, release.
//
// With BPTE_NPU_DRIVER the firmware has the driver as well, and is linked with --wrap for each
// entry point. An NPU that answers is then used, always; the model stands in for one that does not.
// Without it these are the entry points.

#include "npu_model.h"

#include <bpte/engine/ethosu/model.h>
#include <bpte/engine/executorch/stand_in.h>

#include <cstddef>
#include <cstdint>

#if defined(BPTE_NPU_DRIVER) || defined(BPTE_BOARD_NPU)
#include "npu.h"
#endif

#ifdef BPTE_NPU_DRIVER
#define BPTE_NPU_ENTRY(name) __wrap_##name
#else
#define BPTE_NPU_ENTRY(name) name
#endif

struct ethosu_driver;  // Arm's

namespace bpte_board {
namespace {

constexpr int kFailed = -1;

bpte::Arena* arena = nullptr;
void (*refused)(const char* why) = nullptr;
bpte::EthosUModel model;
bool reserved = false;

// What callers hold of the model; none looks into it.
ethosu_driver* model_driver() {
  return reinterpret_cast<ethosu_driver*>(&model);
}

template <typename T>
bpte::Span<T> region(const uint64_t* bases, const size_t* sizes, int count, int index) {
  if (index >= count || sizes[index] == 0) return {};
  return {reinterpret_cast<T*>(static_cast<uintptr_t>(bases[index])), sizes[index]};
}

bool run(bpte::Span<const uint8_t> commands, const bpte::EthosURegions& regions,
         bpte::Report& report) {
  if (!model.open(commands, regions, 0, report)) return false;
  const uint64_t size = model.own_bytes();
  const size_t before = arena->mark();
  void* const own =
      size > SIZE_MAX ? nullptr : arena->allocate(static_cast<size_t>(size), alignof(uint64_t));
  if (own == nullptr) {
    return report.fail(bpte::EngineError::kOutOfMemory)
           << "Ethos-U model: " << size << " bytes needed, " << uint64_t{arena->available()}
           << " left";
  }
  bool done =
      model.prepare(regions, {static_cast<uint8_t*>(own), static_cast<size_t>(size)}, report);
  if (done) {
    bpte::note_stand_in(bpte::kEthosUModelNote);
    done = model.run(report);
  }
  arena->rewind(before);
  return done;
}

}  // namespace

void start_npu_model(bpte::Arena& given, void (*tell)(const char* why)) {
  arena = &given;
  refused = tell;
}

}  // namespace bpte_board

extern "C" {

#ifdef BPTE_NPU_DRIVER
ethosu_driver* __real_ethosu_reserve_driver();
void __real_ethosu_release_driver(ethosu_driver* driver);
int __real_ethosu_invoke_v3(ethosu_driver* driver, const void* commands, int commands_size,
                            uint64_t* bases, const size_t* sizes, int count, void* argument);
#endif

ethosu_driver* BPTE_NPU_ENTRY(ethosu_reserve_driver)();
void BPTE_NPU_ENTRY(ethosu_release_driver)(ethosu_driver* driver);
int BPTE_NPU_ENTRY(ethosu_invoke_v3)(ethosu_driver* driver, const void* commands, int commands_size,
                                     uint64_t* bases, const size_t* sizes, int count,
                                     void* argument);

// Does not wait for a release, as Arm's does: nullptr when it is reserved already.
ethosu_driver* BPTE_NPU_ENTRY(ethosu_reserve_driver)() {
  using namespace bpte_board;
#if defined(BPTE_NPU_DRIVER)
  if (npu_answers()) return __real_ethosu_reserve_driver();
#elif defined(BPTE_BOARD_NPU)
  if (npu_answers()) {
    if (refused != nullptr) refused("an Ethos-U is there, and this firmware has no driver for it");
    return nullptr;
  }
#endif
  if (reserved || arena == nullptr) return nullptr;
  reserved = true;
  return model_driver();
}

void BPTE_NPU_ENTRY(ethosu_release_driver)(ethosu_driver* driver) {
  if (driver == bpte_board::model_driver()) {
    bpte_board::reserved = false;
    return;
  }
#ifdef BPTE_NPU_DRIVER
  __real_ethosu_release_driver(driver);
#endif
}

int BPTE_NPU_ENTRY(ethosu_invoke_v3)(ethosu_driver* driver, const void* commands, int commands_size,
                                     uint64_t* bases, const size_t* sizes, int count,
                                     [[maybe_unused]] void* argument) {
  using namespace bpte_board;
  if (driver != model_driver()) {
#ifdef BPTE_NPU_DRIVER
    return __real_ethosu_invoke_v3(driver, commands, commands_size, bases, sizes, count, argument);
#else
    return kFailed;
#endif
  }
  if (!reserved || commands == nullptr || commands_size < 0 || count < 0) return kFailed;
  bpte::EthosURegions regions;
  regions.weights = region<const uint8_t>(bases, sizes, count, 0);
  regions.scratch = region<uint8_t>(bases, sizes, count, 1);
  regions.fast = region<uint8_t>(bases, sizes, count, 2);
  bpte::Report report;
  const bpte::Span<const uint8_t> stream(static_cast<const uint8_t*>(commands),
                                         static_cast<size_t>(commands_size));
  if (run(stream, regions, report)) return 0;
  refused(report.message());
  return kFailed;
}

}  // extern "C"
