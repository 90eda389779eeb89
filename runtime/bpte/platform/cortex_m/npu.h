// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace bpte_board {

/// Whether the Ethos-U answers that the board's peripherals.npu names. False without that.
bool npu_answers();

}  // namespace bpte_board
