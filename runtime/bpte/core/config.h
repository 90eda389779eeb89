// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/// What the core is built with; CMake options of the same names set them. Each can be left out to
/// save flash (figures: `make size`). A build that leaves a feature out leaves its functions out of
/// the headers too; an option or argument that asks for it is unknown_feature, never ignored.

/// Reading BP08, ExecuTorch 1.x's own bundled programs. Without it they are unknown_version.
#ifndef BPTE_CORE_BP08
#define BPTE_CORE_BP08 1
#endif

/// Opening through a DataSource. Without it a bundle must lie in memory.
#ifndef BPTE_CORE_DATA_SOURCE
#define BPTE_CORE_DATA_SOURCE 1
#endif

/// CRC-32 of metadata and segments. Without it metadata_checksum, segment_checksum and padding are
/// never found: for media that check themselves.
#ifndef BPTE_CORE_CHECKSUMS
#define BPTE_CORE_CHECKSUMS 1
#endif

/// Small tables and no fast paths, for targets with little flash: same results, in more time. A
/// fault names its rule and place, but of the values only those that a caller acts on (an
/// alignment, the size that a buffer needs). Unless said, as the compiler is told to optimise.
#ifndef BPTE_CORE_SMALL
#ifdef __OPTIMIZE_SIZE__
#define BPTE_CORE_SMALL 1
#else
#define BPTE_CORE_SMALL 0
#endif
#endif
