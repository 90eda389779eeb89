# SPDX-License-Identifier: BSD-3-Clause
"""The pytest plugin, run by a pytest of its own, with a stand-in for the runner."""

from __future__ import annotations

import shlex
import shutil
import xml.etree.ElementTree as ElementTree
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import bpte
import transcripts as t

pytest_plugins = ["pytester"]


@pytest.fixture
def outer(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with a bundle of three cases, and nothing else."""
    monkeypatch.setenv("PYTHONPATH", str(Path(bpte.__file__).parents[1]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # others only cost time
    t.pack(pytester.path / "model.bpte", ALL_PASSED)
    return pytester


def run(
    outer: pytest.Pytester, output: bytes, status: int, *arguments: str, about: str = "model.bpte"
) -> pytest.RunResult:
    """Runs pytest on bundles, `about` among them.

    The runner prints `output`, then exits with `status`, or hangs when it is negative. The words it
    is called with are kept in the file `calls`.
    """
    then = f"open({str(outer.path / 'calls')!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
    then += f"sys.exit({status})" if status >= 0 else "time.sleep(60)"
    bundle = outer.path / about
    if bundle.stat().st_size:
        output = t.about(output, bundle)
    runner = t.stand_in(outer.path, output, then)
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
    output = t.whole("pass", "fail", "unjudged")
    t.pack(outer.path / "model.bpte", output)
    result = run(outer, output, 1, "model.bpte")
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


def test_a_named_file_may_lie_above(
    outer: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(outer.mkdir("folder"))
    for name in ("../model.bpte", "../folder/../model.bpte"):
        run(outer, ALL_PASSED, 0, name).assert_outcomes(passed=3)


ALL_PASSED = t.whole("pass", "pass", "pass")
_STOPPED = [t.begin(3), t.case(0), t.case(1), t.case(2), t.error("read_failed", "read_failed", 4)]


@pytest.mark.parametrize(
    ("output", "status", "line"),
    [
        (ALL_PASSED + b"bpte-fault: BusFault pc=0x10000234\n", 0, "faulted: *BusFault*"),
        (ALL_PASSED, -1, "timed out: *"),
        (t.lines([*_STOPPED, t.end(_STOPPED)]), 4, "not run: read_failed*"),
        (t.whole("unjudged", "unjudged", "unjudged"), 4, "not run: nothing was judged*"),
        (ALL_PASSED + t.lines([t.case(7)]), 0, "cut short: *after the end*"),
    ],
    ids=["fault", "hang", "error record", "nothing judged", "more after the end"],
)
def test_what_is_red_for_the_command_line_is_red_here(
    outer: pytest.Pytester, output: bytes, status: int, line: str
) -> None:
    """Each of these was green, or skipped. Also when only one case is looked at."""
    t.pack(outer.path / "model.bpte", output)
    result = run(outer, output, status, "--bpte-timeout=1", "model.bpte")
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines([line])
    one = run(outer, output, status, "--bpte-timeout=1", "model.bpte", "-k", "forward[1]")
    assert one.ret == pytest.ExitCode.TESTS_FAILED


def test_a_case_that_did_not_arrive_is_red(outer: pytest.Pytester) -> None:
    records = [
        t.begin(3),
        t.case(0),
        t.case(1, "fail"),
        t.error("segment_crc", "segment_crc: 2", 3),
    ]
    result = run(outer, t.lines([*records, t.end(records)]), 1, "model.bpte")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["did not run: segment_crc: 2"])


@pytest.mark.parametrize("content", [b"", b"no bundle at all"])
def test_an_unreadable_bundle_fails_as_itself(outer: pytest.Pytester, content: bytes) -> None:
    (outer.path / "a.bpte").write_bytes(content)
    result = run(outer, ALL_PASSED, 0, "a.bpte", "model.bpte")
    result.assert_outcomes(failed=1, passed=3)
    result.stdout.fnmatch_lines(["*FAILED a.bpte::open*"])


def test_a_bundle_without_cases_is_red(outer: pytest.Pytester) -> None:
    bpte.BundledProgram(b"none", []).save(outer.path / "a.bpte", fit="skip", durable=False)
    result = run(outer, ALL_PASSED, 0, "a.bpte", "model.bpte")
    result.assert_outcomes(failed=1, passed=3)
    result.stdout.fnmatch_lines(["*a.bpte: it has no cases*"])


def test_junit_has_the_time_of_each_case(outer: pytest.Pytester) -> None:
    times = (1_500_000_000, 250_000_000, 1_000_000)
    for unit in ("ns", "cycles"):
        records = [t.begin(3, unit=unit), *(t.case(i, time=n) for i, n in enumerate(times))]
        run(outer, t.lines([*records, t.end(records)]), 0, "--junitxml=j.xml", "model.bpte")
        cases = ElementTree.parse(outer.path / "j.xml").getroot().findall(".//testcase")
        stated = [case.find("properties/property[@name='time']") for case in cases]
        assert [p.get("value") for p in stated if p is not None] == [f"{n} {unit}" for n in times]
        if unit == "ns":
            assert [float(case.get("time", -1)) for case in cases] == pytest.approx(
                [n / 1e9 for n in times], abs=0.1
            )
            # The run of all is not the first case's.
            assert float(cases[2].get("time", -1)) < 0.1


def named(folder: Path, name: str, *cases: str) -> None:
    """A bundle with cases of these names, which is never really run."""
    value = [np.zeros((2, 3), np.float32)]
    suites = [
        bpte.MethodTestSuite(method, [bpte.MethodTestCase(value, value, name=n) for n in cases])
        for method in ("forward", "other")
    ]
    bpte.BundledProgram(b"none", suites).save(folder / name, fit="skip", durable=False)


def test_options_reach_the_runner(outer: pytest.Pytester) -> None:
    options = ("--bpte-rtol=0.5", "--bpte-atol=0.25", "--bpte-case=1", "--bpte-method=forward")
    asked = t.begin(1, method="forward", case=1, rtol=0.5, atol=0.25)
    records = [asked, t.case(1, outputs=[t.passing_output(rtol=0.5, atol=0.25)])]
    output = t.lines([*records, t.end(records)])
    run(outer, output, 0, *options, "model.bpte").assert_outcomes(passed=1)
    (words,) = (outer.path / "calls").read_text().splitlines()
    for word in ("--method forward", "--case 1", "--rtol 0.5", "--atol 0.25"):
        assert word in words
    result = run(outer, output, 0, "--bpte-atol=-1", "model.bpte")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_target_that_proves_nothing_may_be_trusted(outer: pytest.Pytester) -> None:
    output = t.edited(
        t.about(ALL_PASSED, outer.path / "model.bpte"), lambda record: record.pop("nonce", None)
    )
    runner = t.stand_in(outer.path, output)
    arguments = ("-p", "bpte.pytest_plugin", f"--bpte-elf={runner}", "model.bpte")
    outer.runpytest_subprocess(*arguments).assert_outcomes(failed=3)
    outer.runpytest_subprocess(*arguments, "--bpte-trust-target").assert_outcomes(passed=3)
    result = outer.runpytest_subprocess(*arguments, "--bpte-linked")  # on the host
    result.stdout.fnmatch_lines(["*--linked: host runs no firmware*"])


def test_a_case_is_selected_by_its_name(outer: pytest.Pytester) -> None:
    named(outer.path, "named.bpte", "cat", "dog")
    records = [t.begin(1, method="forward", case=1), t.case(1)]
    output = t.lines([*records, t.end(records)])
    arguments = ("--bpte", "--bpte-case=dog", "--bpte-method=forward")
    result = run(outer, output, 0, *arguments, about="named.bpte")
    result.assert_outcomes(passed=1)  # model.bpte has no names
    (words,) = (outer.path / "calls").read_text().splitlines()
    assert "--method forward --case 1" in words
    result = run(outer, output, 0, "--bpte", "--bpte-case=dog")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*'dog' is the name of case 1 of forward, case 1 of other*"])


@pytest.mark.parametrize("more", [(), ("--dist=loadgroup",), ("--dist=worksteal",)])
def test_a_bundle_stays_on_one_worker(outer: pytest.Pytester, more: tuple[str, ...]) -> None:
    pytest.importorskip("xdist")
    shutil.copy(outer.path / "model.bpte", outer.path / "other.bpte")
    (outer.path / "test_more.py").write_text(
        "import pytest\n@pytest.mark.parametrize('i', range(8))\ndef test_it(i): pass\n"
    )
    result = run(outer, ALL_PASSED, 0, "-p", "xdist", "-n2", *more, "--bpte")
    result.assert_outcomes(passed=14)
    assert len((outer.path / "calls").read_text().splitlines()) == 2  # each bundle ran once


@pytest.mark.parametrize("more", [(), ("-p", "xdist", "-n2")])
def test_bundles_outside_of_the_root_are_told_apart(
    outer: pytest.Pytester, more: tuple[str, ...]
) -> None:
    """pytest itself gives the same name to all such files, by which xdist would lose tests."""
    if more:
        pytest.importorskip("xdist")
    shutil.copy(outer.path / "model.bpte", outer.path / "other.bpte")
    root = outer.mkdir("root")
    result = run(outer, ALL_PASSED[:-9], 0, *more, f"--rootdir={root}", "model.bpte", "other.bpte")
    result.assert_outcomes(failed=6)
    result.stdout.fnmatch_lines(["FAILED *other.bpte::forward[[]2[]]*"])
    assert len((outer.path / "calls").read_text().splitlines()) == 2


def test_the_commands_of_the_page_are_right(outer: pytest.Pytester) -> None:
    """Each finds the three cases; what it then does, the other tests see."""
    pytest.importorskip("xdist")
    (outer.path / "models").mkdir()
    shutil.copy(outer.path / "model.bpte", outer.path / "models")
    page = (Path(__file__).parents[2] / "docs" / "pytest.md").read_text()
    block = page.split("```sh\n")[1].split("```")[0]
    commands = [shlex.split(line, comments=True) for line in block.splitlines()]
    assert len(commands) == 4
    for command, *arguments in commands:
        assert command == "pytest"
        plugins = ("-p", "xdist", "-p", "bpte.pytest_plugin")
        result = outer.runpytest_subprocess(*plugins, "--collect-only", "-q", *arguments)
        assert result.ret == pytest.ExitCode.OK
        result.stdout.fnmatch_lines(["*model.bpte::forward[[]2[]]", "3 tests collected*"])
