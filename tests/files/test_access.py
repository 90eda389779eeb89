# SPDX-License-Identifier: BSD-3-Clause
"""What a command reads and writes: outputs are never inputs, inputs do not change unseen, and what
is not a regular file is refused, or streamed where that makes sense."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bpte
from bpte.cli import main
from bpte.files import access, transfer
from bpte.files.atomic import AtomicFile, ReportFile
from bpte.pack.array_file import load_array

ROOT = Path(__file__).resolve().parents[2]
MLP = ROOT / "tests" / "fixtures" / "program" / "mlp.pte"
BPTE = (sys.executable, "-c", "import sys; from bpte.cli import main; sys.exit(main())")
PACK = (
    "pack",
    "model.pte",
    "--suite",
    "suite.toml",
    "--data",
    "k=extra",
    "--case",
    "in=both.npz:x",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: an input of every kind."""
    monkeypatch.chdir(tmp_path)
    Path("model.pte").write_bytes(MLP.read_bytes())
    np.save("x.npy", np.arange(16, dtype=np.float32).reshape(2, 8))
    np.save("y.npy", np.asfortranarray(np.ones((2, 4), np.float32)))
    np.savez("both.npz", x=np.ones((2, 8), np.float32))
    Path("extra").write_bytes(b"extra")
    Path("suite.toml").write_text(
        '[[suite]]\n[[suite.case]]\ninputs = ["x.npy"]\noutputs = ["y.npy"]\n'
    )
    assert main([*PACK, "-o", "m.bpte"]) == 0
    Path("uart.txt").write_text("nothing\n")
    board = Path("board")
    board.mkdir()
    (board / "board.toml").write_bytes((ROOT / "boards/host/board.toml").read_bytes())
    (board / "toolchain.cmake").write_text("")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


RUN = ("run", "m.bpte")
WRITERS = [
    *((("-o", name), PACK) for name in ("model.pte", "suite.toml", "x.npy", "y.npy", "both.npz")),
    (("-o", "extra"), PACK),
    (("-o", "m.bpte"), ("extract", "m.bpte")),
    (("m.bpte",), ("convert", "m.bpte")),
    (("--junit", "m.bpte"), RUN),
    (("--junit", "extra"), (*RUN, "--elf", "extra")),
    (("--junit", "model.pte"), (*RUN, "--operators-from", "model.pte")),
    (("--junit", "uart.txt"), ("run", "--log", "uart.txt")),
    (("--junit", "board/board.toml"), (*RUN, "--board", "./board")),
    (("--junit", "board/toolchain.cmake"), (*RUN, "--board", "./board")),
]


@pytest.mark.parametrize("link", ["same", "hard", "symbolic", "folder"])
@pytest.mark.parametrize(
    ("output", "words"), WRITERS, ids=[f"{words[0]} {out[-1]}" for out, words in WRITERS]
)
def test_no_output_is_an_input(
    output: tuple[str, ...],
    words: tuple[str, ...],
    link: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    *option, name = output
    target = Path(name)
    if link == "hard":
        target = Path("link")
        target.hardlink_to(name)
    elif link == "symbolic":
        target = Path("link")
        target.symlink_to(name)
    elif link == "folder":
        Path("here").symlink_to(".")
        target = Path("here") / name
    before = contents(folder)
    code = main([*words, *option, str(target)])
    assert code == 2
    assert "the output is the same file as" in capsys.readouterr().err
    assert contents(folder) == before


@pytest.mark.parametrize("verb", ["inspect", "check"])
@pytest.mark.parametrize("descriptor", ["stdout", "stderr"])
def test_what_the_shell_opened_is_an_output_too(verb: str, descriptor: str, folder: Path) -> None:
    before = Path("m.bpte").read_bytes()
    with Path("m.bpte").open("ab") as file:
        done = subprocess.run(
            [*BPTE, verb, "m.bpte"],
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, descriptor: file},  # type: ignore[call-overload]
            env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
            check=False,
        )
    assert done.returncode == 2
    if descriptor == "stdout":
        assert b"standard output: the output is the same file as m.bpte" in done.stderr
        assert Path("m.bpte").read_bytes() == before


