# SPDX-License-Identifier: BSD-3-Clause
"""Text of a file or a target never acts on a terminal, whichever way it is shown."""

from __future__ import annotations

import os
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

import bpte
import transcripts as t
from bpte.cli import _terminal, main
from bpte.program import ProgramError
from bpte.run.board import BoardError
from bpte.run.build import BuildError
from bpte.text import printable, printable_lines

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "demo"

#: Sets the title, clears the screen, hides what follows, reverses it; fakes a line of its own.
HOSTILE = "\x1b]0;own\x07\x1b[2J\x1b[8m\x9b31m\u202e\u2066\rx\nbpte: passed"
SHOWN = r"\x1b]0;own\x07\x1b[2J\x1b[8m\x9b31m\u202e\u2066\rx\nbpte: passed"
#: Seven bytes, to take the place of "forward" in a program.
SEVEN = "\x1b]0;\x07\r\n"


def harmless(text: str, *, lines_are_ours: bool = True) -> None:
    for line in text.split("\n"):
        assert line.isprintable(), ascii(line)
        assert not lines_are_ours or not line.startswith("bpte: passed")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files whose names and contents are all hostile."""
    monkeypatch.chdir(tmp_path)
    arrays = np.load(DEMO / "mlp.npz")
    case = bpte.MethodTestCase([arrays["in0"]], [arrays["out0"]], name=HOSTILE)
    suites = [bpte.MethodTestSuite(HOSTILE, [case]), bpte.MethodTestSuite("forward", [case])]
    bundle = bpte.BundledProgram(
        DEMO / "mlp.pte",
        suites,
        metadata={HOSTILE: HOSTILE, "model": HOSTILE},
        named_data={HOSTILE: b"data"},
    )
    bundle.save(f"{HOSTILE}.bpte", fit="skip")
    program = (DEMO / "mlp.pte").read_bytes()
    assert b"forward" in program and b"aten::" in program
    program = program.replace(b"forward", SEVEN.encode()).replace(b"aten::", b"\x1b]2;\x07:")
    Path(f"{HOSTILE}.pte").write_bytes(program)
    Path(f"{HOSTILE}.bad").write_bytes(Path(f"{HOSTILE}.bpte").read_bytes()[:-1])
    Path(f"{HOSTILE}.toml").write_text(
        '[[suite]]\nmethod = "\\u001b[2J\\r\\n\\u202e"\n[[suite.case]]\ninputs = ["\\u001b[8m.npy"]'
    )
    np.save(f"{HOSTILE}.npy", arrays["in0"])
    records = [t.begin(1, target=HOSTILE), t.case(0, "error", message=HOSTILE, name=HOSTILE)]
    Path("output").write_bytes(HOSTILE.encode() + b"\n" + t.lines([*records, t.end(records)]))
    script = f"#!{sys.executable}\nprint(open('{tmp_path}/output').read())\nraise SystemExit(4)\n"
    Path(f"{HOSTILE}.elf").write_text(script)
    Path(f"{HOSTILE}.elf").chmod(0o755)
    board = Path(HOSTILE)
    board.mkdir()
    (board / "board.toml").write_text('name = "\\u001b[2J\\u202e"\n"\\u001b[8m" = 3\n')
    return tmp_path


RUN = ["run", f"{HOSTILE}.bpte", "--elf", f"{HOSTILE}.elf"]
COMMANDS = [
    ["inspect", f"{HOSTILE}.bpte"],
    ["inspect", f"{HOSTILE}.pte"],
    ["inspect", f"{HOSTILE}.bad"],
    ["inspect", f"{HOSTILE}"],
    ["inspect", f"{HOSTILE}.bpte", "--board", "host", "--engine", "reference"],
    ["inspect", f"{HOSTILE}.bpte", "--board", "corstone-300", "--elf", f"{HOSTILE}.elf"],
    ["inspect", f"{HOSTILE}.bpte", "--board", f"{HOSTILE}/"],
    ["check", f"{HOSTILE}.bpte"],
    ["check", f"{HOSTILE}.bad"],
    ["check", f"{HOSTILE}.pte"],
    ["check", f"{HOSTILE}.missing"],
    ["check", f"--{HOSTILE}"],
    ["extract", f"{HOSTILE}.bpte", "-o", f"{HOSTILE}.out"],
    ["extract", f"{HOSTILE}.bpte", "-o", f"{HOSTILE}/no/such/folder"],
    ["convert", f"{HOSTILE}.bpte", f"{HOSTILE}.out", "--format", "bp08"],
    ["convert", f"{HOSTILE}.bpte", f"{HOSTILE}.out", "--format", "bp08", "--drop"],
    ["pack", f"{HOSTILE}.pte", "--case", f"in={HOSTILE}.npy", "-o", "x", "--method", SEVEN],
    ["pack", f"{HOSTILE}.pte", "--case", f"in={HOSTILE}.npy", "-o", f"{HOSTILE}.out"],
    ["pack", f"{HOSTILE}.pte", "--case", f"{HOSTILE}=1", "-o", "x"],
    ["pack", f"{HOSTILE}.pte", "--suite", f"{HOSTILE}.toml", "-o", "x"],
    ["pack", f"{HOSTILE}.pte", "--suite", f"{HOSTILE}.npy", "-o", "x"],
    ["pack", f"{HOSTILE}.pte", "--suite", f"{HOSTILE}.toml", "--meta", HOSTILE, "-o", "x"],
    RUN,
    [*RUN, "--verbose"],
    [*RUN, "--method", HOSTILE],
    [*RUN, "--case", HOSTILE],
    [*RUN, "--junit", f"{HOSTILE}.xml"],
    [*RUN, "--junit", HOSTILE],
    ["run", f"{HOSTILE}.missing"],
    ["run", "--log", "output"],
    ["run", "--log", f"{HOSTILE}.missing"],
    ["run", f"{HOSTILE}.bpte", "--board", HOSTILE],
    ["run", f"{HOSTILE}.bpte", "--board", f"./{HOSTILE}"],
    ["run", f"{HOSTILE}.bpte", "--engine", HOSTILE],
    ["run", f"{HOSTILE}.bpte", "--simulator", HOSTILE],
    ["run", f"{HOSTILE}.bpte", "--elf", f"{HOSTILE}.npy"],
    [HOSTILE],
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: ascii(" ".join(words))[:60])
def test_every_verb(words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(words)
    printed = capsys.readouterr()
    assert code != 70, printed.err
    assert printed.out + printed.err
    harmless(printed.out)
    harmless(printed.err, lines_are_ours="--verbose" not in words)


def test_names_are_shown_and_not_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["inspect", f"{HOSTILE}.bpte"])
    text = capsys.readouterr().out
    for place in (f"{SHOWN}.bpte: bundled", f"method {SHOWN}", f"{SHOWN}: {SHOWN}", "named data"):
        assert place in text


def test_junit(folder: Path) -> None:
    main([*RUN, "--junit", "x.xml"])
    text = Path("x.xml").read_text()
    harmless(text)
    ElementTree.fromstring(text)
    assert r"\x1b]0;own" in text


def test_pytest(folder: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "python"))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    shutil.copy(folder / f"{HOSTILE}.bpte", pytester.path / "a.bpte")
    shutil.copy(folder / f"{HOSTILE}.bad", pytester.path / "bad.bpte")
    shutil.copy(folder / f"{HOSTILE}.elf", pytester.path / "run.elf")
    for bundle in ("a.bpte", "bad.bpte"):
        arguments = ("-p", "bpte.pytest_plugin", "--bpte-elf=run.elf", "-v", "-rA", bundle)
        result = pytester.runpytest_subprocess(*arguments)
        assert result.ret != 0
        harmless(result.stdout.str().replace("\t", " "))
        harmless(result.stderr.str())


def test_exceptions() -> None:
    for error in (
        bpte.BundleError(bpte.Rule.TRUNCATED, path=HOSTILE, value=HOSTILE, detail=HOSTILE),
        bpte.PackError(HOSTILE, method=HOSTILE),
        ProgramError(HOSTILE, HOSTILE),
        BoardError(HOSTILE),
    ):
        assert str(error).isprintable()
    assert str(BuildError("a\x1b\nb")) == "a\\x1b\nb"


# --- The door itself ------------------------------------------------------------------------------


def test_what_passes() -> None:
    for text in ("", "plain", "grüße, 世界 \N{GRINNING FACE}", "a\\b"):
        assert printable(text) == text
    assert printable("a\x00\x1f\x7f\x80\x9f\xa0\u200b\u202e\ufeff\U000e0001") == (
        r"a\x00\x1f\x7f\x80\x9f\xa0\u200b\u202e\ufeff\U000e0001"
    )
    assert printable(os.fsdecode(b"\xff.npy")) == r"\xff.npy"
    assert printable("\ud800") == r"\ud800"
    assert printable_lines("a\nb\rc\n") == "a\nb\\rc\n"


def test_only_our_own_colours_pass(capsys: pytest.CaptureFixture[str]) -> None:
    with _terminal.doors():
        print("\x1b[1;31mred\x1b[0m \x1b[8mhidden \x1b[30;40mblack \x1b[2J\x1b[31;5m")
    shown = capsys.readouterr().out
    assert shown == "\x1b[1;31mred\x1b[0m \\x1b[8mhidden \\x1b[30;40mblack \\x1b[2J\\x1b[31;5m\n"
