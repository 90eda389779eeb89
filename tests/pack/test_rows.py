# SPDX-License-Identifier: BSD-3-Clause
"""`rows` of a suite file: a case for each row of its arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bpte.pack import suite_file
from bpte.pack.tensors import PackError

X = np.arange(24, dtype=np.float32).reshape(3, 2, 4)


@pytest.fixture(autouse=True)
def arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez_compressed("s.npz", x=X, y=X * 2, short=X[:2], one=np.float32(1))
    np.save("labels.npy", np.array([3, 1, 2, 0]))


def load(suite: str) -> suite_file.SuiteFile:
    Path("suite.toml").write_text(f"[[suite]]\n{suite}\n")
    return suite_file.load("suite.toml")


def test_a_case_for_each_row_after_those_that_are_listed() -> None:
    text = """
    labels = "labels.npy"
    rows = { inputs = ["s.npz:x"], outputs = ["s.npz:y"] }
    case = [{ inputs = [{ file = "s.npz:x" }] }]
    """
    (suite,) = load(text).suites
    first, *rest = suite.test_cases
    assert not first.expected_outputs and len(rest) == 3
    for number, case in enumerate(rest):
        np.testing.assert_array_equal(case.inputs[0], X[number])
        np.testing.assert_array_equal(case.expected_outputs[0], 2 * X[number])
    assert [case.labels for case in suite.test_cases] == [3, 1, 2, 0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("[]", "rows: must be a table, not list"),
        ('{ inputs = ["s.npz:x"], labels = 1 }', "rows: unknown key 'labels'"),
        ('{ inputs = ["s.npz:x"], outputs = ["s.npz:short"] }', "outputs 0: 2 rows, 3 before"),
        ('{ inputs = ["s.npz:one"] }', "inputs 0: must name an array with a row for each case"),
        ("{ inputs = [2] }", "inputs 0: must name an array with a row for each case: 2"),
        ('{ inputs = ["s.npz:z"] }', "inputs 0: .*s.npz has no member 'z'"),
    ],
)
def test_refuses(rows: str, message: str) -> None:
    with pytest.raises(PackError, match=message):
        load(f"rows = {rows}")
