# SPDX-License-Identifier: BSD-3-Clause
"""Records of metrics that cannot all be true are never green; results of metrics, as the user sees
them: table, JUnit, JSON, pytest, judge and diff."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpte
import transcripts as t
from bpte import Metric, MetricKind
from bpte.cli import main
from bpte.run.protocol import Transcript, parse

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo"


def _read(cases: list[dict[str, Any]], rest: list[dict[str, Any]], **begin: Any) -> Transcript:
    records = [t.begin(len(cases), **begin), *cases, *rest]
    return parse(t.lines([*records, t.end(records)]))


def _case(index: int, hit: bool = True, **more: Any) -> dict[str, Any]:
    added = t.measured() if hit else t.measured(hits=0, missed=[[0, 1, 0]])
    return t.case(index, "unjudged", **{"measured": [added], **more})


RIGHT = [_case(0), _case(1, hit=False)]


def test_what_is_right_is_read() -> None:
    read = _read(RIGHT, [t.metric(hits=1, samples=2)])
    assert read.violation is None and read.outcome == 0
    assert _read(RIGHT, [t.metric("fail", 1, 2, minimum=0.6)]).outcome == 1
    error = _read(RIGHT, [t.metric("error", 1, 2)])
    assert error.violation is None and error.outcome == 4
    one = _read([_case(0)], [t.metric("unjudged")], case=0)
    assert one.violation is None and one.outcome == 4  # nothing was judged


ROWS = [t.confusion(0, 0, 1, counts=[2, 1]), t.confusion(1, 1)]
MATRIX = t.metric("unjudged", 0, 4, kind="confusion_matrix", classes=2)
for _name in ("hits", "value", "minimum", "k"):
    del MATRIX[_name]


@pytest.mark.parametrize(
    ("cases", "rest", "says"),
    [
        (RIGHT, [], "0 of the 1 metrics of suite 0 arrived"),
        (RIGHT, [t.metric(hits=2, samples=2)], "those of the cases are (2, 2, 1)"),
        (RIGHT, [t.metric(hits=1, samples=2, cases=1)], "those of the cases are (2, 2, 1)"),
        (RIGHT, [t.metric(hits=1, samples=2, value=0.75)], "1 of 2 are hits"),
        (RIGHT, [t.metric(hits=1, samples=2, minimum=0.6)], "contradicts its value"),
        (RIGHT, [t.metric("fail", 1, 2)], "contradicts its value"),
        (RIGHT, [t.metric("unjudged", 1, 2)], "it is pass"),
        (RIGHT, [t.metric(hits=1, samples=2, metric=1)], "metric 1 of suite 0 in place of 0"),
        (RIGHT, [t.metric(hits=1, samples=2)] * 2, "metric 0 of suite 0 in place of 1"),
        (RIGHT, [t.metric(hits=3, samples=2)], "3 hits of 2 samples"),
        (RIGHT, [t.metric(hits=1, samples=2, kind="f1")], "no such kind"),
        (RIGHT, [t.metric(hits=1, samples=2, error="no")], "'error' is 'no' of pass"),
        (RIGHT, [t.metric(hits=1, samples=2, elements=2)], "elements 2 of top_k_accuracy"),
        (RIGHT, [t.metric("fail", 1, 2, value="nan")], "value nan of 2 samples"),
        (RIGHT[:1], [t.metric(), t.case(1)], "more cases than the 1"),
        ([_case(0), t.case(1, "unjudged")], [], "0 measured, but 1 of the case before"),
        ([_case(0, measured=[t.measured(hits=2)])], [], "2 hits of 1, and 0 missed samples"),
        ([_case(0, measured=[t.measured(hits=0)])], [], "0 hits of 1, and 0 missed samples"),
        (
            [_case(0, measured=[t.measured(samples=2, hits=0, missed=[[1, 0, 0], [0, 0, 0]])])],
            [],
            "the missed samples are not ascending",
        ),
        (RIGHT, [t.error("e", "m", 4), t.metric(hits=1, samples=2)], "a metric after the error"),
        (RIGHT, [t.confusion(0, 0), t.metric(hits=1, samples=2)], "before top_k_accuracy"),
        ([], [*ROWS, MATRIX | {"samples": 5, "cases": 5}], "cases, samples, hits (5, 5, 0)"),
        ([], [ROWS[1], ROWS[0], MATRIX], "not in the order of their labels"),
        ([], [ROWS[0] | {"metric": 1}, ROWS[1], MATRIX], "rows of two matrices"),
        ([], [ROWS[0] | {"found": [1, 0]}, MATRIX], "its classes are not ascending"),
        ([], [ROWS[0] | {"counts": [1]}, MATRIX], "do not belong together"),
        ([], [ROWS[0] | {"counts": [0, 1]}, MATRIX], "do not belong together"),
        ([], ROWS, "rows of a matrix without its metric"),
    ],
)  # fmt: skip
def test_records_that_cannot_all_be_true(
    cases: list[dict[str, Any]], rest: list[dict[str, Any]], says: str
) -> None:
    read = _read(cases, rest)
    assert read.violation is not None and says in read.violation
    assert read.outcome == 4


def test_a_matrix_is_held_against_its_samples() -> None:
    four = [t.case(i, "unjudged", measured=[{"samples": 1}]) for i in range(4)]
    assert _read(four, [*ROWS, MATRIX]).violation is None
    for rows, says in (
        (ROWS[:1], "3 samples in the matrix, 4 measured"),
        ([ROWS[0] | {"found": [0, 2]}, ROWS[1]], "a matrix of more than 2 classes"),
    ):
        assert says in (_read(four, [*rows, MATRIX]).violation or "")


def test_a_case_after_its_suites_metrics() -> None:
    records = [t.begin(2), _case(0), t.metric(), _case(1)]
    read = parse(t.lines([*records, t.end(records)]))
    assert "a case after the metrics of its suite" in (read.violation or "")


# --- What the user sees ---------------------------------------------------------------------------

#: Five of the demo's six samples have the label that it computes.
STATED = [
    Metric(MetricKind.TOP_K_ACCURACY, minimum=0.9),
    Metric(MetricKind.ARGMAX_AGREEMENT, minimum=1.0),
    Metric(MetricKind.CONFUSION_MATRIX, classes=4),
]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The demo, whose last label is not what it computes; its cases are measured, not judged."""
    arrays = np.load(DEMO / "mlp.npz")
    measured = bpte.Tolerance(not_compared=True)
    cases = []
    for i in range(3):
        expected = arrays[f"out{i}"]
        labels = [int(label) for label in expected.argmax(axis=1)]
        if i == 2:
            labels[-1] = int(expected[-1].argmin())
        cases.append(
            bpte.MethodTestCase(
                [arrays[f"in{i}"]], [expected], name=f"c{i}", labels=labels, tolerances=measured
            )
        )
    path = tmp_path / "m.bpte"
    suite = bpte.MethodTestSuite("forward", cases, metrics=STATED)
    bpte.BundledProgram(DEMO / "mlp.pte", [suite]).save(path, durable=False)
    return path


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(bundle: Path, bpte_runner: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str | Path) -> tuple[int, str]:
        capsys.readouterr()
        code = main(["run", str(bundle), "--elf", str(bpte_runner), *map(str, words)])
        return code, capsys.readouterr().out

    return call


