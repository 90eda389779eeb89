// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/runner/record_writer.h>
#include <bpte/runner/value_source.h>

namespace bpte {

/// Writes the member `values` of a record (docs/result-protocol.md): what each value came to,
/// without the bytes of tensors. The caller has read each of them once without an error.
void write_values(RecordWriter& writer, const ValueSource& values);

}  // namespace bpte
