// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/internal/judge.h>
#include <bpte/core/internal/walk.h>
#include <bpte/core/tensor_view.h>

namespace bpte {
namespace internal {

/// Whether judge_blocks() can judge with this tolerance.
bool suits_blocks(double rtol, double atol);

/// Judges all pairs of a walk, which is not empty, block by block (vector_kernels.h). A block that
/// the kernels cannot judge is judged pair by pair, so that the evidence is the same.
void judge_blocks(const TensorView& expected, const TensorView& actual, double rtol, double atol,
                  Walk& walk, Judge& judge);

}  // namespace internal
}  // namespace bpte
