# SPDX-License-Identifier: BSD-3-Clause
"""A verdict about another bundle, another selection or another run is no verdict about this one."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpte
import transcripts as t
from bpte.cli import run as cli
from bpte.run import identity, launcher
from bpte.run.identity import Asked, Fingerprint, Unreadable
from bpte.run.launcher import Request
from bpte.run.outcome import State
from bpte.run.protocol import parse
from bpte.run.protocol_table import KEYS

pytest_plugins = ["pytester"]

COUNT = 3


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return t.pack(tmp_path / "model.bpte", t.whole(*["pass"] * COUNT))


def passing(bundle: Path, **begin: Any) -> bytes:
    """A green protocol about the bundle, but for these members of its begin record."""

    def change(record: dict[str, Any]) -> None:
        if record["event"] == "begin":
            record.update(begin)

    return t.edited(t.about(t.whole(*["pass"] * COUNT), bundle), change)


def run(bundle: Path, output: bytes, **request: Any) -> launcher.Run:
    program = t.stand_in(bundle.parent, output)
    return launcher.run(Request(bundle, program=program, timeout=60, **request))


def test_this_very_bundle_passes(bundle: Path) -> None:
    result = run(bundle, passing(bundle))
    assert (result.state, result.message) == (State.PASSED, "3 of 3 cases passed")


#: What a begin record may say that is not so, and what is said of it.
FALSE = {
    "file_size": ({"file_size": 1}, "file_size 1, but the file's is "),
    "metadata": ({"metadata_crc32": "deadbeef"}, "metadata_crc32 deadbeef, but the file's is "),
    "program": ({"program_crc32": "deadbeef"}, "program_crc32 deadbeef, but the file's is "),
    "offset": ({"program_offset": 0}, "program_offset 0, but the file's is "),
    "size": ({"program_size": 1}, "program_size 1, but the file's is 17"),
    "format": ({"format": "BP08"}, "format BP08, but the file's is BP09"),
    "suites": ({"suites": 2}, "suites 2, but the file's is 1"),
    "bundle_cases": ({"bundle_cases": 1000}, "bundle_cases 1000, but the file's is 3"),
    "no size": ({"file_size": None}, "file_size none, but the file's is "),
    "no metadata": ({"metadata_crc32": None}, "metadata_crc32 none, but"),
    "no program": ({"program_crc32": None}, "program_crc32 none, but"),
    "unverified": ({"verified": False}, "checks no checksums"),
    "verified missing": ({"verified": None}, "checks no checksums"),
    "another run": ({"nonce": "0123456789abcdef"}, "the output of another run: nonce 0123456789"),
    "no nonce": ({"nonce": None}, "does not give back this run's nonce"),
    "protocol 1": ({"protocol": 1, "nonce": None}, "protocol 1, which does not say which bundle"),
    "method": ({"method": "forward"}, "asked for --method none, the target reports forward"),
    "case": ({"case": 1}, "asked for --case none, the target reports 1"),
    "teach": ({"teach": True}, "asked for --teach none, the target reports True"),
    "rtol": ({"rtol": 1e9}, "asked for --rtol none, the target reports 1000000000.0"),
    "isolate": ({"isolate": True}, "asked for --isolate none, the target reports True"),
    "trace rtol": ({"trace_rtol": 1e9}, "asked for --trace-rtol none, the target reports 1000"),
    "trace atol": ({"trace_atol": "inf"}, "asked for --trace-atol none, the target reports inf"),
    "dump": ({"dump": 0}, "asked for --dump none, the target reports 0"),
    "wire": ({"wire": "pull"}, "asked for --outputs none, the target reports pull"),
    "atol": ({"atol": "inf"}, "asked for --atol none, the target reports inf"),
}


@pytest.mark.parametrize("name", FALSE)
def test_a_green_about_something_else_is_red(bundle: Path, name: str) -> None:
    begin, message = FALSE[name]
    result = run(bundle, passing(bundle, **begin))
    assert (result.state, result.outcome) == (State.ANOTHER_BUNDLE, 4), result.message
    assert message in result.message


def test_every_member_is_held_against_the_file(bundle: Path) -> None:
    """A key of `begin` that says which bundle it is, and that FALSE forgets, would be unchecked."""
    free = {"protocol", "target", "engine", "engine_version", "program_address", "cases", "unit"}
    free |= {"trace", "profile"}  # see below
    tried = {key for begin, _ in FALSE.values() for key in begin}
    assert tried | free == set(KEYS["begin"])


def test_a_trace_that_nobody_asked_for(bundle: Path) -> None:
    result = run(bundle, passing(bundle, trace="first"))
    assert (result.state, result.outcome) == (State.CONTRADICTORY, 4)
    told = {"executed": 1, "compared": 0, "wrong": 0, "missed": 0}
    output = t.edited(
        passing(bundle, trace="first"),
        lambda record: record.update({"trace": told} if record["event"] == "case" else {}),
    )
    result = run(bundle, output)
    assert (result.state, result.outcome) == (State.ANOTHER_BUNDLE, 4)
    assert "asked for --trace none, the target reports first" in result.message


def test_times_that_nobody_asked_for(bundle: Path) -> None:
    output = t.about(t.lines(t.profiled(7, cases=COUNT)), bundle)
    assert run(bundle, output, profile=1).state is State.PASSED
    for profile, asked in ((None, "none"), (2, "2")):
        result = run(bundle, output, profile=profile)
        assert (result.state, result.outcome) == (State.ANOTHER_BUNDLE, 4)
        assert f"asked for --profile {asked}, the target reports 1" in result.message


def test_fewer_cases_than_the_file_has(bundle: Path) -> None:
    for announced in (1, 2):
        output = t.about(t.whole(*["pass"] * announced), bundle)
        result = run(bundle, output)
        assert result.state is State.ANOTHER_BUNDLE
        assert f"cases {announced}, but the file has 3 of what was asked for" in result.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"suite": 1}, "suite 1, case 1: the file has 1 suites"),
        ({"method": "backward"}, "suite 0, case 1: method backward, but the file's is forward"),
        ({"case": 3}, "suite 0, case 3: the file's suite has 3 cases"),
        ({"outputs": [t.passing_output()] * 2}, "suite 0, case 1: 2 outputs, the file's has 1"),
    ],
)
def test_a_case_that_the_file_does_not_have(
    bundle: Path, change: dict[str, Any], message: str
) -> None:
    def spoil(record: dict[str, Any]) -> None:
        if record.get("case") == 1 and record["event"] == "case":
            record.update(change)

    result = run(bundle, t.edited(passing(bundle), spoil))
    assert (result.state, message in result.message) == (State.ANOTHER_BUNDLE, True), result.message


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"case": 1}, "asked for --case 1, the target reports none"),
        ({"method": "forward"}, "asked for --method forward, the target reports none"),
        ({"rtol": 1e-9}, "asked for --rtol 1e-09, the target reports none"),
        ({"atol": 0.0}, "asked for --atol 0.0, the target reports none"),
    ],
)
def test_a_firmware_that_ignores_its_arguments(
    bundle: Path, request_: dict[str, Any], message: str
) -> None:
    result = run(bundle, passing(bundle), **request_)
    assert (result.state, result.outcome) == (State.ANOTHER_BUNDLE, 4)
    assert message in result.message


def test_a_firmware_that_repeats_its_arguments_and_ignores_them(bundle: Path) -> None:
    result = run(bundle, passing(bundle, case=1), case=1)
    assert result.state is State.ANOTHER_BUNDLE
    assert "cases 3, but the file has 1 of what was asked for" in result.message
    result = run(bundle, passing(bundle, atol=0.5), atol=0.5)
    assert result.state is State.ANOTHER_BUNDLE
    assert "suite 0, case 0, output 0: judged with atol 1e-05, asked for was 0.5" in result.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "float64"}, "dtype float64, the file's is float32"),
        ({"dtype": None}, "dtype none, the file's is float32"),
        ({"shape": [3, 2]}, "shape [3, 2], the file's is [2, 3]"),
        ({"kind": "none"}, "kind none, the file's is tensor"),
        ({"rtol": 1e9}, "judged with rtol 1000000000.0, the file's is 1.3e-06"),
        ({"atol": "inf"}, "judged with atol inf, the file's is 1e-05"),
        ({"rtol": None}, "judged with rtol none, the file's is 1.3e-06"),
        ({"max_outlier_share": 1.0}, "judged with max_outlier_share 1.0, the file's is 0.0"),
        ({"min_sqnr_db": 3.0}, "judged with min_sqnr_db 3.0, the file's is none"),
        ({"min_cosine": 0.5}, "judged with min_cosine 0.5, the file's is none"),
    ],
)
def test_outputs_judged_by_something_else_than_the_file(
    bundle: Path, change: dict[str, Any], message: str
) -> None:
    """A firmware with tolerances of its own compiled in, say."""

    def spoil(record: dict[str, Any]) -> None:
        for output in record.get("outputs", ()):
            output.update(change)

    output = t.edited(passing(bundle), spoil)
    log = launcher.judge_log(Path("log"), [output], Request(bundle))
    for result in (run(bundle, output), log):
        assert (result.state, result.outcome) == (State.ANOTHER_BUNDLE, 4), result.message
        assert f"suite 0, case 0, output 0: {message}" in result.message


def test_an_output_that_the_file_excludes_is_not_judged(tmp_path: Path) -> None:
    value = [np.zeros((2, 3), np.float32)]
    excluded = bpte.Tolerance(not_compared=True)
    case = bpte.MethodTestCase(value, value, tolerances=excluded)
    suite = bpte.MethodTestSuite("forward", [case])
    path = tmp_path / "model.bpte"
    bpte.BundledProgram(b"no program", [suite]).save(path, fit="skip", durable=False)
    result = run(path, t.about(t.whole("pass"), path))
    assert result.state is State.ANOTHER_BUNDLE
    assert "verdict pass, but by the file it is excluded from comparison" in result.message


def test_output_of_the_last_run_left_in_a_pipe(bundle: Path) -> None:
    """It is complete, it is about this very bundle, and it arrives before this run's."""
    stale = t.edited(
        passing(bundle), lambda r: r.update(nonce="stale") if r["event"] == "begin" else None
    )
    for output in (stale, stale + passing(bundle), stale[-200:] + passing(bundle)):
        result = run(bundle, output)
        assert result.outcome == 4, result.message
        assert result.state in (State.ANOTHER_BUNDLE, State.CUT_SHORT)
    assert run(bundle, stale).state is State.ANOTHER_BUNDLE


