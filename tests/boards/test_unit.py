# SPDX-License-Identifier: BSD-3-Clause
"""The core's own C++ tests, cross-compiled, on the emulated Cortex-M55."""

from __future__ import annotations

from pathlib import Path

from boards_support import demo_arrays, demo_program, pack, run


def test_the_cores_unit_tests(corstone_300: Path, tmp_path: Path) -> None:
    names = (corstone_300 / "tests" / "unit_tests.txt").read_text().strip().split(";")
    assert {"unit-bundle_test", "unit-compare_test"} <= set(names)
    bundle = pack(tmp_path / "any.bpte", demo_program(), demo_arrays())
    for name in names:
        result = run(bundle, corstone_300 / "tests" / f"{name}.elf")
        assert result.exit_status == 0, (name, result.transcript.other_lines)
        tally = result.transcript.other_lines[-1]
        assert tally.endswith(" checks, 0 failed") and not tally.startswith("0 "), (name, tally)
