# SPDX-License-Identifier: BSD-3-Clause
"""The pytest plugin, run by a pytest of its own, with a stand-in for the runner."""

from __future__ import annotations

import shutil
import sys
from importlib import import_module
from pathlib import Path

import pytest

import bpte
import transcripts as t

pytest_plugins = ["pytester"]


@pytest.fixture
def outer(
    pytester: pytest.Pytester, demo_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> pytest.Pytester:
    """A folder with the demo's bundle of three cases, and nothing else."""
    monkeypatch.setenv("PYTHONPATH", str(Path(bpte.__file__).parents[1]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # others only cost time
    shutil.copy(demo_bundle, pytester.path / "model.bpte")
    return pytester


def run(outer: pytest.Pytester, output: bytes, status: int, *arguments: str) -> pytest.RunResult:
    runner = outer.path / "stand-in"
    (outer.path / "output").write_bytes(output)
    runner.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"sys.stdout.buffer.write(open({str(outer.path / 'output')!r}, 'rb').read())\n"
        f"sys.exit({status})\n"
    )
    runner.chmod(0o755)
    return outer.runpytest_subprocess(
        "-p", "bpte.pytest_plugin", f"--bpte-elf={runner}", *arguments
    )


def test_pytest_finds_the_plugin_by_itself() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert '[project.entry-points.pytest11]\nbpte = "bpte.pytest_plugin"\n' in text
    import_module("bpte.pytest_plugin")


def test_every_case_is_a_test(outer: pytest.Pytester) -> None:
    result = run(outer, t.whole("pass", "pass", "pass"), 0, "-v", "model.bpte")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["model.bpte::forward[[]0[]]* PASSED*"])


def test_a_failure_says_where_and_how_much(outer: pytest.Pytester) -> None:
    result = run(outer, t.whole("pass", "fail", "unjudged"), 1, "model.bpte")
    result.assert_outcomes(passed=1, failed=1, skipped=1)
    result.stdout.fnmatch_lines(["output 0: element [[]1, 2[]]: expected 1.5, actual 1.25*"])
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize(
    ("output", "status", "line"),
    [
        (t.whole("pass", "pass", "pass")[:-9], 0, "cut short: *cut off*"),
        (t.whole("pass", "pass", "pass"), 1, "died: *contradicts*"),
        (b"", 1, "not started: *"),
    ],
)
def test_a_run_that_ends_badly_fails_every_case(
    outer: pytest.Pytester, output: bytes, status: int, line: str
) -> None:
    result = run(outer, output, status, "model.bpte")
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines([line])


def test_only_named_files_unless_asked(outer: pytest.Pytester) -> None:
    output = t.whole("pass", "pass", "pass")
    assert run(outer, output, 0).ret == pytest.ExitCode.NO_TESTS_COLLECTED
    run(outer, output, 0, "--bpte").assert_outcomes(passed=3)


def test_a_malformed_bundle_is_a_collection_error(outer: pytest.Pytester) -> None:
    (outer.path / "model.bpte").write_bytes(b"")
    result = run(outer, b"", 0, "model.bpte")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*too_short*"])
