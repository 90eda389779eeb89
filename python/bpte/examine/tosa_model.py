# SPDX-License-Identifier: BSD-3-Clause
"""Arm's TOSA reference model (tosa-tools): what a TOSA graph gives for inputs."""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bpte.files import access
from bpte.pack.tensors import PackError
from bpte.run.process import Limit, execute
from bpte.text import printable

_PACKAGE = "tosa-tools"
#: Of one call, in seconds.
_TIMEOUT = 600.0


class TosaError(Exception):
    """The reference model gives no values for a graph."""


@dataclass(frozen=True)
class Port:
    """An input or output of a graph: ``dtype`` is TOSA's name of it."""

    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.dtype}{list(self.shape)}"


def _port(array: Any) -> Port:
    return Port(array.shape, array.dtype.name.upper())


class TosaGraph:
    """A TOSA graph, kept in a file. ``name`` is for messages."""

    def __init__(self, name: str, path: Path, model: TosaModel) -> None:
        """Raises ``PackError`` for what is not a TOSA graph, ``TosaError``."""
        self.name = printable(name)
        self._path = path
        self._model = model
        answer = model.call(path)
        if "error" in answer:
            raise PackError(f"{self.name} is not a TOSA graph: {answer['error']}")
        self.inputs, self.outputs = (
            [Port(tuple(each["shape"]), each["dtype"]) for each in answer[side]]
            for side in ("inputs", "outputs")
        )

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """The outputs, as numpy arrays, for inputs that are as the graph says. Raises
        ``TosaError``."""
        import numpy as np

        given, found = (self._model.file(f"{side}.npz") for side in ("in", "out"))
        np.savez(given, **{f"in{k}": array for k, array in enumerate(inputs)})
        answer = self._model.call(self._path, given, found)
        status = answer.get("error", answer.get("status"))
        if status == "TOSA_UNPREDICTABLE":
            raise TosaError(f"TOSA leaves open what {self.name} gives for these inputs")
        if status != "TOSA_VALID":
            raise TosaError(f"the TOSA reference model says {status} of {self.name}")
        with np.load(found, allow_pickle=False) as arrays:
            outputs = [arrays[f"out{k}"] for k in range(len(arrays.files))]
        if [_port(array) for array in outputs] != self.outputs:
            raise TosaError(f"{self.name} gives other outputs than it states")
        return outputs


class TosaModel:
    """Calls of the reference model, each in a process of its own, with files in ``folder``."""

    def __init__(self, folder: Path, timeout: float | None = None) -> None:
        """``timeout``: of a call, in seconds. Raises ``PackError`` where it is not installed."""
        if find_spec("tosa_reference_model") is None:
            raise PackError(
                f"the TOSA reference model ({_PACKAGE}) is not installed: pip install 'bpte[tosa]'"
            )
        self.version = metadata.version(_PACKAGE)
        self._folder = folder
        self._timeout = _TIMEOUT if timeout is None else timeout
        self._files = itertools.count()

    def file(self, name: str) -> Path:
        """A new file in the folder: what a command has read, it does not replace."""
        return self._folder / f"tosa{next(self._files)}.{name}"

    def graph(self, name: str, data: bytes) -> TosaGraph:
        """Raises ``PackError`` for what is not a TOSA graph, ``TosaError``."""
        path = self.file("tosa")
        path.write_bytes(data)
        return TosaGraph(name, path, self)

    def call(self, graph: Path, *files: Path) -> dict[str, Any]:
        """The worker's answer. Raises ``TosaError``."""
        answer = self.file("json")
        words = [sys.executable, "-m", "bpte.examine.tosa_worker", str(graph), str(answer)]
        said = bytearray()

        def on_output(data: bytes, is_stdout: bool) -> None:
            said.extend(b"" if is_stdout else data[: 4096 - len(said)])

        limit = Limit(time.monotonic() + self._timeout)
        status = execute([*words, *map(str, files)], self._folder, limit, on_output)
        if status is None:
            raise TosaError(f"the TOSA reference model did not end in {self._timeout:g} s")
        if status != 0:
            how = f"signal {-status}" if status < 0 else f"exit status {status}"
            last = said.decode(errors="replace").strip().splitlines()[-1:]
            raise TosaError(": ".join([f"the TOSA reference model ended with {how}", *last]))
        found: dict[str, Any] = json.loads(access.read_input(answer))
        return found
