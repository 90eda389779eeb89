// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the C++ unit tests are written with:
//
//     TEST_CASE("what holds") {
//       CHECK(expression);
//     }
//
// On a host these are doctest's, whose other macros serve there, too. The tests of the core and of
// the reference engine also run as firmware (tests/boards/firmware), where these two are all there
// is. A CHECK that fails is reported and the test goes on. A test that checks nothing fails.

#if defined(BPTE_TEST_BARE_METAL)
#include "check_bare_metal.h"
#else
#include <doctest/doctest.h>
#endif