def test_where_outputs_go(folder: Path) -> None:
    Path("dangling").symlink_to("made.bpte")
    assert main([*PACK, "-o", "dangling"]) == 0
    assert Path("dangling").is_symlink() and Path("made.bpte").is_file()
    Path("twin").hardlink_to("made.bpte")
    old = Path("twin").read_bytes()
    assert main(["pack", "model.pte", "--case", "in=x.npy", "-o", "made.bpte"]) == 0
    assert Path("twin").read_bytes() == old != Path("made.bpte").read_bytes()

    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    for path, message in {
        "pipe": "a pipe, not a regular file",
        "board": "Is a directory",
        "new/": "Is a directory",
        "nowhere/m.bpte": "there is no such folder",
        "loop": "symbolic links",
        "extra/m.bpte": "Not a directory",
        "/dev/null": "a device",
    }.items():
        with pytest.raises(OSError, match=message):
            AtomicFile(path)
    with Path("gone").open("wb") as file:
        Path("gone").unlink()
        with pytest.raises(OSError, match="no name under which it can be replaced"):
            AtomicFile(f"/dev/fd/{file.fileno()}")


def test_a_report_may_go_into_a_pipe(folder: Path) -> None:
    os.mkfifo("pipe")
    with pytest.raises(OSError, match="a pipe that nobody reads") as caught:
        ReportFile("pipe").write(b"report")
    assert caught.value.filename == "pipe"
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(Path("pipe").read_bytes()))
    reader.start()
    report = b"report" * 100_000
    while True:  # until the reader is there
        try:
            ReportFile("pipe").write(report)
            break
        except OSError:
            pass
    reader.join()
    assert got == [report]
    with pytest.raises(OSError, match="No space left") as caught:
        ReportFile("/dev/full").write(b"report")
    assert caught.value.filename == "/dev/full"


