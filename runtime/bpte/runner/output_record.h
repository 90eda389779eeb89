// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/compare.h>
#include <bpte/runner/record_writer.h>

namespace bpte {

/// Writes one element of a case's `outputs` (docs/result-protocol.md). `result` is what compare()
/// returned for `expected`, `actual` and `tolerance`.
void write_output(RecordWriter& writer, const Value& expected, const Value& actual,
                  const Comparison& result, const Tolerance& tolerance);

}  // namespace bpte
