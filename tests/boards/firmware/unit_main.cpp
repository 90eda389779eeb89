// SPDX-License-Identifier: BSD-3-Clause
//
// main() of a unit test on bare metal.

#include "check_bare_metal.h"

int main() {
  return bpte_test::run_all();
}
