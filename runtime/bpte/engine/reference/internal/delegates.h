// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which delegates the engine executes: none, or, where the build says BPTE_ETHOSU_MODEL=1, those of
// ExecuTorch's EthosUBackend, by the functional model. One build has one value for all its files.

#ifndef BPTE_ETHOSU_MODEL
#define BPTE_ETHOSU_MODEL 0
#endif

#if BPTE_ETHOSU_MODEL
#include <bpte/engine/ethosu/model.h>
#endif

namespace bpte::reference {

inline constexpr bool kHasDelegates = BPTE_ETHOSU_MODEL != 0;

}  // namespace bpte::reference
