# SPDX-License-Identifier: BSD-3-Clause
"""Runs of an engine that gives back its inputs (runner_tool), with the outputs kept: they are
known."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpte
from bpte.pack.tensors import normalise
from bpte.run import launcher
from bpte.run.judge import Run
from bpte.run.outputs_file import kept_of
from bpte.run.records import CaseKey
from bpte.run.request import Request
from bpte.run.results_folder import ResultsFolder
from real_records import PER_CASE


def pack(path: Path, cases: Sequence[bpte.MethodTestCase]) -> Path:
    """A bundle for that engine. Each input is what comes out."""
    suite = bpte.MethodTestSuite("echo", list(cases))
    bpte.BundledProgram(b"read by nobody", [suite]).save(path, fit="skip", durable=False)
    return path


def case(expected: Any, actual: Any, name: str = "", **tolerance: Any) -> bpte.MethodTestCase:
    """A case whose first output is this; the others, as many as the engine has, are right."""
    rest = [1] * (PER_CASE - 1)
    stated = [bpte.Tolerance(**tolerance), *[bpte.Tolerance()] * len(rest)]
    return bpte.MethodTestCase([actual, *rest], [expected, *rest], name=name, tolerances=stated)


def run(tool: Path, bundle: Path, keep: bool = True) -> Run:
    """What the real runner says of it."""
    done = subprocess.run([tool, bundle, "none"], capture_output=True, check=False, timeout=60)
    result = launcher.judge_log(Path("log"), [done.stdout], Request(bundle))
    if not keep:
        return result
    with bpte.open(bundle) as opened:
        kept = {
            CaseKey(number, index): [kept_of(normalise(_owned(value))) for value in item.inputs]
            for number, suite in enumerate(opened.suites)
            for index, item in enumerate(suite.test_cases)
        }
    return replace(result, kept=kept)


def _owned(value: Any) -> Any:
    return value.copy() if hasattr(value, "copy") else value


def write(folder: Path, result: Run) -> Path:
    """The results folder of a run."""
    with ResultsFolder(folder) as results:
        results.write(result)
    return folder
