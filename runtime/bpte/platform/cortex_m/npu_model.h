// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/engine/executorch/arena.h>

namespace bpte_board {

/// Makes the model ready; before that, nothing can be reserved. ethosu_invoke_v3() takes memory of
/// its own from `arena`, beside the regions that its caller gives (tables, one OFM block's
/// weights), and gives it back before it returns. `refused` is told in words why a call returns an
/// error.
void start_npu_model(bpte::Arena& arena, void (*refused)(const char* why));

}  // namespace bpte_board
