# SPDX-License-Identifier: BSD-3-Clause
"""The digits of examples/digits: the committed files, and the script that makes them.

The script trains and exports, which takes half a minute: it runs once for a state of the script.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpte
from bpte.cli import main
from bpte.program import inspect
from bpte.run import launcher
from bpte.run.outcome import State

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "examples" / "digits"
SUITES = {
    "digits": ("digits.toml", "float32"),
    "digits_int8": ("digits_int8.toml", "int8"),
    "digits_ethos_u55": ("digits_int8.toml", "int8"),
}
PROGRAMS = [f"{name}.pte" for name in SUITES]
GRAPH = "digits_ethos_u55.tosa"


def samples(folder: Path = DIGITS) -> dict[str, np.ndarray[Any, Any]]:
    return dict(np.load(folder / "samples.npz"))


def share_right(scores: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> float:
    return float((scores.reshape(len(labels), 10).argmax(axis=1) == labels).mean())


def packed(name: str, folder: Path) -> Path:
    path = folder / f"{name}.bpte"
    suite = DIGITS / SUITES[name][0]
    assert main(["pack", str(DIGITS / f"{name}.pte"), "--suite", str(suite), "-o", str(path)]) == 0
    return path


def test_the_files_are_small_and_the_network_reads_digits() -> None:
    names = [*PROGRAMS, GRAPH, "samples.npz"]
    assert sum((DIGITS / name).stat().st_size for name in names) < 120_000
    arrays = samples()
    assert len(arrays["labels"]) == 360
    for kind in ("float32", "int8"):
        assert share_right(arrays[kind], arrays["labels"]) > 0.97


def test_the_samples_are_those_of_scikit_learn() -> None:
    datasets = pytest.importorskip("sklearn.datasets", reason="the images are scikit-learn's")
    digits = datasets.load_digits()
    arrays = samples()
    np.testing.assert_array_equal(arrays["images"].reshape(-1, 8, 8) * 16, digits.images[::5])
    np.testing.assert_array_equal(arrays["labels"], digits.target[::5])


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_has_a_case_for_each_sample(name: str, tmp_path: Path) -> None:
    arrays = samples()
    with bpte.open(packed(name, tmp_path)) as bundle:
        (suite,) = bundle.suites
        assert [list(case.labels) for case in suite.test_cases] == [[k] for k in arrays["labels"]]
        for number, case in enumerate(suite.test_cases):
            np.testing.assert_array_equal(case.inputs[0], arrays["images"][number])
            expected = arrays[SUITES[name][1]][number]
            np.testing.assert_array_equal(case.expected_outputs[0], expected)


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("digits", "executorch"),
        ("digits", "reference"),
        ("digits_int8", "executorch"),
        ("digits_int8", "reference"),
        ("digits_ethos_u55", "reference"),
    ],
)
def test_passes_on_this_machine(name: str, engine: str, tmp_path: Path, bpte_runner: Path) -> None:
    request = launcher.Request(packed(name, tmp_path), program=bpte_runner, engine=engine)
    result = launcher.run(request)
    assert result.state is State.PASSED, result.message
    assert len(result.transcript.cases) == 360


def test_the_script_makes_the_files(made_by: Callable[[Path, Path], Path]) -> None:
    """The same bytes on the processor that made them; elsewhere the same format and accuracy."""
    pytest.importorskip("torch", reason="training needs torch")
    pytest.importorskip("ethosu.vela", reason="compiling for an Ethos-U needs Vela")
    folder = made_by(DIGITS / "make.py", ROOT / "build" / "digits")
    made, kept = samples(folder), samples()
    for key in ("images", "labels"):
        np.testing.assert_array_equal(made[key], kept[key])
    for key in ("float32", "int8"):
        assert made[key].shape == kept[key].shape
        assert share_right(made[key], made["labels"]) > 0.97
    for name in PROGRAMS:
        ours, theirs = inspect(folder / name), inspect(DIGITS / name)
        assert [method.operators for method in ours.methods] == [
            method.operators for method in theirs.methods
        ]
    if np.array_equal(made["float32"], kept["float32"]):
        for name in (*PROGRAMS, GRAPH):
            assert (folder / name).read_bytes() == (DIGITS / name).read_bytes(), name
    else:
        print("another processor: the weights differ", file=sys.stderr)