@pytest.mark.parametrize(
    "words",
    [
        *(("inspect", "pipe"), ("check", "pipe"), ("extract", "pipe", "-o", "out")),
        *(("convert", "pipe", "out"), ("pack", "pipe", "--case", "in=x.npy", "-o", "out")),
        ("pack", "model.pte", "--case", "in=pipe", "-o", "out"),
        ("pack", "model.pte", "--case", "in=pipe.npz:x", "-o", "out"),
        ("pack", "model.pte", "--case", "in=x.npy", "--data", "k=pipe", "-o", "out"),
        ("pack", "model.pte", "--suite", "pipe", "-o", "out"),
    ],
    ids=" ".join,
)
def test_a_pipe_as_an_input_does_not_wait(
    words: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo("pipe")
    os.mkfifo("pipe.npz")
    assert main(list(words)) == 2
    assert "a pipe" in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_suite_file_may_be_a_pipe(folder: Path) -> None:
    """As of bash's <(...). Arrays lie relative to it, so these have a whole path."""
    reading, writing = os.pipe()
    os.write(writing, Path("suite.toml").read_bytes().replace(b'["', f'["{folder}/'.encode()))
    os.close(writing)
    try:
        suite = f"/dev/fd/{reading}"
        assert main(["pack", "model.pte", "--suite", suite, "-o", "out"]) == 0
    finally:
        os.close(reading)
    with bpte.open("out", verify=True) as bundle:
        assert np.array_equal(bundle.suites[0].test_cases[0].inputs[0], np.load("x.npy"))


def test_a_full_temporary_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array that is laid out anew is copied first. That fails for reasons of its own."""
    np.save(tmp_path / "x.npy", np.ones((3, 4)))
    case = bpte.MethodTestCase([load_array(tmp_path, "x.npy", None, (1, 0))])
    bundled = bpte.BundledProgram(b"program", [bpte.MethodTestSuite("f", [case])])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bpte.files.transfer.write_all", full)
    with pytest.raises(OSError, match=r"a copy of .*x\.npy") as caught:
        bundled.save(tmp_path / "m.bpte")
    assert caught.value.filename == tempfile.gettempdir()


# ---- Inputs that change


def changing(path: Path, change: Callable[[], None]) -> Callable[[int], Callable[[int], None]]:
    """Progress that changes a file at the first step."""

    def progress(total: int) -> Callable[[int], None]:
        done = False

        def step(count: int) -> None:
            nonlocal done
            if not done:
                done = True
                change()

        return step

    return progress


@pytest.mark.parametrize("order", [None, (1, 0)], ids=["as it lies", "relaid"])
@pytest.mark.parametrize("how", ["rewritten", "cut short", "replaced", "removed"])
def test_an_array_that_changes_is_named(
    how: str, order: tuple[int, ...] | None, tmp_path: Path
) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.arange(3 << 20, dtype=np.float32).reshape(3, -1))

    def change() -> None:
        if how == "rewritten":
            with path.open("r+b") as file:
                file.seek(8 << 20)
                file.write(b"changed")
        elif how == "cut short":
            os.truncate(path, 5 << 20)
        elif how == "replaced":
            np.save(tmp_path / "new.npy", np.zeros((3, 1 << 20), np.float32))
            (tmp_path / "new.npy").replace(path)
        else:
            path.unlink()

    case = bpte.MethodTestCase([load_array(tmp_path, "x.npy", None, order)])
    bundled = bpte.BundledProgram(b"program", [bpte.MethodTestSuite("f", [case])])
    with pytest.raises(OSError) as caught:
        bundled.save(tmp_path / "m.bpte", progress=changing(path, change))
    assert caught.value.filename == str(path)
    assert not [file for file in tmp_path.iterdir() if "bpte" in file.name]


def test_a_suite_file_that_changes_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_blocks = transfer.write_blocks

    def changed(*arguments: object) -> object:
        Path("suite.toml").write_text("# changed")
        return write_blocks(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(transfer, "write_blocks", changed)
    before = Path("m.bpte").read_bytes()
    assert main([*PACK, "-o", "m.bpte"]) == 4
    assert "suite.toml: changed while it was copied" in capsys.readouterr().err
    assert Path("m.bpte").read_bytes() == before


def test_a_converted_bundle_that_changes_is_named(folder: Path) -> None:
    from bpte.pack.convert import convert

    def change() -> None:
        with Path("m.bpte").open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"!")

    with pytest.raises(access.SourceError) as caught:
        convert("m.bpte", "new.bpte", progress=changing(Path("m.bpte"), change))
    assert caught.value.filename == "m.bpte"
    assert not Path("new.bpte").exists()


def test_a_checksum_is_that_of_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An array in memory, or one that its caller has mapped, may change at any moment."""
    array = np.zeros(3 << 20, np.uint8)
    write_all = transfer.write_all

    def then_change(fd: int, data: object, offset: int) -> None:
        write_all(fd, data, offset)  # type: ignore[arg-type]
        array[:] += 1

    monkeypatch.setattr(transfer, "write_all", then_change)
    suite = bpte.MethodTestSuite("f", [bpte.MethodTestCase([array])])
    bpte.BundledProgram(array[:1000], [suite]).save(tmp_path / "m.bpte", fit="skip")
    bpte.open(tmp_path / "m.bpte", verify=True).close()


MAPPED = """
import os, sys
import numpy as np
import bpte

path, target = sys.argv[1:]
np.save(path, np.ones(4 << 20, np.uint8))
array = np.load(path, mmap_mode="r")
os.truncate(path, 1 << 20)
suite = bpte.MethodTestSuite("f", [bpte.MethodTestCase([array])])
try:
    bpte.BundledProgram(b"p", [suite]).save(target)
except OSError as error:
    print(error.strerror)
"""


def test_a_mapped_array_cut_short_does_not_end_the_process(tmp_path: Path) -> None:
    words = [sys.executable, "-c", MAPPED, tmp_path / "x.npy", tmp_path / "m.bpte"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "the memory of a value is gone" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]


def test_an_array_rewritten_all_the_time(tmp_path: Path) -> None:
    """Whatever happens, there is an error that names the array, or a file with right checksums."""
    path = tmp_path / "x.npy"
    np.save(path, np.zeros(1 << 20, np.uint8))
    script = (
        "import sys\nwith open(sys.argv[1], 'r+b') as file:\n"
        "    for count in range(10**9):\n"
        "        file.seek(-(1 << 20), 2)\n        file.write(bytes([count % 256]) * (1 << 20))\n"
        "        file.flush()\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", script, path])
    try:
        outcomes = set()
        for attempt in range(500):  # a loaded machine may not let the writer run for a while
            if attempt >= 20 and "refused" in outcomes:
                break
            with access.command():
                case = bpte.MethodTestCase([load_array(tmp_path, "x.npy"), path.stat().st_size])
                bundled = bpte.BundledProgram(b"p", [bpte.MethodTestSuite("f", [case] * 2)])
                try:
                    bundled.save(tmp_path / "m.bpte", durable=False)
                except access.SourceError as error:
                    assert error.filename == str(path)
                    outcomes.add("refused")
                    continue
            bpte.open(tmp_path / "m.bpte", verify=True).close()
            outcomes.add("written")
    finally:
        writer.kill()
        writer.wait()
    assert "refused" in outcomes


