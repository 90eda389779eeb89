# SPDX-License-Identifier: BSD-3-Clause
"""The core's own C++ tests, cross-compiled, on the emulated Cortex-M55."""

from __future__ import annotations

import re
from pathlib import Path

from boards_support import ROOT, demo_arrays, demo_program, pack, run


def case_names(program: str) -> list[str]:
    """The names of the test cases in a unit test's source, in order."""
    (source,) = (ROOT / "tests").rglob(program.removeprefix("unit-") + ".cpp")
    return re.findall(r'^TEST_CASE\("(.*)"\)', source.read_text(), re.MULTILINE)


def test_the_cores_unit_tests(corstone_300: Path, tmp_path: Path) -> None:
    names = (corstone_300 / "tests" / "unit_tests.txt").read_text().strip().split(";")
    assert {"unit-bundle_test", "unit-compare_test"} <= set(names)
    bundle = pack(tmp_path / "any.bpte", demo_program(), demo_arrays())
    for name in names:
        result = run(bundle, corstone_300 / "tests" / f"{name}.elf")
        assert result.exit_status == 0, (name, result.transcript.other_lines)
        lines = result.transcript.other_lines
        ran = [line.removeprefix("test case: ") for line in lines if line.startswith("test case: ")]
        assert ran == case_names(name), name
        tally = re.fullmatch(r"(\d+) test cases, (\d+) checks, 0 failed", lines[-1])
        assert tally and int(tally[1]) == len(ran) and int(tally[2]) > len(ran), (name, lines[-1])
