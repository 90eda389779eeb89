# SPDX-License-Identifier: BSD-3-Clause
"""The launcher's run states, with a stand-in for the runner that replays prepared output.

What a real runner, a real emulator and a real bundle do is tested in tests/boards.
"""

from __future__ import annotations

import json
import math
import os
import re
import signal
import textwrap
import threading
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

import bpte
import transcripts as t
from bpte.cli import _output, main
from bpte.cli import run as cli
from bpte.run import board, document, launcher, report, table
from bpte.run.launcher import Request
from bpte.run.outcome import State
from bpte.run.protocol import Record


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Of one case; `_run` makes one that fits what the stand-in says."""
    return t.pack(tmp_path / "any, name.bpte", b"")


def _run(
    bundle: Path,
    output: bytes,
    then: str = "sys.exit(0)",
    timeout: float = 30,
    tolerances: bpte.Tolerance | None = None,
) -> launcher.Run:
    output = t.about(output, t.pack(bundle, output, tolerances))
    program = t.stand_in(bundle.parent, output, then)
    return launcher.run(Request(bundle, program=program, timeout=timeout))


_CRASH = "os.kill(os.getpid(), signal.SIGSEGV)"


@pytest.mark.parametrize(
    ("output", "then", "state", "message"),
    [
        (t.whole("pass", "pass"), "sys.exit(0)", State.PASSED, "2 of 2 cases passed"),
        (t.whole("pass", "fail"), "sys.exit(1)", State.MISMATCH, "1 of 2 cases failed"),
        (t.whole("error"), "sys.exit(4)", State.NOT_RUN, "missing_operator: aten::sin.out"),
        (t.whole("unjudged"), "sys.exit(4)", State.NOT_RUN, "nothing was judged"),
        (t.whole(), "sys.exit(4)", State.NOT_RUN, "nothing was judged"),
        (b"", "sys.exit(0)", State.CUT_SHORT, "no result record"),
        (b"hello\n", "sys.exit(0)", State.CUT_SHORT, "no result record"),
        (b"", "sys.exit('no flag -x')", State.NOT_STARTED, "exit status 1: no flag -x"),
        (b"", "print('bpte: usage: no method x'); sys.exit(2)", State.USAGE, "no method x"),
        (b"", "sys.exit(2)", State.NOT_STARTED, "exit status 2"),
        (t.whole("pass")[:-9], "sys.exit(0)", State.CUT_SHORT, "cut off"),
        (t.lines([t.begin(2), t.case(0)]), "sys.exit(0)", State.CUT_SHORT, "1 of 2 cases"),
        (t.lines([t.begin(2)]), _CRASH, State.DIED, "killed by SIGSEGV; 0 of 2 cases"),
        (t.whole("pass"), _CRASH, State.DIED, "killed by SIGSEGV"),
        (t.whole("pass"), "sys.exit(1)", State.DIED, "contradicts the end record's 0"),
        (t.whole("fail"), "sys.exit(0)", State.DIED, "contradicts the end record's 1"),
        (
            t.lines([t.begin(2)]) + b"bpte-fault: BusFault pc=0x10000234\n",
            "sys.exit(70)",
            State.FAULTED,
            "BusFault pc=0x10000234 (0 of 2 cases arrived)",
        ),
    ],
)
def test_states(bundle: Path, output: bytes, then: str, state: State, message: str) -> None:
    result = _run(bundle, output, then)
    assert (result.state, message in result.message) == (state, True), result.message
    expected = {State.PASSED: 0, State.MISMATCH: 1, State.USAGE: 2}.get(state, 4)
    assert result.outcome == expected


def test_malformed(bundle: Path) -> None:
    records = [t.begin(0), t.error("truncated", "truncated: 100, limit 4096", 3)]
    result = _run(bundle, t.lines([*records, t.end(records)]), "sys.exit(3)")
    assert (result.state, result.outcome) == (State.MALFORMED, 3)
    assert result.message == "truncated: 100, limit 4096"


def shell_stand_in(folder: Path, output: bytes, then: str) -> Path:
    """The same as a shell script: started at once, for tests in which time runs out."""
    (folder / "output").write_bytes(output)
    script = folder / "stand-in"
    script.write_text(f"#!/bin/sh\ncat '{folder / 'output'}'\n{then}\n")
    script.chmod(0o755)
    return script


@pytest.mark.parametrize("then", ["sleep 60", "while :; do echo noise; done"])
def test_a_hang_is_ended(bundle: Path, then: str) -> None:
    program = shell_stand_in(bundle.parent, t.lines([t.begin(2), t.case(0)]), then)
    start = time.monotonic()
    result = launcher.run(Request(bundle, program=program, timeout=1))
    assert time.monotonic() - start < 30
    assert (result.state, result.outcome) == (State.TIMED_OUT, 4)
    assert "no end after 1 s" in result.message
    assert "1 of 2 cases" in result.message


def test_children_are_ended_with_it(bundle: Path) -> None:
    pid_file = bundle.parent / "pid"
    program = shell_stand_in(bundle.parent, b"", f"sleep 60 & echo $! > '{pid_file}'; wait")
    result = launcher.run(Request(bundle, program=program, timeout=1))
    assert result.state is State.TIMED_OUT
    pid = int(pid_file.read_text())
    for _ in range(200):
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return
        if stat.rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there")


def test_killed_from_outside(bundle: Path) -> None:
    program = t.stand_in(bundle.parent, t.lines([t.begin(2), t.case(0)]), "time.sleep(60)")
    pids: list[int] = []

    def kill(_: Record) -> None:
        if len(seen) == 1:
            os.kill(pids[0], signal.SIGKILL)
        seen.append(_)

    seen: list[Record] = []
    result = launcher.run(
        Request(bundle, program=program, timeout=30), on_record=kill, on_start=pids.append
    )
    assert (result.state, result.outcome) == (State.DIED, 4)
    assert "killed by SIGKILL; 1 of 2 cases arrived" in result.message


_SAYS = "print('qemu: fatal: \\x1b[2JLockup', file=sys.stderr, flush=True)"


@pytest.mark.parametrize(
    ("then", "state"),
    [
        (f"{_SAYS}; print('R00=0', file=sys.stderr); os.abort()", State.DIED),
        (f"{_SAYS}; sys.exit(1)", State.CUT_SHORT),
        (f"{_SAYS}; time.sleep(60)", State.TIMED_OUT),
    ],
)
def test_what_it_said_when_it_died(bundle: Path, then: str, state: State) -> None:
    result = _run(bundle, t.lines([t.begin(2), t.case(0)]), then, timeout=3)
    assert result.state is state
    assert r"(it said: qemu: fatal: \x1b[2JLockup)" in result.message
    assert "R00" not in result.message


def test_records_stream(bundle: Path) -> None:
    """The first record arrives while the runner still waits for leave to go on."""
    gate = bundle.parent / "gate"
    program = t.stand_in(
        bundle.parent,
        t.about(t.whole("pass"), bundle),
        f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)",
    )
    arrived = threading.Event()

    def note(_: Record) -> None:
        arrived.set()
        gate.touch()

    result = launcher.run(Request(bundle, program=program, timeout=30), on_record=note)
    assert arrived.is_set()
    assert result.state is State.PASSED


@pytest.mark.parametrize(
    ("request_", "state", "message"),
    [
        (Request(Path("/no/such.bpte")), State.USAGE, "No such file"),
        (Request(Path(__file__), board="no-such-board"), State.USAGE, "there are: "),
        (Request(Path(__file__), board="No/../Board"), State.USAGE, "board.toml"),
        (Request(Path(__file__), simulator="fvp"), State.USAGE, "it has: native"),
        (Request(Path(__file__), program=Path("/no/elf")), State.USAGE, "no such file"),
        (Request(Path(__file__), engine="tflite"), State.USAGE, "it has: executorch, reference"),
    ],
)
def test_refused_before_the_start(request_: Request, state: State, message: str) -> None:
    result = launcher.run(request_)
    assert result.state is state
    assert message in result.message


@pytest.mark.parametrize(
    ("board", "option", "message"),
    [
        ("host", {"load_address": 0x71000000}, "--load-address: host "),
        ("host", {"from_file": True}, "--from-file: host "),
        ("host", {"operators_from": (Path("/no.pte"),)}, "--operators-from: host "),
        ("corstone-300", {"max_planned_memory": 1}, "--max-planned-memory: what corstone-300"),
        ("corstone-300", {"operators_from": (Path("/no.pte"),)}, "/no.pte: No such file"),
        ("corstone-300", {"operators_from": (Path("/tmp"),)}, "/tmp: not a regular file"),
        (
            "corstone-300",
            {"operators_from": (Path(__file__),), "program": Path(__file__)},
            "--operators-from: the firmware is built already",
        ),
        ("host", {"linked": True}, "--linked: host "),
        (
            "corstone-300",
            {"linked": True, "from_file": True},
            "--linked and --from-file exclude each other",
        ),
        (
            "corstone-300",
            {"from_file": True, "load_address": 0x71000000},
            "--from-file and --load-address exclude each other",
        ),
    ],
)
def test_an_option_without_effect_is_refused_before_a_build(
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    board: str,
    option: dict[str, object],
    message: str,
) -> None:
    monkeypatch.delattr("bpte.run.build.program")
    result = launcher.run(Request(bundle, board=board, **option))  # type: ignore[arg-type]
    assert (result.state, result.outcome) == (State.USAGE, 2)
    assert message in result.message


def test_files_that_are_none_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, Path("/dev/null")):
        result = launcher.run(Request(path))
        assert (result.state, result.message) == (State.USAGE, f"{path}: not a regular file")


def test_the_planned_memory_reaches_the_runner(bundle: Path) -> None:
    program = t.stand_in(bundle.parent, t.whole("pass"))
    result = launcher.run(Request(bundle, program=program, max_planned_memory=1 << 33))
    assert result.command[-2:] == ("--max-planned-memory", "8589934592")
    for wrong in ("-1", "x", "1.5", "4T", ""):
        assert main(["run", str(bundle), "--max-planned-memory", wrong]) == 2


def test_a_program_that_is_no_executable_did_not_start(bundle: Path) -> None:
    program = bundle.parent / "text"
    program.write_text("just text")
    result = launcher.run(Request(bundle, program=program))
    assert (result.state, result.outcome) == (State.NOT_STARTED, 4)


# --- Boards -------------------------------------------------------------------------------------


def test_every_board_describes_itself() -> None:
    root = board.source_root()
    assert root is not None
    names = board.board_names(root)
    assert "host" in names
    for name in names:
        assert board.find_board(name).name == name


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "name is missing"),
        ('name = "other"', "name is 'other', but the folder's is 'mine'"),
        ("name = 3", "name is not a string"),
        ('name = "mine"\nspeed = 1', "unknown key speed"),
        ('name = "mine"\n[simulators.s]\ncommand = ["x", "{elf}"]', "unknown placeholder 'elf'"),
        ('name = "mine"\n[simulators.s]\ncommand = "x"', "simulators.s.command is not"),
        ('name = "mine"\n[simulators.s]\ncommand = []', "simulators.s.command is empty"),
        ("name = ", "board.toml"),
    ],
)
def test_a_wrong_description_is_refused(tmp_path: Path, line: str, message: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    rest = """
        [build]
        target = "t"
        artifact = "a"
        """
    tables = "" if "[simulators" in line else '[simulators.x]\ncommand = ["x"]\n'
    (folder / "board.toml").write_text(
        'description = ""\nkind = "host"\ncpu = ""\nengines = ["reference"]\ntimeout = 1\n'
        + line
        + "\n"
        + textwrap.dedent(rest)
        + tables
    )
    with pytest.raises(board.BoardError, match=r"board\.toml") as caught:
        board.load_board(folder)
    assert message in str(caught.value)


# --- Reports ------------------------------------------------------------------------------------


def test_the_table_names_everything_about_a_mismatch(bundle: Path) -> None:
    records = [t.begin(2), t.case(0), t.case(1, "fail", name="noisy")]
    result = _run(bundle, t.lines([*records, t.end(records)]), "sys.exit(1)")
    text = report.table(result)
    assert 'forward, case 1 "noisy", output 0: element [1, 2]: expected 1.5, actual 1.25' in text
    assert "off by 0.25" in text
    assert "max error 0.25 (relative 0.17)" in text
    assert "allowed atol 1e-05 + rtol 1.3e-06 * |expected| (float32's defaults)" in text
    assert "17 bytes in place at 0x71000400" in text
    assert text.endswith("mismatch: 1 of 2 cases failed")
    assert "\033[31mfail" in report.table(result, colour=True)


def test_a_target_cannot_steer_the_terminal(bundle: Path) -> None:
    records = [t.begin(1, target="\x1b[2J"), t.case(0, "error", message="\x1b]0;gotcha\x07\r\nx")]
    result = _run(bundle, t.lines([*records, t.end(records)]), "sys.exit(4)")
    text = report.table(result)
    assert "\x1b" not in text and "\x07" not in text and "\r" not in text
    assert r"\x1b]0;gotcha" in text
    ElementTree.fromstring(report.as_junit(result))


def test_json_is_standard_json(bundle: Path) -> None:
    first = {"index": [0, 0], "expected": "nan", "actual": 1.0}
    output = t.failing_output(
        first=first, nonfinite=1, mean_abs=0.06, mean_rel=0.04, min_sqnr_db="-inf", atol="inf"
    )
    records = [t.begin(1), t.case(0, "fail", outputs=[output])]
    stated = bpte.Tolerance(atol=math.inf, min_sqnr_db=-math.inf)
    whole = t.lines([*records, t.end(records)])
    result = _run(bundle, whole, "sys.exit(1)", tolerances=stated)

    def refuse(name: str) -> float:
        raise AssertionError(name)

    printed = json.loads(document.as_json(result), parse_constant=refuse)
    assert printed["state"] == "mismatch"
    assert printed["exit_code"] == 1
    assert printed["cases"][0]["outputs"][0]["atol"] == "inf"
    assert printed["cases"][0]["outputs"][0]["first"]["expected"] == "nan"


def test_junit_counts(bundle: Path) -> None:
    output = t.whole("pass", "fail", "error", "unjudged")
    root = ElementTree.fromstring(report.as_junit(_run(bundle, output, "sys.exit(1)")))
    (suite,) = root
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    failure = suite[1].find("failure")
    assert failure is not None
    assert "expected 1.5, actual 1.25" in failure.get("message", "")
    cut = ElementTree.fromstring(report.as_junit(_run(bundle, output[:-9], "sys.exit(1)")))
    # What passed or was not judged does not count: only the failure is what it was.
    assert {k: cut[0].get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5",
        "failures": "1",
        "errors": "4",
        "skipped": "0",
    }
    assert "(this case had passed, which does not count)" in str(
        cut[0].findall("testcase/error")[0].get("message")
    )


def test_junit_times_are_seconds_or_cycles(bundle: Path) -> None:
    for unit, time_, stated in (("ns", "0.000001234", None), ("cycles", None, "1234 cycles")):
        records = [t.begin(1, unit=unit), t.case(0)]
        result = _run(bundle, t.lines([*records, t.end(records)]))
        case = ElementTree.fromstring(report.as_junit(result))[0][0]
        found = case.find("properties/property[@name='time']")
        assert case.get("time") == time_
        assert (found.get("value") if found is not None else None) == stated


def test_a_run_that_was_stopped_is_an_error_in_junit(bundle: Path) -> None:
    """Also when a case had failed before: cases are missing."""
    records = [t.begin(3), t.case(0, "fail"), t.error("read_failed", "read_failed", 4)]
    result = _run(bundle, t.lines([*records, t.end(records)]), "sys.exit(1)")
    assert result.state is State.MISMATCH
    suite = ElementTree.fromstring(report.as_junit(result))[0]
    assert (suite.get("tests"), suite.get("errors")) == ("2", "1")


@pytest.mark.parametrize(
    ("output", "then"),
    [
        (t.whole("pass", "pass"), "sys.exit(0)"),
        (t.whole("pass", "unjudged"), "sys.exit(0)"),
        (t.whole("unjudged", "unjudged"), "sys.exit(4)"),
        (t.whole("pass", "error"), "sys.exit(4)"),
        (t.whole("pass", "fail"), "sys.exit(1)"),
        (t.whole(), "sys.exit(4)"),
        (t.whole("pass"), "sys.exit(1)"),
        (t.whole("pass"), _CRASH),
        (t.whole("pass") + b"bpte-fault: HardFault\n", "sys.exit(0)"),
        (t.whole("pass")[:-9], "sys.exit(0)"),
        (t.whole("pass"), "print('#bpte {}')"),
        (b"", "sys.exit(0)"),
    ],
)
def test_every_report_is_green_or_red_alike(bundle: Path, output: bytes, then: str) -> None:
    result = _run(bundle, output, then)
    green = result.outcome == 0
    suite = ElementTree.fromstring(report.as_junit(result))[0]
    assert (suite.get("failures") == suite.get("errors") == "0") == green
    printed = json.loads(document.as_json(result))
    assert (printed["exit_code"] == 0) == green
    red = [case["result"] in ("failed", "error") for case in printed["cases"]]
    assert green <= (not any(red))
    # And each case that pytest would look at by itself: green only if the run gives it leave.
    if not green and result.state not in (State.MISMATCH, State.NOT_RUN):
        assert all(red)
    assert ("passed: " in report.table(result)) == green


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_keeps_to_the_columns(bundle: Path, width: int) -> None:
    name = "a photograph of two cats on a sofa, taken from above, quantised, variant "
    records = [
        t.begin(9),
        *(t.case(i, name=f"{name}{i}", method="forward_with_a_long_name") for i in range(7)),
        t.case(7, "fail", name="\u732b" * 60),
        t.case(8, "error", message="missing_operator: aten::sin.out"),
    ]
    result = _run(bundle, t.lines([*records, t.end(records)]), "sys.exit(1)")
    lines = report.table(result, width=width).splitlines()
    rows = [line for line in lines if line.rstrip().endswith(("1.3e-06, 1e-05", "1e-07", "0.25"))]
    assert len(rows) == 8
    assert all(table.text_width(row) <= width for row in rows)
    # Cut names still tell the cases apart.
    assert len({re.split("  +", row)[2] for row in rows}) == len(rows)
    assert "variant 3" in report.table(result, width=300)


def test_a_thousand_cases_are_summed_up_worst_first(bundle: Path) -> None:
    def failing(i: int, outside: int) -> dict[str, object]:
        first = {"index": [0, 0], "expected": 1.5, "actual": 1.25}
        output = t.failing_output(mismatches=outside, first=first, mean_abs=0.2, mean_rel=0.13)
        return t.case(i, "fail", outputs=[output])

    cases = [t.case(i) for i in range(1000)]
    cases[100] = failing(100, 2)
    cases[500] = failing(500, 5)
    cases[900] = t.case(900, "error")
    records = [t.begin(1000), *cases]
    result = _run(bundle, t.lines([*records, t.end(records)]), "sys.exit(1)")
    text = report.table(result)
    lines = text.splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("method"))
    assert [line.split()[1] for line in lines[head + 1 : head + 4]] == ["900", "500", "100"]
    assert len(lines) < 70
    assert "1000 cases: 997 passed, 2 failed, 1 not run" in text
    assert text.index("case 900: did") < text.index("case 500, out") < text.index("case 100, out")


def _failed(**output: object) -> str:
    """The table of a recorded run in which this output failed."""
    records = [t.begin(1), t.case(0, "fail", outputs=[t.failing_output(**output)])]
    result = launcher.judge_log(Path("log"), [t.lines([*records, t.end(records)])])
    assert result.state is State.MISMATCH, result.message
    return report.table(result)


def test_nothing_but_nan_is_shown_as_that() -> None:
    zeros = dict.fromkeys(("max_abs", "mean_abs", "max_rel", "mean_rel"), 0.0)
    first = {"index": [0, 0], "expected": 1.5, "actual": "nan"}
    counts = {"nonfinite": 6, "mismatches": 6, "sqnr_db": "inf", "cosine": 1.0}
    text = _failed(**zeros, **counts, first=first)
    assert "max error 0" not in text
    assert "all values hold a NaN or an infinity on one side at least" in text
    assert any(line.split()[-3:] == ["nan", "1.3e-06,", "1e-05"] for line in text.splitlines())


def test_a_scalar_has_no_element() -> None:
    first = {"index": [], "expected": 1.5, "actual": 1.25}
    means = {"mean_abs": 0.25, "mean_rel": 0.17}
    for shape in ({"kind": "double", "dtype": "float64", "numel": 1}, {"shape": [], "numel": 1}):
        text = _failed(first=first, **means, **shape)
        assert "element [" not in text
        assert "value: expected 1.5, actual 1.25" in text


def test_a_mismatch_at_default_tolerances_says_so() -> None:
    assert "These tolerances are the defaults of float32. State" in _failed()
    assert "These tolerances" not in _failed(rtol=1e-7)


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for value, colour in ((None, True), ("", True), ("1", False)):
        monkeypatch.delenv("NO_COLOR", raising=False)
        if value is not None:
            monkeypatch.setenv("NO_COLOR", value)
        assert _output.use_colour() is colour


# --- The verb -----------------------------------------------------------------------------------


def test_the_verb_judges_a_log_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "uart.txt"
    log.write_bytes(b"boot\r\n" + t.whole("pass", "fail", newline="\r\n"))
    assert cli.main(["--log", str(log)]) == 1
    assert cli.main(["--log", str(log), "--atol", "0.3"]) == 0
    assert cli.main(["--log", str(log), "--atol", "0.2"]) == 1
    assert "could not be judged again" not in capsys.readouterr().out
    assert cli.main(["--log", str(log), "--rtol", "9.5e-7", "--atol", "1e-8"]) == 1
    assert "could not be judged again" in capsys.readouterr().out
    log.write_bytes(t.whole("pass", "fail")[:-3])
    assert cli.main(["--log", str(log), "--atol", "0.3"]) == 4


def test_the_verbs_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert cli.main(["/no/such.bpte"]) == 2
    assert "/no/such.bpte: No such file" in capsys.readouterr().err
    for wrong in (["--rtol", "-1"], ["--atol", "nan"], ["--timeout", "0"], ["--case", "-1"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(["x.bpte", *wrong])
        assert caught.value.code == 2


def test_the_verb_takes_a_case_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    value = [np.zeros((2, 3), np.float32)]
    suites = [
        bpte.MethodTestSuite(
            method, [bpte.MethodTestCase(value, value, name=name) for name in names]
        )
        for method, names in (("forward", ["cat", "dog", ""]), ("other", ["dog", "fox"]))
    ]
    path = tmp_path / "named.bpte"
    bpte.BundledProgram(b"none", suites).save(path, fit="skip", durable=False)
    words = tmp_path / "words"
    record = t.case(1, suite=1, method="other")
    records = [t.begin(1, method="other", case=1), record]
    program = t.stand_in(
        tmp_path,
        t.about(t.lines([*records, t.end(records)]), path),
        f"open({str(words)!r}, 'w').write(' '.join(sys.argv[1:]))",
    )
    common = [str(path), "--elf", str(program)]
    assert cli.main([*common, "--case", "fox"]) == 0
    assert "--method other --case 1" in words.read_text()
    words.unlink()
    for arguments, message in (
        (["--case", "wolf"], "no case is named 'wolf'; there are: "),
        (["--case", "cet"], "there are: 'cat'"),
        (["--case", "dog"], "'dog' is the name of case 1 of forward, case 0 of other"),
        (["--case", "fox", "--method", "forward"], "no case is named 'fox'"),
        (["--case", "fox", "--method", "sideways"], "no method 'sideways'; there are: 'forward'"),
    ):
        capsys.readouterr()
        assert cli.main([*common, *arguments]) == 2
        assert message in capsys.readouterr().err
    assert not words.exists()


def test_the_verb_says_how_to_pack_a_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = Path(__file__).parents[2] / "examples" / "demo" / "mlp.pte"
    assert cli.main([str(program)]) == 2
    err = capsys.readouterr().err
    assert f"bpte pack {program} --case in=INPUT.npy out=EXPECTED.npy -o mlp.bpte" in err


def test_the_verb_writes_junit(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = t.stand_in(bundle.parent, t.about(t.whole("pass"), bundle))
    report_file = bundle.parent / "junit.xml"
    arguments = [str(bundle), "--elf", str(program), "--junit", str(report_file), "--json"]
    assert cli.main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["exit_code"] == 0
    assert ElementTree.parse(report_file).getroot().tag == "testsuites"
