# SPDX-License-Identifier: BSD-3-Clause
"""No traceback reaches a person, and no internal error looks like a verdict."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import transcripts as t
from bpte.cli import check, main
from bpte.run.board import BoardError, load_board
from bpte.run.outcome import Outcome
from heeding import heed_signals

ROOT = Path(__file__).resolve().parents[2]
MLP = ROOT / "tests" / "fixtures" / "program" / "mlp.pte"
SRC = {**os.environ, "PYTHONPATH": str(ROOT / "python")}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.arange(16, dtype=np.float32).reshape(2, 8))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(word) for word in words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def shell(script: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """With $BPTE for the command."""
    environment = {**SRC, "BPTE": f"{sys.executable} -m bpte", **options.pop("environment", {})}
    return subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, check=False, **options
    )


# --- Inputs that are not what they seem -----------------------------------------------------------


def npy_header(shape: tuple[int, ...]) -> bytes:
    header = io.BytesIO()
    content = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, content)  # type: ignore[arg-type]
    return header.getvalue()


def npz(name: str, members: dict[str, bytes], patch: Callable[[bytearray], None] | None = None):  # type: ignore[no-untyped-def]
    with zipfile.ZipFile(name, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    if patch:
        data = bytearray(Path(name).read_bytes())
        patch(data)
        Path(name).write_bytes(data)


def flip(data: bytearray) -> None:
    data[150] ^= 1


def encrypt(data: bytearray) -> None:
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1


SAFETENSORS = json.dumps({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()

ARRAYS: dict[str, Callable[[], object]] = {
    "junk.npz:x": lambda: Path("junk.npz").write_bytes(b"PK\x03\x04" + b"junk" * 50),
    "text.npz:x": lambda: Path("text.npz").write_bytes(b"nonsense"),
    "beyond.npz:x": lambda: npz("beyond.npz", {"x.npy": npy_header((1 << 45,)) + bytes(64)}),
    "far.npz:x": lambda: npz("far.npz", {"x.npy": npy_header((1 << 70,)) + bytes(64)}),
    "beyond.npy": lambda: Path("beyond.npy").write_bytes(npy_header((1 << 45,)) + bytes(64)),
    "flipped.npz:x": lambda: npz("flipped.npz", {"x.npy": Path("x.npy").read_bytes()}, flip),
    "locked.npz:x": lambda: npz("locked.npz", {"x.npy": Path("x.npy").read_bytes()}, encrypt),
    "words.npz:x": lambda: npz("words.npz", {"x": b"hello"}),
    "test.pt": lambda: npz("test.pt", {"archive/data.pkl": b"\x80\x02}q\x00.", "version": b"3"}),
    "m.safetensors": lambda: Path("m.safetensors").write_bytes(
        struct.pack("<Q", len(SAFETENSORS)) + SAFETENSORS + bytes(8)
    ),
    "m.onnx": lambda: Path("m.onnx").write_bytes(b"\x08\x08\x12\x07pytorch" + bytes(50)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_what_is_no_array(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ARRAYS[name]()
    code, out, err = run(capsys, "pack", MLP, "--case", f"in={name}", "-o", "m.bpte")
    assert (code, out) == (2, ""), err
    assert name.partition(":")[0] in err and err.count("\n") == 1
    for nonsense in ("allow_pickle", "pickle", "attribute", "Error"):
        assert nonsense not in err
    assert not Path("m.bpte").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("tolerance = { rtol = " + "9" * 400 + " }", "rtol is out of range"),
        ("tolerance = { max_outlier_share = -" + "9" * 400 + " }", "max_outlier_share is out of"),
        ("tolerance = { nan_policy = [1] }", "nan_policy must be one of"),
        ("tolerance = { nan_policy = {} }", "nan_policy must be one of"),
        ('[[suite.case]]\ninputs = [{file = "x.npy", dim_order = 3}]', "must be a list"),
        ('[[suite.case]]\ninputs = [{file = "x.npy", dim_order = [0.0, 1.0]}]', "dim_order"),
        ('[[suite.case]]\ninputs = [{file = "x.npy", dim_order = [false, true]}]', "dim_order"),
        ("[[suite.case]]\ninputs = [" + "9" * 5000 + "]", "not valid TOML"),
        ("x = " + "[" * 20000 + "]" * 20000, "nested too deeply"),
        ("x = " + "{a=" * 20000 + "1" + "}" * 20000, "nested too deeply"),
        ('[[suite.case]]\ninputs = ["a\\u0000b.npy"]', r"a\x00b.npy"),
        ("[[suite.case]]\nname = 3", "name"),
    ],
)
def test_what_no_suite_file_can_mean(
    content: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("suite.toml").write_text("[[suite]]\n" + content + "\n")
    code, out, err = run(capsys, "pack", MLP, "--suite", "suite.toml", "-o", "m.bpte")
    assert (code, out) == (2, ""), err
    assert message in err and err.count("\n") == 1 and "\0" not in err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('argument = "{1}"', "unknown placeholder '1'; there are {}"),
        ('argument = "{program}"', "unknown placeholder 'program'"),
        ('argument = "{:>999999999}"', "a name in braces and nothing else"),
        ('argument = "{"', "argument"),
        ('preload = ["{program.__class__}"]', "unknown placeholder"),
        ('preload = ["{bundle!r}"]', "a name in braces and nothing else"),
        ('preload = ["{timeout:999999999}"]', "a name in braces and nothing else"),
        ('preload = ["x{arguments...}"]', "unknown placeholder 'arguments...'"),
        ("x = " + "[" * 20000 + "]" * 20000, "nested too deeply"),
    ],
)
def test_what_no_board_can_mean(line: str, message: str, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    text = (ROOT / "boards" / "host" / "board.toml").read_text()
    (folder / "board.toml").write_text(text.replace('name = "host"', 'name = "mine"') + line + "\n")
    with pytest.raises(BoardError, match=r"board\.toml") as caught:
        load_board(folder)
    assert message in str(caught.value) or (message == "argument" and "{" in str(caught.value))


# --- Mistakes of our own --------------------------------------------------------------------------


def test_an_internal_error_says_what_to_report(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> int:
        return int({}["no such thing"])  # type: ignore[index]

    monkeypatch.setattr(check, "run", broken)
    code, out, err = run(capsys, "check", "x.npy", "--json")
    assert code == Outcome.INTERNAL == 70
    first, *rest = err.splitlines()
    assert first == "bpte check: internal error: KeyError: 'no such thing'"
    assert "Traceback" not in err and "Please report" in err and "BPTE_TRACEBACK" in err
    assert any("test_guard.py" in line and "broken" in line for line in rest)
    assert any("Python" in line and "bpte 0." in line for line in rest)
    assert json.loads(out)["ok"] is False
    monkeypatch.setenv("BPTE_TRACEBACK", "1")
    assert "Traceback" in run(capsys, "check", "x.npy")[2]


def test_no_memory_is_no_mistake(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hungry(_: object) -> int:
        raise MemoryError

    monkeypatch.setattr(check, "run", hungry)
    assert run(capsys, "check", "x")[::2] == (4, "bpte check: not enough memory\n")


# --- Standard streams -----------------------------------------------------------------------------


@pytest.fixture
def bundle(folder: Path, demo_bundle: Path) -> Path:
    path = folder / "m.bpte"
    path.write_bytes(demo_bundle.read_bytes())
    return path


@pytest.mark.parametrize("verb", ["inspect", "check", "inspect --json", "check --help", "--help"])
@pytest.mark.parametrize(("to", "reason"), [("/dev/full", "No space left"), ("&-", "Bad file")])
def test_an_answer_that_cannot_be_written_is_no_success(
    verb: str, to: str, reason: str, bundle: Path
) -> None:
    file = "" if "--help" in verb else "m.bpte"
    done = shell(f"$BPTE {verb} {file} >{to}")
    assert done.returncode == 4
    assert f"standard output: {reason}".encode() in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_log_may_be_a_stream_and_is_not_waited_for(folder: Path) -> None:
    Path("log").write_bytes(t.whole("pass", "fail"))
    os.mkfifo("fifo")
    done = shell("$BPTE run --log <(sleep 0.3; cat log)", timeout=60)
    assert done.returncode == 1 and b"1 of 2 cases failed" in done.stdout
    done = shell("$BPTE run --log fifo", timeout=60)
    assert done.returncode == 4 and b"no result record" in done.stdout
    assert shell("$BPTE run --log .").returncode == 2


@pytest.mark.parametrize("to", ["/dev/full", "&-"])
def test_a_message_that_cannot_be_written_changes_nothing(to: str, bundle: Path) -> None:
    for words, code in (("check m.bpte", 0), ("check x.npy", 3), ("check", 2), ("fry", 2)):
        done = shell(f"$BPTE {words} 2>{to}")
        assert done.returncode == code
        assert (b"well-formed" in done.stdout) == (code == 0)
        assert b"bpte check: " not in done.stdout


def test_no_stream_at_all(bundle: Path) -> None:
    assert shell("$BPTE check m.bpte <&- >&- 2>&-").returncode == 4
    assert shell("$BPTE extract m.bpte -o out.pte <&- 2>&- >/dev/null").returncode == 0
    assert Path("out.pte").read_bytes() == (ROOT / "examples" / "demo" / "mlp.pte").read_bytes()


def test_a_full_disk_does_not_pass_for_a_verdict(bundle: Path) -> None:
    stand_in(bundle, t.whole("pass", "fail"), 1)
    done = shell("$BPTE run m.bpte --elf ./stand-in >/dev/full")
    assert done.returncode == 4 and b"standard output: No space left" in done.stderr


def test_a_closed_pipe_does_not_change_the_verdict(bundle: Path) -> None:
    stand_in(bundle, t.whole(*["fail"] * 3000), 1)
    done = shell("$BPTE run m.bpte --elf ./stand-in | true; echo ${PIPESTATUS[0]}")
    assert (done.stdout, done.stderr) == (b"1\n", b"")


def stand_in(bundle: Path, output: bytes, code: int) -> None:
    """A runner that says this about the bundle, which is made to fit."""
    t.stand_in(bundle.parent, t.about(output, t.pack(bundle, output)), f"sys.exit({code})")


@pytest.mark.parametrize("verb", ["inspect", "check", "inspect --json", "check --json"])
def test_standard_output_in_ascii(verb: str, bundle: Path) -> None:
    bundle.rename("grüße-\u202e.bpte")
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for encoding in ({"PYTHONIOENCODING": "ascii"}, ascii_only):
        done = shell(f"$BPTE {verb} gr*", environment=encoding)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.isascii()


@pytest.mark.parametrize("verb", ["inspect", "check", "inspect --json", "check --json"])
def test_names_that_are_not_utf8(verb: str, bundle: Path) -> None:
    os.rename(b"m.bpte", b"\xff\xfe.bpte")  # noqa: PTH104
    done = shell(f"$BPTE {verb} *.bpte")
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\udcff" in done.stdout if "json" in verb else rb"\xff\xfe.bpte" in done.stdout
    missing = shell(f"$BPTE {verb} $'no\\xff.bpte'")
    assert missing.returncode == 2 and rb"no\xff.bpte: No such file" in missing.stderr


# --- Ctrl-C while it starts -----------------------------------------------------------------------

INTERRUPTED = """
import os, signal, sys
seen = []
wanted = sys.argv.pop(1)
class Hook:
    def find_spec(self, name, path=None, target=None):
        seen.append(name)
        if name == wanted:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Hook())
from bpte.__main__ import main  # as the installed command has it
code = main()
if not wanted:
    print(*seen, sep="\\n", file=sys.stderr)
sys.exit(code)
"""


def interrupted(at: str) -> subprocess.CompletedProcess[str]:
    """The command, sent Ctrl-C's signal when it imports a module."""
    return subprocess.run(
        [sys.executable, "-c", INTERRUPTED, at, "inspect", "m.bpte"],
        env=SRC,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=heed_signals,
    )


def test_an_interrupt_during_start_up_is_silent(bundle: Path) -> None:
    names = interrupted("").stderr.split()
    ours = names[names.index("bpte.cli") :]
    assert len(ours) > 20
    for name in {"bpte.cli", "bpte.bundle", *ours[:: max(1, len(ours) // 10)]}:
        done = interrupted(name)
        assert (done.returncode, done.stderr) == (-signal.SIGINT, ""), name
