// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bpte/core/config.h>
#include <bpte/engine/stepping.h>

/// Sends the actual outputs of a run over the line of its records (wire.h). The CMake option of the
/// same name sets this macro. Without it nothing of the wire is compiled.
#ifndef BPTE_RUNNER_WIRE
#define BPTE_RUNNER_WIRE 0
#endif

/// Measures the metrics of suites (metrics.h). The CMake option of the same name sets this macro.
/// Without it nothing of them is compiled, and a suite that states metrics is not run:
/// `unsupported`.
#ifndef BPTE_RUNNER_METRICS
#define BPTE_RUNNER_METRICS 0
#endif

/// Judges the budgets of bundles (budgets.h). The CMake option of the same name sets this macro.
/// Without it nothing of them is compiled, and a bundle that states budgets is not run:
/// `unsupported`.
#ifndef BPTE_RUNNER_BUDGETS
#define BPTE_RUNNER_BUDGETS 0
#endif

/// Holds what each instruction gives against the trace of a case (tracer.h), where the engines can
/// be stepped and the core reads traces. Without it nothing of it is compiled.
#define BPTE_RUNNER_TRACE (BPTE_ENGINE_STEPPING && BPTE_CORE_TRACE)
