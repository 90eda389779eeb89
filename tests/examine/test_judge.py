# SPDX-License-Identifier: BSD-3-Clause
"""`bpte judge`: what is decided, from what, and that nothing else is green."""

from __future__ import annotations

import json
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bpte
import echoed
import real_records
import transcripts as t
from bpte.cli import main
from bpte.examine.again import judge
from bpte.pack.tensors import normalise
from bpte.run import launcher
from bpte.run.outcome import Outcome, State, Verdict
from bpte.run.outputs_file import kept_of
from bpte.run.records import CaseKey

ONES = np.ones((2, 3), np.float32)
NEAR = ONES + np.array([[0, 0.25, 0], [0, 0, 0.0625]], np.float32)


@pytest.fixture
def tool(cpp_tool: Callable[[str], Path]) -> Path:
    return cpp_tool("runner_tool")


@settings(deadline=None, max_examples=10, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_kept_values_are_judged_as_the_target_would(tool: Path, tmp_path: Path, seed: int) -> None:
    """The verdict on every output is that of the real runner with the other tolerance."""
    random = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # casts that overflow are meant to
        samples = [real_records.sample(random) for _ in range(60)]
    rtol, atol = real_records.bound(random), real_records.bound(random)
    real = real_records.records(tool, tmp_path, real_records.judged_with(samples, rtol, atol))
    real_records.records(tool, tmp_path, samples)
    bundle = tmp_path / "samples.bpte"
    before = echoed.run(tool, bundle)
    with bpte.open(bundle) as opened:
        judged = judge(before, rtol, atol, opened)
    assert [output.source for output in judged.outputs] == ["values"] * len(samples)
    assert [output.verdict for output in judged.outputs] == [output.verdict for output in real]
    failed = any(output.verdict is Verdict.FAIL for output in real)
    assert judged.run.state is (State.MISMATCH if failed else before.state)
    # And what the statistics decide is the same.
    for output, truth in zip(judge(before, rtol, atol).outputs, real, strict=True):
        assert output.source == "statistics"
        assert output.verdict in (None, truth.verdict)


def _judge(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["judge", *map(str, words), "--json"])
    found = json.loads(capsys.readouterr().out)
    found["outputs"] = [output for output in found.get("outputs", ()) if output["output"] == 0]
    return code, found


def test_each_output_says_what_it_was_judged_from(
    tool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = [echoed.case(ONES, NEAR, "near", atol=0.01), echoed.case(ONES, ONES, "same")]
    bundle = echoed.pack(tmp_path / "m.bpte", cases)
    results = echoed.write(tmp_path / "results", echoed.run(tool, bundle))
    before = sorted((path.name, path.read_bytes()) for path in results.iterdir())
    code, found = _judge(capsys, results, "--rtol", 0, "--atol", 0.125, "--bundle", bundle)
    outputs = {
        o["case"]: (o["verdict"], o["judged_from"], o["mismatches"]) for o in found["outputs"]
    }
    assert outputs == {0: ("fail", "values", 1), 1: ("pass", "values", 0)}
    assert (code, found["state"]) == (1, "mismatch")
    # Without the expected values, only their statistics are left: one lies outside, or both.
    code, found = _judge(capsys, results, "--rtol", 0, "--atol", 0.125)
    assert [o["verdict"] for o in found["outputs"]] == ["fail", "pass"]
    assert {o["judged_from"] for o in found["outputs"]} == {"statistics"}
    assert _judge(capsys, results, "--atol", 0.25)[0] == 0
    assert _judge(capsys, results, "--atol", 0.25, "--bundle", bundle)[0] == 0
    assert _judge(capsys, results)[0] == _judge(capsys, results, "--bundle", bundle)[0] == 1
    assert sorted((path.name, path.read_bytes()) for path in results.iterdir()) == before


def test_undecided_is_never_green(
    tool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = np.array([1, 1000], np.float32)
    actual = np.array([1.001, 1000.001], np.float32)
    bundle = echoed.pack(tmp_path / "m.bpte", [echoed.case(expected, actual, atol=1.0)])
    results = echoed.write(tmp_path / "results", echoed.run(tool, bundle))
    words = (results, "--rtol", "1e-4", "--atol", "0")
    code, found = _judge(capsys, *words)
    assert (code, found["outputs"][0]["verdict"]) == (4, "undecided")
    assert (found["outputs"][0]["rtol"], found["outputs"][0]["atol"]) == (1e-4, 0)
    assert main(["judge", *map(str, words)]) == 4
    text = capsys.readouterr().out
    assert "undecided" in text and "--bundle FILE judges from their values" in text
    # Its value decides.
    code, found = _judge(capsys, *words, "--bundle", bundle)
    assert (code, found["outputs"][0]["verdict"]) == (1, "fail")


def test_the_bundle_must_be_the_one_that_was_run(
    tool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = echoed.pack(tmp_path / "m.bpte", [echoed.case(ONES, ONES)])
    other = echoed.pack(tmp_path / "other.bpte", [echoed.case(ONES, ONES, rtol=1.0)])
    results = echoed.write(tmp_path / "results", echoed.run(tool, bundle))
    code, found = _judge(capsys, results, "--bundle", other)
    assert (code, found["state"], found["outputs"]) == (4, "another_bundle", [])
    assert "is another bundle: its metadata_crc32 is" in found["message"]
    for damaged, exit_code in ((tmp_path / "none.bpte", 2), (tmp_path / "damaged.bpte", 3)):
        if exit_code == 3:
            data = bytearray(bundle.read_bytes())
            data[-1] ^= 1  # of an expected value, which the checksum of its segment covers
            damaged.write_bytes(data)
        assert main(["judge", str(results), "--bundle", str(damaged)]) == exit_code


def test_a_record_that_the_kept_value_contradicts_is_no_verdict(
    tool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = echoed.pack(tmp_path / "m.bpte", [echoed.case(ONES, ONES)])
    run = replace(
        echoed.run(tool, bundle),
        kept={CaseKey(0, 0): list(map(kept_of, [normalise(NEAR), *[1] * 5]))},
    )
    results = echoed.write(tmp_path / "results", run)
    code, found = _judge(capsys, results, "--bundle", bundle, "--atol", 9)
    assert (code, found["state"]) == (4, "contradictory")
    assert "echo[0], output 0: its record says" in found["message"]


def test_a_run_that_did_not_end_stays_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = launcher.judge_log(Path("log"), [t.whole("pass", "pass")[:-20]])
    results = echoed.write(tmp_path / "results", run)
    code, found = _judge(capsys, results, "--rtol", 9, "--atol", 9)
    assert (code, found["state"], found["outputs"]) == (4, "cut_short", [])


def test_the_junit_report_has_the_new_verdicts(tool: Path, tmp_path: Path) -> None:
    cases = [echoed.case(ONES, NEAR, "near"), echoed.case(ONES, ONES)]
    bundle = echoed.pack(tmp_path / "m.bpte", cases)
    results = echoed.write(tmp_path / "results", echoed.run(tool, bundle))
    words = ["judge", str(results), "--junit", str(tmp_path / "junit.xml")]
    for atol, failures in (("1", "0"), ("0", "1")):
        assert main([*words, "--atol", atol]) == int(failures)
        suite = ElementTree.parse(tmp_path / "junit.xml").getroot()[0]
        assert (suite.get("tests"), suite.get("failures")) == ("2", failures)


@pytest.mark.parametrize(
    ("damage", "code"),
    [("no folder", 2), ("not json", 3), ("output gone", 3), ("output changed", 3)],
)
def test_results_that_cannot_be_read(
    tool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str, code: int
) -> None:
    bundle = echoed.pack(tmp_path / "m.bpte", [echoed.case(ONES, NEAR)])
    results = echoed.write(tmp_path / "results", echoed.run(tool, bundle))
    if damage == "no folder":
        results = tmp_path / "nowhere"
    elif damage == "not json":
        (results / "results.json").write_text("{}")
    elif damage == "output changed":
        np.savez(results / "outputs.npz", suite0_case0_output0=ONES)
    else:
        np.savez(results / "outputs.npz", other=ONES)
    assert main(["judge", str(results), "--bundle", str(bundle)]) == code
    assert capsys.readouterr().err.startswith("bpte judge: ")
    assert Outcome(code) is not Outcome.PASSED


def test_a_kept_output_of_a_case_without_expected_ones_is_not_judged(
    tool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = [bpte.MethodTestCase([ONES] * 6), echoed.case(ONES, ONES)]
    bundle = echoed.pack(tmp_path / "m.bpte", cases)
    results = echoed.write(tmp_path / "results", echoed.run(tool, bundle))
    code, found = _judge(capsys, results, "--bundle", bundle)
    assert (code, [o["case"] for o in found["outputs"]]) == (0, [1])
