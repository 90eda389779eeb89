// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/// What the core is built with. CMake options of the same names set these macros. Each feature can
/// be left out to save flash (figures: `make size`). Its functions are then missing from the
/// headers too, and an option or argument that asks for it gives unknown_feature: it is never
/// ignored.

/// Reads BP08, ExecuTorch 1.x's own bundled programs. Without it they are refused as
/// unknown_version.
#ifndef BPTE_CORE_BP08
#define BPTE_CORE_BP08 1
#endif

/// Opens bundles through a DataSource. Without it a bundle must lie in memory.
#ifndef BPTE_CORE_DATA_SOURCE
#define BPTE_CORE_DATA_SOURCE 1
#endif

/// Checks the CRC-32 of metadata and segments. A build without it does not check the rules
/// metadata_checksum, segment_checksum and padding: for media with checksums of their own.
#ifndef BPTE_CORE_CHECKSUMS
#define BPTE_CORE_CHECKSUMS 1
#endif

/// Bundles whose cases have steps. Without it they are refused as unknown_feature.
#ifndef BPTE_CORE_STEPS
#define BPTE_CORE_STEPS 1
#endif

/// Bundles whose suites have metrics, and the labels of their cases. Without it bundles with
/// metrics are refused as unknown_feature, and labels are ignored.
#ifndef BPTE_CORE_METRICS
#define BPTE_CORE_METRICS 1
#endif

/// Bundles that state budgets. Without it they are refused as unknown_feature.
#ifndef BPTE_CORE_BUDGETS
#define BPTE_CORE_BUDGETS 1
#endif

/// The expected results of instructions. Without it they are ignored, and not checked: the cases
/// run and are judged without them.
#ifndef BPTE_CORE_TRACE
#define BPTE_CORE_TRACE 1
#endif

/// Small tables and no fast paths, for targets with little flash: same results, in more time. A
/// fault names its rule and place, but only those values that a caller acts on (an alignment, the
/// size that a buffer needs). Default: on when the compiler optimises for size.
#ifndef BPTE_CORE_SMALL
#ifdef __OPTIMIZE_SIZE__
#define BPTE_CORE_SMALL 1
#else
#define BPTE_CORE_SMALL 0
#endif
#endif
