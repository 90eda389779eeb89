# SPDX-License-Identifier: BSD-3-Clause
"""Boards behind a line with faults, and a bundle whose outputs are worth fetching."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import bpte
from bpte.run import launcher
from bpte.run.records import CaseKey

ROOT = Path(__file__).resolve().parents[2]
FAULTY_LINE = Path(__file__).with_name("faulty_line.py")
RELU = ROOT / "tests" / "fixtures" / "wire" / "relu.pte"
MLP = ROOT / "examples" / "demo" / "mlp.pte"
#: Bytes of an output of RELU.
RELU_BYTES = 4 * 65536

#: The console of an emulated board, in its board.toml, and what it is on another kind of line.
_CONSOLE = "stdio,id=console,mux=on,signal=off"
_LINES = {
    "stdio": _CONSOLE,
    "pty": "serial,id=console,mux=on,path=@LINE@",
    "socket": "socket,id=console,mux=on,path=@LINE@,abstract=on",
}


def behind(board: str, folder: Path, *faults: str, by: str = "stdio") -> Path:
    """A copy of a board whose line goes through faulty_line.py; gives its folder."""
    source = ROOT / "boards" / board
    place = folder / f"{board}-{by}"
    place.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    words = [sys.executable, str(FAULTY_LINE), "--by", by, *faults, "--"]
    text = (source / "board.toml").read_text("utf-8")
    text = text.replace(f'name = "{board}"', f'name = "{place.name}"', 1)
    text = text.replace("command = [", "command = [" + ", ".join(map(json.dumps, words)) + ", ", 1)
    text = text.replace(_CONSOLE, _LINES[by])
    (place / "board.toml").write_text(text, "utf-8")
    return place


def relu_bundle(path: Path, cases: int) -> dict[CaseKey, np.ndarray]:
    """Makes a bundle; gives what its cases' outputs must be, bit for bit."""
    random = np.random.default_rng(1)
    inputs = [random.standard_normal(65536).astype(np.float32) for _ in range(cases)]
    wanted = [np.maximum(x, 0) for x in inputs]
    suite = bpte.MethodTestSuite(
        "forward", [bpte.MethodTestCase([x], [y]) for x, y in zip(inputs, wanted, strict=True)]
    )
    bpte.BundledProgram(RELU, [suite]).save(path, fit="relayout", durable=False)
    return {CaseKey(0, index): y for index, y in enumerate(wanted)}


def whole(result: launcher.Run, wanted: dict[CaseKey, np.ndarray]) -> bool:
    """Whether all outputs arrived, and each is right to the bit."""
    return result.kept.keys() == wanted.keys() and all(
        np.array_equal(result.kept[where][0].array(), value) for where, value in wanted.items()
    )
