// SPDX-License-Identifier: BSD-3-Clause
//
// doctest itself, compiled once for all test programs of the host, and their main().

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