def test_trust_covers_what_a_target_cannot_prove_and_nothing_else(bundle: Path) -> None:
    result = run(bundle, passing(bundle, nonce=None, verified=False), trust_target=True)
    assert result.state is State.PASSED
    assert "gave back no nonce" in result.message and "checked no checksums" in result.message
    for name, (begin, _) in FALSE.items():
        if name in ("no nonce", "unverified", "verified missing"):
            continue
        result = run(bundle, passing(bundle, **begin), trust_target=True)
        assert result.state is State.ANOTHER_BUNDLE, name


def test_a_file_that_is_no_bundle_cannot_have_passed(bundle: Path) -> None:
    output = passing(bundle)
    bundle.write_bytes(b"something else entirely, and long enough to have a header of its own")
    result = run(bundle, output)
    assert result.state is State.ANOTHER_BUNDLE
    assert "this one cannot be read" in result.message
    records = [t.begin(0, nonce=t.NONCE), t.error("not_a_bundle", "not_a_bundle: at 4", 3)]
    lost = {"file_size", "metadata_crc32", "program_crc32", "verified"}
    records[0] = {key: value for key, value in records[0].items() if key not in lost}
    program = t.stand_in(bundle.parent, t.lines([*records, t.end(records)]), "sys.exit(3)")
    result = launcher.run(Request(bundle, program=program, timeout=60))
    assert (result.state, result.outcome) == (State.MALFORMED, 3), result.message