# ---- Arrays in files


@pytest.mark.parametrize("order", [None, [0, 1, 2], [2, 0, 1]])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<i8", "|b1", ">u2"])
@pytest.mark.parametrize("fortran", [False, True])
def test_an_array_file_is_stored_as_the_array_would_be(
    fortran: bool, dtype: str, order: list[int] | None, tmp_path: Path
) -> None:
    array = np.arange(3 * 4 * 5).reshape(3, 4, 5).astype(dtype, order="F" if fortran else "C")
    np.save(tmp_path / "x.npy", array)
    from bpte.pack.tensors import from_numpy

    mine, theirs = load_array(tmp_path, "x.npy", None, order), from_numpy(array, order)
    assert (mine.scalar_type, mine.sizes) == (theirs.scalar_type, theirs.sizes)
    assert mine.dim_order == theirs.dim_order
    assert b"".join(map(bytes, mine.blocks())) == b"".join(map(bytes, theirs.blocks()))
    assert np.array_equal(mine.array(), array)


def test_array_files_that_are_wrong(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((4, 5)))
    np.save(tmp_path / "objects.npy", np.array([{}], object))
    np.save(tmp_path / "texts.npy", np.array(["a"]))
    np.savez(tmp_path / "both.npz", x=np.zeros(3))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-1])
    (tmp_path / "header.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:50])
    (tmp_path / "junk.npz").write_bytes(b"PK\3\4junk")
    (tmp_path / "one.npz").write_bytes((tmp_path / "x.npy").read_bytes())
    (tmp_path / "test.pt").write_bytes((tmp_path / "both.npz").read_bytes())
    (tmp_path / "x.safetensors").write_bytes(b"\x40\0\0\0\0\0\0\0{}")
    for name, message in {
        "cut.npy": "is cut short: 160 bytes",
        "header.npy": "is not a .npy or .npz file",
        "objects.npy": "dtype object cannot be bundled",
        "texts.npy": "cannot be bundled",
        "both.npz": "say which member",
        "both.npz:y": "has no member 'y', it has x",
        "junk.npz:x": "is not a .npz file",
        "one.npz:x": "without members",
        "test.pt": "an archive",
        "x.safetensors": "is not a .npy",
        "a\0b": "cannot hold a NUL",
    }.items():
        with pytest.raises(bpte.PackError, match=message):
            load_array(tmp_path, name)


@pytest.mark.parametrize("dtype", [None, "int64"])
@pytest.mark.parametrize(
    "header",
    [
        *("{'descr': '|O', 'fortran_order': False, 'shape': (3,)}", "(" * 3000),
        "{'descr': ('<i8', (3,)), 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (-3, -4)}",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (0, 3000000000)}",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (007,)}",
    ],
    ids=range(6),
)
def test_headers_of_array_files_that_are_wrong(
    header: str, dtype: str | None, tmp_path: Path
) -> None:
    start = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header.encode()
    (tmp_path / "x.npy").write_bytes(start + bytes(1000))
    with pytest.raises(bpte.PackError):
        case = bpte.MethodTestCase([load_array(tmp_path, "x.npy", dtype)])
        bpte.BundledProgram(b"p", [bpte.MethodTestSuite("f", [case])]).to_bytes()
