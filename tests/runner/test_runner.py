# SPDX-License-Identifier: BSD-3-Clause
"""What the runner makes of an engine's answers, with one that only echoes (runner_tool.cpp)."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpte
from bpte.run.outcome import Outcome, Verdict
from bpte.run.protocol import Parser, Transcript

PROGRAM = b"the echoing engine reads no program"
#: Six inputs, given back as outputs: tensors of some dtypes, and scalars.
VALUES: list[Any] = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.array([[1, 2], [3, 4]], np.int8),
    np.array(2.5),
    7,
    1.5,
    True,
]


@pytest.fixture
def run(
    cpp_tool: Callable[[str], Path], tmp_path: Path
) -> Callable[..., tuple[Outcome, Transcript]]:
    """Runs suites (or bytes) at a failure; checks that the protocol is whole and the exit code its
    outcome."""

    def call(bundle: object, *failure: str) -> tuple[Outcome, Transcript]:
        path = tmp_path / "echo.bpte"
        if isinstance(bundle, bytes):
            path.write_bytes(bundle)
        else:
            bpte.BundledProgram(PROGRAM, bundle).save(path, fit="skip", durable=False)  # type: ignore[arg-type]
        command = [cpp_tool("runner_tool"), path, *(failure or ("none",))]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        parser = Parser()
        parser.feed(done.stdout)
        transcript = parser.finish()
        assert transcript.violation is None, (transcript.violation, done.stdout)
        assert transcript.end is not None
        assert transcript.end.outcome == done.returncode
        assert transcript.begin is not None
        assert transcript.begin.target == "nowhere"
        return Outcome(done.returncode), transcript

    return call


def changed(index: int, value: object) -> list[Any]:
    return [value if i == index else old for i, old in enumerate(VALUES)]


def suite(*expected: list[Any] | None, **options: Any) -> bpte.MethodTestSuite:
    cases = [
        bpte.MethodTestCase(VALUES, outputs, name=f"ä {i}") for i, outputs in enumerate(expected)
    ]
    return bpte.MethodTestSuite("echo", cases, **options)


def test_echo(run: Callable[..., tuple[Outcome, Transcript]]) -> None:
    outcome, transcript = run([suite(VALUES, VALUES)])
    assert outcome is Outcome.PASSED
    assert transcript.begin is not None
    assert (transcript.begin.engine, transcript.begin.unit) == ("echo", "cycles")
    assert [case.name for case in transcript.cases] == ["ä 0", "ä 1"]
    assert [case.time for case in transcript.cases] == [7, 7]
    outputs = transcript.cases[0].outputs
    assert [o.kind for o in outputs] == ["tensor"] * 3 + ["int", "double", "bool"]
    assert [o.dtype for o in outputs[:3]] == ["float32", "int8", "float64"]
    assert [o.shape for o in outputs[:3]] == [(2, 3), (2, 2), ()]
    assert [o.numel for o in outputs] == [6, 4, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("index", "value", "first"),
    [
        (0, np.array([[0, 1, 2], [3, 4.5, 5]], np.float32), ((1, 1), 4.5, 4.0)),
        (1, np.array([[1, 2], [-3, 4]], np.int8), ((1, 0), -3, 3)),
        (2, np.array(-np.inf), ((), float("-inf"), 2.5)),
        (3, -(2**63), ((), -(2**63), 7)),
        (4, 0.1, ((), 0.1, 1.5)),
        (5, False, ((), False, True)),
    ],
)
def test_mismatch(
    index: int, value: object, first: object, run: Callable[..., tuple[Outcome, Transcript]]
) -> None:
    outcome, transcript = run([suite(VALUES, changed(index, value), VALUES)])
    assert outcome is Outcome.MISMATCH
    assert [c.verdict for c in transcript.cases] == [Verdict.PASS, Verdict.FAIL, Verdict.PASS]
    failed = transcript.cases[1].outputs
    assert [o.verdict is Verdict.FAIL for o in failed] == [i == index for i in range(6)]
    seen = failed[index].first
    assert seen is not None
    assert (seen.index, seen.expected, seen.actual) == first
    assert type(seen.expected) is type(seen.actual)


def test_another_kind(run: Callable[..., tuple[Outcome, Transcript]]) -> None:
    outcome, transcript = run([suite(changed(0, 1), changed(4, np.array([1.5])))])
    assert outcome is Outcome.MISMATCH
    one, other = transcript.cases[0].outputs[0], transcript.cases[1].outputs[4]
    assert (one.reason, one.kind, one.actual_kind) == ("kind", "int", "tensor")
    assert (one.actual_dtype, one.actual_shape) == ("float32", (2, 3))
    assert (other.reason, other.kind, other.actual_kind) == ("kind", "tensor", "double")


def test_not_compared(run: Callable[..., tuple[Outcome, Transcript]]) -> None:
    ignore = bpte.Tolerance(not_compared=True)
    wrong = changed(0, np.ones((2, 3), np.float32))
    outcome, transcript = run([suite(wrong, tolerances=[ignore] + [bpte.Tolerance()] * 5)])
    assert outcome is Outcome.PASSED
    assert transcript.cases[0].outputs[0].verdict is Verdict.NOT_COMPARED
    outcome, transcript = run([suite(wrong, tolerances=ignore)])
    assert outcome is Outcome.INFRASTRUCTURE
    assert transcript.cases[0].verdict is Verdict.UNJUDGED


def test_a_record_says_what_it_was_judged_with(
    run: Callable[..., tuple[Outcome, Transcript]],
) -> None:
    stated = bpte.Tolerance(
        rtol=0.5, atol=0.25, max_outlier_share=0.125, min_sqnr_db=3.0, min_cosine=0.75
    )
    _, transcript = run([suite(VALUES, tolerances=[stated] + [bpte.Tolerance()] * 5)])
    first, second, *_ = transcript.cases[0].outputs
    assert (first.rtol, first.atol, first.max_outlier_share) == (0.5, 0.25, 0.125)
    assert (first.min_sqnr_db, first.min_cosine) == (3.0, 0.75)
    assert (second.rtol, second.atol, second.max_outlier_share) == (0, 0, 0)
    assert (second.min_sqnr_db, second.min_cosine) == (None, None)


def test_nothing_to_run(run: Callable[..., tuple[Outcome, Transcript]]) -> None:
    for suites in ([], [suite()], [suite(None)]):
        outcome, transcript = run(suites)
        assert outcome is Outcome.INFRASTRUCTURE
        assert all(case.verdict is Verdict.UNJUDGED for case in transcript.cases)


@pytest.mark.parametrize("step", ["load", "load_method", "set_input", "execute", "output"])
@pytest.mark.parametrize("error", ["out_of_memory", "missing_operator", "invalid_program"])
def test_engine_errors(
    step: str, error: str, run: Callable[..., tuple[Outcome, Transcript]]
) -> None:
    outcome, transcript = run([suite(VALUES, VALUES)], step, error)
    malformed = error == "invalid_program"
    assert outcome is (Outcome.MALFORMED if malformed else Outcome.INFRASTRUCTURE)
    if malformed or step == "load":  # the run cannot go on
        assert not transcript.cases
        assert transcript.error is not None
        assert (transcript.error.error, transcript.error.message) == (error, "as äsked")
        assert ("case" in transcript.error.where) == (step != "load")
    else:
        assert transcript.error is None
        assert [c.verdict for c in transcript.cases] == [Verdict.ERROR] * 2
        assert {(c.error, c.message) for c in transcript.cases} == {(error, "as äsked")}


def test_unknown_method(run: Callable[..., tuple[Outcome, Transcript]]) -> None:
    stranger = bpte.MethodTestSuite("reply", [bpte.MethodTestCase(VALUES, VALUES)])
    outcome, transcript = run([suite(VALUES), stranger])
    assert outcome is Outcome.MALFORMED
    assert not transcript.cases
    assert transcript.error is not None
    assert transcript.error.error == "unknown_method"
    assert transcript.error.where["suite"] == 1


@pytest.mark.parametrize("way", ["abandon", "abandon_twice"])
def test_abandoned(way: str, run: Callable[..., tuple[Outcome, Transcript]]) -> None:
    outcome, transcript = run([suite(VALUES)], way)
    assert outcome is Outcome.INFRASTRUCTURE
    assert not transcript.cases
    assert transcript.error is not None
    assert transcript.error.message == "left in the middle"


def test_no_bundle(run: Callable[..., tuple[Outcome, Transcript]]) -> None:
    outcome, transcript = run(b"nothing of the kind, though long enough to be looked at")
    assert outcome is Outcome.MALFORMED
    assert transcript.error is not None
    assert transcript.error.error in ("too_short", "not_a_bundle")


def test_needs_no_heap(cpp_tool: Callable[[str], Path]) -> None:
    """Nothing in the runner's library allocates, throws, prints through stdio or aborts."""
    if shutil.which("nm") is None:
        pytest.skip("nm is missing (binutils)")
    build = cpp_tool("runner_tool").parents[2]
    for library in ("runner", "engine"):
        (path,) = build.rglob(f"libbpte_{library}.a")
        listed = subprocess.run(
            ["nm", "--undefined-only", "--format=just-symbols", path],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        symbols = {line.strip() for line in listed.splitlines()}
        assert library != "runner" or any("Bundle" in symbol for symbol in symbols)
        forbidden = re.compile(
            r"_Zn[wa]|_Zd[la]|malloc|calloc|realloc|free$|printf|_ZNSo|__cxa_|abort|_ZSt|_Unwind"
        )
        # Deleting destructors of interfaces that are never deleted through do not occur either.
        assert not [symbol for symbol in symbols if forbidden.match(symbol)]
