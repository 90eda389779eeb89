// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which suites and cases a run selects (RunOptions::method and test_case).

#include <bpte/core/bundle.h>
#include <bpte/engine/message.h>
#include <bpte/runner/runner.h>

#include <cstddef>
#include <cstdint>

namespace bpte {

bool selected(const TestSuite& suite, const RunOptions& options);
bool selected(uint32_t case_index, const RunOptions& options);

/// How many cases the options select; a case with steps counts as its steps.
uint64_t count_selected(const Bundle& bundle, const RunOptions& options);

/// Whether the options select any case; if not, `why` says what is missing. True for an empty
/// bundle without a selection: running it reports what is missing.
bool anything_selected(const Bundle& bundle, const RunOptions& options, Message& why);

/// The largest payload of any case or step, in bytes: the size of RunOptions::case_buffer for a
/// bundle that is read from a data source. SIZE_MAX when size_t cannot hold it.
size_t largest_payload(const Bundle& bundle);

#if BPTE_RUNNER_TRACE
/// Whether any case or step that the options select has a trace.
bool any_trace_selected(const Bundle& bundle, const RunOptions& options);

/// The largest expected value in the trace of any case or step, in bytes: the size of
/// TraceOptions::buffer for a bundle that is read from a data source. SIZE_MAX when size_t cannot
/// hold it.
size_t largest_trace_value(const Bundle& bundle);
#endif

#if BPTE_CORE_STEPS
/// How much a carried value takes of RunOptions::carry_buffer, in bytes: what begins after it is
/// aligned like the buffer. `stated` is the input that it is carried into.
uint64_t carry_size(const Value& stated);

/// Twice the most that the carries of any step take: the size of RunOptions::carry_buffer (aligned
/// to 16), which holds the values of two steps in turn. SIZE_MAX when size_t cannot hold it.
size_t largest_carry(const Bundle& bundle);
#endif

}  // namespace bpte