WHY = "0.833333333 is below its floor, 0.9, by 0.0667 (5 of 6, at least 6 must be)"


def test_the_table_names_metric_value_and_floor(run: Run) -> None:
    code, text = run()
    assert code == 1
    assert f"mismatch: top1 of forward: {WHY}" in text
    assert "top1              forward  fail      >= 0.9  0.833333 (5 of 6, 0.436 to 0.970)" in text
    assert "argmax_agreement  forward  pass      >= 1    1 (6 of 6, 0.610 to 1.000)" in text
    assert 'forward, case 2 "c2", sample 1: class 1 wanted, 3 is the largest' in text
    assert "label 0 1 2 3  (found)\n    0 1 . . .\n    1 . 1 . 1\n" in text


def test_junit_and_json(run: Run, tmp_path: Path) -> None:
    code, text = run("--json", "--junit", tmp_path / "j.xml")
    document = json.loads(text)
    assert (code, document["exit_code"], document["state"]) == (1, 1, "mismatch")
    top1, agreement, matrix = document["metrics"]
    assert (top1["result"], top1["why"], top1["value"]) == ("failed", WHY, 5 / 6)
    assert (agreement["result"], agreement["why"], len(agreement["interval"])) == ("passed", "", 2)
    assert (matrix["result"], sum(map(sum, (r["counts"] for r in document["confusion"])))) == (
        "skipped",
        6,
    )
    suite = ElementTree.parse(tmp_path / "j.xml").getroot()[0]
    counts = [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
    assert counts == ["6", "1", "0", "4"]
    (failed,) = (case for case in suite if case.find("failure") is not None)
    assert (failed.get("name"), failed.find("failure").get("message")) == ("metric top1", WHY)  # type: ignore[union-attr]


def test_one_case_alone_judges_no_metric(run: Run) -> None:
    code, text = run("--case", "0", "--json")
    document = json.loads(text)
    assert (code, document["message"]) == (4, "nothing was judged")
    assert [metric["verdict"] for metric in document["metrics"]] == ["unjudged"] * 3


def test_pytest_has_a_test_for_each_metric(bundle: Path, bpte_runner: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "pytest", "-rA", f"--bpte-elf={bpte_runner}", bundle]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "1 failed, 1 passed, 4 skipped" in done.stdout, done.stdout
    assert "forward[metric-top1]" in done.stdout and WHY in done.stdout


def test_results_and_judging_again(
    run: Run, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kept outputs give the metrics again; a value that was changed is found."""
    assert run("-o", tmp_path / "kept", "--keep-outputs")[0] == 1
    words = ["judge", str(tmp_path / "kept"), "--bundle", str(bundle)]
    capsys.readouterr()
    assert main([*words, "--json"]) == 1
    judged = json.loads(capsys.readouterr().out)
    assert [metric["judged_from"] for metric in judged["metrics"]] == ["values"] * 3
    assert main(words) == 1
    assert "top1" in capsys.readouterr().out
    file = tmp_path / "kept" / "results.json"
    document = json.loads(file.read_text())
    for path, change, code in (
        ("metrics", lambda m: m[0].update(minimum=0.5, verdict="pass", result="passed"), 3),
        ("metrics", lambda m: m.pop(), 3),
        ("cases", lambda c: c[2]["measured"][0].update(hits=2, missed=[]), 3),
        ("confusion", lambda c: c[0].update(counts=[9]), 3),
    ):
        changed = json.loads(json.dumps(document))
        change(changed[path])
        file.write_text(json.dumps(changed))
        assert main(words) == code, path
    # All parts agree, but not with the values.
    changed = json.loads(json.dumps(document))
    for number in (0, 1):
        changed["metrics"][number] |= {"hits": 6 - number, "value": (6 - number) / 6}
    changed["metrics"][0] |= {"verdict": "pass", "result": "passed"}
    changed["metrics"][1] |= {"verdict": "fail", "result": "failed"}
    changed["cases"][2]["measured"][0] = t.measured(samples=2, hits=2)
    changed["cases"][2]["measured"][1] = t.measured(samples=2, hits=1, missed=[[0, 0, 1]])
    file.write_text(json.dumps(changed))
    capsys.readouterr()
    assert main(words) == 4
    assert "the kept values give" in capsys.readouterr().out


def test_diff_sees_a_metric_with_another_verdict(
    run: Run, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("-o", tmp_path / "a")[0] == 1
    words = ["diff", str(tmp_path / "a"), str(tmp_path / "b")]
    assert run("-o", tmp_path / "b")[0] == 1
    assert main(words) == 0
    assert "the same verdicts: 1 failed, 1 passed, 4 skipped" in capsys.readouterr().out
    document = json.loads((tmp_path / "b" / "results.json").read_text())
    document["metrics"][0] |= {"minimum": 0.5, "verdict": "pass", "result": "passed"}
    document["end"]["outcome"] = document["exit_code"] = 0
    document["state"] = "passed"
    (tmp_path / "b" / "results.json").write_text(json.dumps(document))
    assert main([*words, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["message"] == "1 of 3 metrics have another verdict"
    assert [pair["changed"] for pair in found["metrics"]] == [True, False, False]
    assert main(words) == 1
    assert "*  top1" in capsys.readouterr().out
    assert run("-o", tmp_path / "c", "--case", "0")[0] == 4
    assert main([words[0], words[1], str(tmp_path / "c")]) == 1
