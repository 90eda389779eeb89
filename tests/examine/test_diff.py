# SPDX-License-Identifier: BSD-3-Clause
"""`bpte diff`: which cases belong together, what differs, and what that comes to."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import bpte
import echoed
import transcripts as t
from bpte.cli import main
from bpte.pack.tensors import normalise
from bpte.run import compare, launcher
from bpte.run.judge import Run

ONES = np.ones((2, 3), np.float32)
NEAR = ONES + np.array([[0, 0.25, 0], [0, 0, 2.0]], np.float32)


@pytest.fixture
def tool(cpp_tool: Callable[[str], Path]) -> Path:
    return cpp_tool("runner_tool")


def _run(*verdicts: str, names: str = "", cut: int | None = None, **more: Any) -> Run:
    """A recorded run of one case for each verdict, named by letters."""
    records = [t.begin(len(verdicts), **more)]
    records += [
        t.case(i, verdict, **({"name": names[i]} if names and names[i] != "-" else {}))
        for i, verdict in enumerate(verdicts)
    ]
    text = t.lines([*records, t.end(records)])
    return launcher.judge_log(Path("log"), [text[:cut]])


def _diff(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], a: Run, b: Run
) -> tuple[int, dict[str, Any]]:
    folders = [str(echoed.write(tmp_path / name, run)) for name, run in (("a", a), ("b", b))]
    capsys.readouterr()
    code = main(["diff", *folders, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert code == found["exit_code"]
    assert main(["diff", *folders]) == code
    text = capsys.readouterr().out
    assert text.endswith(f"\n{found['message']}\n") and "\x1b" not in text
    return code, found


@pytest.mark.parametrize(
    ("a", "b", "code", "message"),
    [
        (_run("pass", "pass"), _run("pass", "pass"), 0, "the same verdicts: 2 passed"),
        (_run("pass", "fail"), _run("pass", "fail"), 0, "the same verdicts: 1 failed, 1 passed"),
        (_run("pass", "pass"), _run("pass", "fail"), 1, "1 of 2 cases have another verdict"),
        (_run("fail", "pass"), _run("pass", "pass"), 1, "1 of 2 cases have another verdict"),
        (_run("pass", "pass"), _run("pass", "error"), 1, "1 of 2 cases have another verdict"),
        (_run("pass", "error"), _run("pass", "error"), 0, "the same verdicts: 1 error, 1 passed"),
        (_run("pass", "pass"), _run("pass"), 1, "not the same cases: 1 only in A, 0 only in B"),
        (_run("pass"), _run("pass", "fail"), 1, "not the same cases: 0 only in A, 1 only in B"),
        (_run("unjudged"), _run("unjudged"), 4, "nothing was judged on both sides"),
        (_run("error"), _run("error"), 4, "nothing was judged on both sides"),
        (_run(), _run(), 4, "nothing was judged on both sides"),
        # A run that ended badly is no verdict, but a failure in it is one.
        (_run("pass"), _run("pass", cut=-9), 4, "B cut short: "),
        (_run("pass", cut=-9), _run("pass", cut=-9), 4, "A cut short: "),
        (_run("pass"), _run("fail", cut=-9), 1, "1 of 1 cases have another verdict"),
        (_run("fail"), _run("fail", cut=-9), 4, "B cut short: "),
        (_run("pass", "pass"), _run("pass", "pass", cut=-300), 4, "B cut short: "),
    ],
)
def test_what_it_comes_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], a: Run, b: Run, code: int, message: str
) -> None:
    found_code, found = _diff(tmp_path, capsys, a, b)
    assert found_code == code
    assert found["message"].startswith(message)


def test_an_outputs_verdict_counts_where_the_cases_is_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*outputs: dict[str, Any]) -> Run:
        records = [t.begin(1), t.case(0, "fail", outputs=list(outputs))]
        return launcher.judge_log(Path("log"), [t.lines([*records, t.end(records)])])

    one = run(t.failing_output(), t.passing_output())
    other = run(t.failing_output(), t.failing_output())
    code, found = _diff(tmp_path, capsys, one, other)
    assert (code, found["cases"][0]["changed"]) == (1, True)
    assert found["cases"][0]["result"] == ["failed", "failed"]


def test_cases_are_matched_by_their_names_else_by_their_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = _run("pass", "fail", "pass", "pass", names="ab-c")
    other = _run("fail", "pass", "pass", "pass", names="ba-d")
    code, found = _diff(tmp_path, capsys, one, other)
    assert [(c["name"], c["result"]) for c in found["cases"]] == [
        ("a", ["passed", "passed"]),
        ("b", ["failed", "failed"]),
        ("", ["passed", "passed"]),
    ]
    assert [c["name"] for c in found["only_in_a"]] == ["c"]
    assert [c["name"] for c in found["only_in_b"]] == ["d"]
    assert code == 1
    # Names that stand for several cases name none.
    twice = _run("pass", "pass", names="aa")
    assert _diff(tmp_path, capsys, twice, twice)[0] == 0


def test_what_the_runs_were_is_said_first(
    tool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = echoed.run(tool, echoed.pack(tmp_path / "1.bpte", [echoed.case(ONES, ONES)]))
    bundle = echoed.pack(tmp_path / "2.bpte", [echoed.case(ONES, ONES, rtol=1.0)])
    other = replace(echoed.run(tool, bundle), board="elsewhere", options={"rtol": 0.5}, bpte="9.9")
    code, found = _diff(tmp_path, capsys, one, other)
    assert code == 0
    different = found["different"]
    assert sorted(different) == ["board", "bpte", "bundle", "options"]
    assert different["options"] == ["none", "rtol 0.5"]
    assert different["board"][1] == "elsewhere"
    assert _diff(tmp_path, capsys, one, one)[1]["different"] == {}


def test_kept_outputs_are_compared_element_by_element(
    tool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = [echoed.case(ONES, ONES, atol=9.0), bpte.MethodTestCase([ONES] * 6)]
    a = echoed.run(tool, echoed.pack(tmp_path / "a.bpte", cases))
    cases = [echoed.case(ONES, NEAR, atol=9.0), bpte.MethodTestCase([NEAR] * 6)]
    b = echoed.run(tool, echoed.pack(tmp_path / "b.bpte", cases))
    code, found = _diff(tmp_path, capsys, a, b)
    assert code == 0
    for case in found["cases"]:  # that without expected outputs, too
        elements = case["outputs"][0]["elements"]
        assert (elements["differ"], elements["numel"], elements["max_abs"]) == (2, 6, 2.0)
        assert elements["first"] == {"index": [0, 1], "expected": 1.0, "actual": 1.25}
        assert elements["worst"] == {"index": [1, 2], "expected": 1.0, "actual": 3.0}
    folders = [str(tmp_path / "a"), str(tmp_path / "b")]
    main(["diff", *folders])
    text = capsys.readouterr().out
    assert (
        "2 of 6 elements differ; the first at [0, 1], A 1, B 1.25; most at [1, 2], A 1, B 3" in text
    )


@pytest.mark.parametrize(
    ("a", "b", "worst"),
    [
        (np.array([1.0, np.nan, 5.0]), np.array([9.0, np.nan, 5.0]), [0]),
        (np.array([1.0, 2.0, 5.0]), np.array([9.0, np.nan, 5.0]), [1]),
        (np.array([1.0, 2.0, -np.inf]), np.array([9.0, 2.0, np.inf]), [2]),
        (np.array([-(2**63), 0]), np.array([2**63 - 1, 7]), [0]),
        (np.array([0, 1], ml_dtypes.bfloat16), np.array([0, 3], ml_dtypes.bfloat16), [1]),
        (np.array([True, False]), np.array([True, True]), [1]),
        (np.array([1.0, np.inf]), np.array([1.0, np.inf]), None),
        (np.zeros((0, 2)), np.zeros((0, 2)), None),
    ],
)
def test_the_elements_that_differ_most(a: Any, b: Any, worst: list[int] | None) -> None:
    found = compare.worst(normalise(a), normalise(b))
    assert (list(found.index) if found is not None else None) == worst


def test_results_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = str(echoed.write(tmp_path / "good", _run("pass")))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "results.json").write_text('{"format": "bpte-results"}')
    assert main(["diff", good, str(tmp_path / "bad")]) == 3
    assert main(["diff", good, str(tmp_path / "nowhere")]) == 2
    err = capsys.readouterr().err.splitlines()
    assert err[0].endswith("bad/results.json: results of version None, this reader has 1")
    assert err[1] == f"bpte diff: {tmp_path / 'nowhere'}: No such file or directory"
