# SPDX-License-Identifier: BSD-3-Clause
"""`make test` counts each test case once, and says which failed or were skipped and why."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).resolve().parents[2] / "tools" / "test.py"

CTEST = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="(empty)" tests="4">
  <testcase name="core/holds" classname="core/holds" status="run"/>
  <testcase name="core/fails" classname="core/fails" status="fail">
    <failure message=""/>
  </testcase>
  <testcase name="unit tests" classname="unit tests" status="notrun">
    <skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
    <system-out>doctest is not installed
</system-out>
  </testcase>
</testsuite>
"""
NOT_RUN = """<testsuite><testcase name="core/lost" classname="core/lost" status="notrun">
  <skipped message="Unable to find executable: lost"/></testcase></testsuite>
"""
PYTEST = """<testsuites><testsuite>
  <testcase classname="tests.a.test_b" name="test_c"/>
  <testcase classname="tests.a.test_b" name="test_d"><skipped message="no torch"/></testcase>
  <testcase classname="tests.a.test_b" name="test_e"><error message="fixture"/></testcase>
</testsuite></testsuites>
"""


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_test", PATH)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, loaded)
    spec.loader.exec_module(loaded)
    return loaded


def test_each_test_case_is_counted_and_named(module: ModuleType, tmp_path: Path) -> None:
    tally = module.Tally()
    for title, text in (("ctest host", CTEST), ("pytest", PYTEST)):
        report = tmp_path / "report.xml"
        report.write_text(text)
        tally.add_report(title, report, ok=False)
    assert (tally.passed, tally.failed) == (2, 2)
    assert tally.broken == ["ctest host: core/fails", "pytest: tests.a.test_b::test_e"]
    assert tally.skipped == [
        ("ctest host: unit tests", "doctest is not installed"),
        ("pytest: tests.a.test_b::test_d", "no torch"),
    ]


def test_the_slowest_files_are_there(pytestconfig: pytest.Config) -> None:
    (plugin,) = (p for p in pytestconfig.pluginmanager.get_plugins() if hasattr(p, "SLOWEST"))
    for name in plugin.SLOWEST:
        assert (PATH.parents[1] / "tests" / name).is_file(), name


@pytest.mark.parametrize("text", [None, NOT_RUN, "<testsuite/>"])
def test_a_program_that_fails_without_a_failed_test_is_a_failure(
    module: ModuleType, tmp_path: Path, text: str | None
) -> None:
    report = tmp_path / "report.xml"
    if text is not None:
        report.write_text(text)
    tally = module.Tally()
    tally.add_report("ctest host", report, ok=False)
    assert (tally.passed, tally.failed, tally.broken) == (0, 1, ["ctest host"])
