// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/engine/engine.h>
#include <bpte/runner/record_writer.h>

#include <cstdint>

namespace bpte {

/// Writes the member `values` of a case (docs/result-protocol.md): what the first `count` outputs
/// of the method came to, without the bytes of tensors. The caller has read each of them once
/// without an error.
void write_values(RecordWriter& writer, Engine& engine, uint32_t count);

}  // namespace bpte