# --- The command line and pytest ------------------------------------------------------------------


def test_the_command_line(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = t.pack(bundle.with_name("other.bpte"), t.whole("pass", "pass", "pass", "pass"))
    program = t.stand_in(bundle.parent, t.about(t.whole(*["pass"] * 4), other))
    assert cli.main([str(other), "--elf", str(program)]) == 0
    capsys.readouterr()
    assert cli.main([str(bundle), "--elf", str(program)]) == 4
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("another bundle: file_size ")
    assert "bundle_cases 4, but the file's is 3" in last
    assert cli.main([str(bundle), "--elf", str(program), "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["state"] == "another_bundle"


def test_pytest(pytester: pytest.Pytester, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(bpte.__file__).parents[1]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    shutil.copy(bundle, pytester.path / "model.bpte")
    program = t.stand_in(pytester.path, passing(bundle, metadata_crc32="deadbeef"))
    words = ("-p", "bpte.pytest_plugin", f"--bpte-elf={program}", "model.bpte")
    result = pytester.runpytest_subprocess(*words)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes() == {"failed": COUNT}
    result.stdout.fnmatch_lines(["*another bundle: *metadata_crc32 deadbeef*"])


# --- Logs -----------------------------------------------------------------------------------------


def log(output: bytes, *words: str | Path, monkeypatch: pytest.MonkeyPatch) -> int:
    class Stdin:
        buffer = io.BytesIO(output)

    monkeypatch.setattr(sys, "stdin", Stdin)
    return cli.main([*map(str, words), "--log", "-"])


def test_a_log_is_held_against_the_file(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = passing(bundle, nonce=None)  # of a board without a debugger
    assert log(good, bundle, monkeypatch=monkeypatch) == 0
    assert log(good, monkeypatch=monkeypatch) == 0
    for name, (begin, message) in FALSE.items():
        if name in ("no nonce", "another run", "protocol 1", "wire"):
            continue
        capsys.readouterr()
        assert log(passing(bundle, **begin), bundle, monkeypatch=monkeypatch) == 4, name
        assert message in capsys.readouterr().out
    assert log(good, bundle, "--case", "1", monkeypatch=monkeypatch) == 4
    widened = passing(bundle, rtol=1e9)
    assert log(widened, bundle, monkeypatch=monkeypatch) == 4
    assert log(passing(bundle), bundle, "--atol", "1e-6", monkeypatch=monkeypatch) == 0


def test_an_old_log_is_judged_with_a_note(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    new = (
        *("nonce", "metadata_crc32", "program_crc32", "verified", "suites", "bundle_cases"),
        *("method", "case", "rtol", "atol"),
    )

    def old(output: bytes) -> bytes:
        def change(record: dict[str, Any]) -> None:
            if record["event"] == "begin":
                record["protocol"] = 1
                for name in new:
                    record.pop(name, None)

        return t.edited(output, change)

    assert log(old(passing(bundle)), bundle, monkeypatch=monkeypatch) == 0
    assert "protocol 1: nothing in it ties it to this very bundle" in capsys.readouterr().out
    assert log(old(passing(bundle)), "--atol", "1", monkeypatch=monkeypatch) == 0
    assert "protocol 1: it does not say which bundle was run" in capsys.readouterr().out
    assert log(old(passing(bundle, file_size=1)), bundle, monkeypatch=monkeypatch) == 4
    part = old(t.about(t.whole("pass"), bundle))
    assert log(part, bundle, monkeypatch=monkeypatch) == 0


# --- Fingerprints ---------------------------------------------------------------------------------


def one_case(expected: float) -> bpte.MethodTestCase:
    value = np.array([1, expected, 3], np.float32)
    return bpte.MethodTestCase([np.zeros(3, np.float32)], [value])


def saved(path: Path, *cases: bpte.MethodTestCase, **options: Any) -> Fingerprint:
    program = options.pop("program", b"no program at all")
    bundled = bpte.BundledProgram(program, [bpte.MethodTestSuite("forward", list(cases))])
    bundled.save(path, fit="skip", durable=False, **options)
    found = identity.fingerprint(path)
    assert isinstance(found, Fingerprint)
    return found


@pytest.mark.parametrize("form", ["bp09", "bp08"])
def test_every_change_of_a_bundle_shows(tmp_path: Path, form: str) -> None:
    """The same program and sizes, and one expected value off: another bundle."""
    path = tmp_path / "a.bpte"
    first = saved(path, one_case(1), format=form)
    assert first == saved(path, one_case(1), format=form)
    assert first.format == form.upper()
    other = saved(path, one_case(2), format=form)
    assert other.file_size == first.file_size and other.program_crc32 == first.program_crc32
    assert other.metadata_crc32 != first.metadata_crc32
    changed = saved(path, one_case(1), format=form, program=b"no program at alL")
    assert changed.program_crc32 != first.program_crc32


def test_what_is_no_bundle(tmp_path: Path) -> None:
    path = tmp_path / "a.bpte"
    assert isinstance(identity.fingerprint(path), Unreadable)
    path.write_bytes(b"")
    assert isinstance(found := identity.fingerprint(path), Unreadable)
    assert "too_short" in found.reason


@pytest.mark.parametrize("form", ["bp09", "bp08"])
@pytest.mark.parametrize("way", [(), ("--source",), ("--no-verify",)])
def test_the_host_runner_says_what_it_runs(
    tmp_path: Path,
    demo_bundle: Path,
    bpte_runner: Path,
    form: str,
    way: tuple[str, ...],
    capture: Callable[..., bytes],
) -> None:
    with bpte.open(demo_bundle) as demo:
        program = bytes(demo.program)
        cases = [
            bpte.MethodTestCase(case.inputs, case.expected_outputs)
            for case in demo.suites[0].test_cases
        ]
        bundled = bpte.BundledProgram(program, [bpte.MethodTestSuite("forward", cases)])
        path = tmp_path / "demo.bpte"
        bundled.save(path, durable=False, format=form)
    output = capture(bpte_runner, path, *way, "--nonce", "abc", "--case", "1", "--atol", "0.1")
    transcript = parse(output)
    asked = Asked(case=1, atol=0.1, nonce="abc")
    finding = identity.check(transcript, identity.fingerprint(path), asked)
    if way == ("--no-verify",):
        assert finding.difference is not None and "checks no checksums" in finding.difference
        asked = Asked(case=1, atol=0.1, nonce="abc", trust_target=True)
        finding = identity.check(transcript, identity.fingerprint(path), asked)
        assert finding.notes
    assert finding.difference is None
    other = tmp_path / "other.bpte"
    cases[0].expected_outputs[0] = np.array(cases[0].expected_outputs[0]) + 1
    bundled.save(other, durable=False, format=form)
    finding = identity.check(transcript, identity.fingerprint(other), asked)
    # BP08 states no checksums, and unless they are wanted nobody takes them.
    if (form, way) != ("bp08", ("--no-verify",)):
        assert finding.difference is not None and "metadata_crc32" in finding.difference


@pytest.fixture
def capture() -> Callable[..., bytes]:
    import subprocess

    def call(*words: str | Path) -> bytes:
        done = subprocess.run(words, capture_output=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call
