# SPDX-License-Identifier: BSD-3-Clause
"""What SECURITY.md says of a stranger's board, suite and arrays, tried."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bpte.run import board, build, launcher

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "import bpte.cli, sys; sys.exit(bpte.cli.main())"]


def bpte(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False, cwd=cwd)


def strangers_board(folder: Path, command: list[str], program: Path) -> Path:
    """A board whose simulator is `command`, and whose program is already there."""
    folder.mkdir(parents=True)
    (folder / "board.toml").write_text(
        f"""
name = "{folder.name}"
description = ""
kind = "host"
cpu = ""
engines = ["reference"]
timeout = 30
[build]
target = "t"
artifact = "a"
environment = "STRANGERS_PROGRAM"
[simulators.theirs]
command = {json.dumps(command)}
"""
    )
    program.touch()
    return folder


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], Path]:
    """A command that leaves its words in a file, and that file."""
    program = tmp_path / "program"
    monkeypatch.setenv("STRANGERS_PROGRAM", str(program))
    ran = tmp_path / "ran.json"
    code = "import json, sys; json.dump(sys.argv[2:], open(sys.argv[1], 'w'))"
    return [sys.executable, "-c", code, str(ran)], ran


def test_reading_a_board_runs_nothing_and_running_it_does(
    tmp_path: Path, recorder: tuple[list[str], Path], demo_bundle: Path
) -> None:
    command, ran = recorder
    folder = strangers_board(tmp_path / "theirs", [*command, "{bundle}"], tmp_path / "program")
    board.load_board(folder)
    assert not ran.exists()
    launcher.run(launcher.Request(demo_bundle, board=f"{folder}"))
    assert ran.exists()


def test_no_shell_and_no_name_of_the_bundle(
    tmp_path: Path, recorder: tuple[list[str], Path], demo_bundle: Path
) -> None:
    command, ran = recorder
    words = ["$(touch {load_address}x)", "; touch y", "`touch z`", "*", "{bundle}", "{program}"]
    folder = strangers_board(tmp_path / "theirs", [*command, *words], tmp_path / "program")
    bundle = tmp_path / "a,addr=0;touch w $(touch v).bpte"
    shutil.copy(demo_bundle, bundle)
    launcher.run(launcher.Request(bundle, board=f"{folder}"))
    seen = json.loads(ran.read_text())
    assert seen[1:4] == words[1:4]
    assert seen[0].startswith("$(touch ")
    assert Path(seen[4]).name == "bundle.bpte" and Path(seen[5]).name == "program"
    assert "addr=0" not in " ".join(seen)
    assert not [
        path for path in (*tmp_path.iterdir(), *Path.cwd().iterdir()) if path.name in "vwxyz"
    ]


def test_a_name_is_never_looked_up_in_the_current_folder(
    tmp_path: Path, recorder: tuple[list[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    command, _ = recorder
    strangers_board(tmp_path / "here" / "corstone-300", command, tmp_path / "program")
    strangers_board(tmp_path / "here" / "theirs", command, tmp_path / "program")
    monkeypatch.chdir(tmp_path / "here")
    assert board.find_board("corstone-300").folder == ROOT / "boards" / "corstone-300"
    with pytest.raises(board.BoardError, match="no board 'theirs'"):
        board.find_board("theirs")


def test_pickled_arrays_run_no_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'pwned'}",)

    np.save(tmp_path / "x.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    (tmp_path / "suite.toml").write_text('[[suite]]\n[[suite.case]]\ninputs = ["x.npy"]\n')
    demo = ROOT / "examples" / "demo" / "mlp.pte"
    for words in (("--suite", "suite.toml"), ("--case", "in=x.npy")):
        done = bpte("pack", demo, *words, "-o", "out.bpte", cwd=tmp_path)
        assert done.returncode not in (0, 1), done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "out.bpte").exists() and not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "name", ['x"); evil(', "aten::add.out;evil", "@CMAKE_COMMAND@", ".*", "$ENV{HOME}"]
)
def test_names_of_operators_become_no_code(name: str, tmp_path: Path) -> None:
    """The reference engine's list, as CMake selects it."""
    cmake = shutil.which("cmake", path=str(Path(sys.executable).parent)) or shutil.which("cmake")
    if cmake is None:
        pytest.skip("cmake is not installed")
    done = subprocess.run(
        [
            *(cmake, "-S", ROOT, "-B", tmp_path, f"-DBPTE_REFERENCE_OPERATORS={name}"),
            *("-DBPTE_ENGINE_EXECUTORCH=OFF", "-DBPTE_BUILD_TESTS=OFF", "-DBPTE_INSTALL=OFF"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "the reference engine has no operator" in " ".join(done.stderr.split())


def test_operators_py_takes_code_from_no_program(tmp_path: Path) -> None:
    """A name that the install's headers do not list is refused, and shown so that it cannot act."""
    program = tmp_path / "evil.pte"
    data = (ROOT / "examples" / "demo" / "mlp.pte").read_bytes()
    evil = b'\x1b[2J");xy('
    assert len(evil) == len(b"aten::relu") and b"aten::relu" in data
    program.write_bytes(data.replace(b"aten::relu", evil))
    script = ROOT / build.FIRMWARE / "cmake" / "operators.py"
    output = tmp_path / "registration.cpp"
    done = subprocess.run(
        [sys.executable, script, "--include", tmp_path, "-o", output, program],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1 and not output.exists()
    assert b"no operator" in done.stderr and b"\x1b" not in done.stderr
