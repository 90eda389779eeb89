# SPDX-License-Identifier: BSD-3-Clause
"""Files that earlier revisions of the format wrote still open. They are committed as they were
written, and never made again."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bpte
from bpte.pack.convert import convert

FOLDER = Path(__file__).parents[1] / "fixtures" / "bundle"
MLP = Path(__file__).parents[1] / "fixtures" / "program" / "mlp.pte"
X = np.arange(16, dtype=np.float32).reshape(2, 8) / 16


# Written before steps, metrics, traces, budgets and roles of named data.
@pytest.mark.parametrize("name", ["0.1-bp09", "0.1-bp08"])
def test_a_file_of_0_1(name: str, cpp_tool: Callable[[str], Path], tmp_path: Path) -> None:
    path = FOLDER / f"{name}.bpte"
    bp09 = name.endswith("bp09")
    for file in (path, tmp_path / "again.bpte"):
        if file != path:
            convert(path, file, format="bp09" if bp09 else "bp08")
        with bpte.open(file, verify=True) as bundle:
            forward, other = bundle.suites
            first, second = forward.test_cases
            assert bytes(bundle.program) == MLP.read_bytes()
            assert np.array_equal(first.inputs[0], X)
            assert np.array_equal(first.expected_outputs[0], np.zeros((2, 4), np.float32))
            assert np.array_equal(second.inputs[0], X + 1)
            assert second.info.inputs[0].dim_order == (1, 0)  # type: ignore[union-attr]
            (case,) = other.test_cases
            assert case.inputs[:3] == [1, True, -2.5] and case.inputs[3].shape == (2, 4, 3)
            assert case.expected_outputs[0] == 7 and case.expected_outputs[1].dtype == np.uint16
            if bp09:
                assert first.name == "größte"
                tolerance = bpte.Tolerance(rtol=1e-3, min_sqnr_db=-200, max_outlier_share=1.0)
                assert first.tolerance(0) == tolerance
                assert case.tolerance(0).not_compared
                assert bundle.metadata == {"model": "mlp", "producer": "bpte 0.1.0", "ä": "ö"}
                assert bundle.named_data_info == {"weights": bpte.NamedData(4)}
                assert bytes(bundle.named_data("weights")) == b"ten bytes!"
            for suite in bundle.suites:
                assert (list(suite.metrics), suite.traced_method) == ([], None)
                for read in suite.test_cases:
                    assert not (read.steps or read.carries or read.labels or read.trace)
            assert bundle.budgets == []
    done = subprocess.run(
        [cpp_tool("rule_of"), path], capture_output=True, text=True, check=True, timeout=60
    )
    for line in done.stdout.splitlines():
        way, _, rule, *_ = line.split("\t")
        # BP08 does not say how long it is.
        assert rule == ("read_failed" if way == "source?size" and not bp09 else "ok"), way
