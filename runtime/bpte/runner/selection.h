// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which suites and cases a run is asked for (RunOptions::method and test_case).

#include <bpte/core/bundle.h>
#include <bpte/engine/message.h>
#include <bpte/runner/runner.h>

#include <cstddef>
#include <cstdint>

namespace bpte {

bool selected(const TestSuite& suite, const RunOptions& options);
bool selected(uint32_t case_index, const RunOptions& options);

/// How many cases the options select.
uint64_t count_selected(const Bundle& bundle, const RunOptions& options);

/// Whether there is anything to run for what was asked; if not, `why` says what is missing. True
/// for an empty bundle of which all was asked for: running it says what it lacks.
bool anything_selected(const Bundle& bundle, const RunOptions& options, Message& why);

/// The largest payload of any case, in bytes: what RunOptions::case_buffer must hold for a bundle
/// that is read from a data source. SIZE_MAX when it is beyond that.
size_t largest_payload(const Bundle& bundle);

}  // namespace bpte
