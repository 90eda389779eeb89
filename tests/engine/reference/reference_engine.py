# SPDX-License-Identifier: BSD-3-Clause
"""Programs on the reference engine, by way of tests/engine/reference/reference_tool.cpp."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

Scalar = bool | int | float
Array = npt.NDArray[np.generic]

# ScalarType's numbers.
DTYPES = {
    0: np.uint8,
    1: np.int8,
    2: np.int16,
    3: np.int32,
    4: np.int64,
    6: np.float32,
    7: np.float64,
    11: np.bool_,
}
CODES = {np.dtype(dtype): code for code, dtype in DTYPES.items()}
ERRORS = (
    "ok",
    "invalid_program",
    "unknown_method",
    "missing_operator",
    "missing_backend",
    "missing_data",
    "invalid_data",
    "unsupported",
    "out_of_memory",
    "invalid_input",
    "execution_failed",
    "no_such_output",
)


@dataclass(frozen=True)
class Ordered:
    """A tensor in another memory order than row-major: `array` is logical."""

    array: Array
    dim_order: tuple[int, ...]


@dataclass(frozen=True)
class Answer:
    error: str
    message: str
    planned_bytes: int
    table_bytes: int
    outputs: list[Array | Scalar | None]


def _encode(value: Array | Scalar | Ordered | None) -> bytes:
    if value is None:
        return bytes(3)
    if isinstance(value, bool):
        return struct.pack("<BBB?", 3, 0, 0, value)
    if isinstance(value, int):
        return struct.pack("<BBBq", 2, 0, 0, value)
    if isinstance(value, float):
        return struct.pack("<BBBd", 4, 0, 0, value)
    if not isinstance(value, Ordered):
        value = Ordered(value, tuple(range(value.ndim)))
    array = value.array
    data = np.ascontiguousarray(array.transpose(value.dim_order)).tobytes()
    return (
        struct.pack("<BBB", 1, CODES[array.dtype], array.ndim)
        + struct.pack(f"<{array.ndim}i", *array.shape)
        + bytes(value.dim_order)
        + struct.pack("<Q", len(data))
        + data
    )


class ReferenceEngine:
    """One process of the tool with one program."""

    def __init__(self, tool: Path, program: Path, *memory: int | str) -> None:
        self._process = subprocess.Popen(
            [tool, program, *map(str, memory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> ReferenceEngine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        code = self._process.wait(60)
        assert kind is not None or code == 0, f"reference_tool exited with {code}"

    def _read(self, size: int) -> bytes:
        assert self._process.stdout is not None
        data = self._process.stdout.read(size)
        assert len(data) == size, f"reference_tool ended early, exit code {self._process.poll()}"
        return data

    def _unpack(self, layout: str) -> tuple[int | float, ...]:
        return struct.unpack(f"<{layout}", self._read(struct.calcsize(f"<{layout}")))

    def _number(self, layout: str) -> int:
        return int(self._unpack(layout)[0])

    def _decode(self) -> Array | Scalar | None:
        kind, code, rank = self._read(3)
        if kind == 0:
            return None
        if kind == 2:
            return self._number("q")
        if kind == 3:
            return bool(self._number("?"))
        if kind == 4:
            return float(self._unpack("d")[0])
        sizes = [int(size) for size in self._unpack(f"{rank}i")]
        order = self._read(rank)
        data = np.frombuffer(self._read(self._number("Q")), DTYPES[code])
        stored = data.reshape([sizes[d] for d in order])
        return stored.transpose(np.argsort(np.frombuffer(order, np.uint8))) if rank else stored

    def run(
        self,
        inputs: Sequence[Array | Scalar | Ordered | None],
        method: str = "forward",
        *,
        keep_state: bool = False,
    ) -> Answer:
        assert self._process.stdin is not None
        name = method.encode()
        self._process.stdin.write(
            struct.pack("<II", int(keep_state), len(name))
            + name
            + struct.pack("<I", len(inputs))
            + b"".join(map(_encode, inputs))
        )
        self._process.stdin.flush()
        error = self._number("I")
        message = self._read(self._number("I")).decode()
        planned, tables = self._number("Q"), self._number("Q")
        outputs = [self._decode() for _ in range(self._number("I"))]
        return Answer(ERRORS[error], message, planned, tables, outputs)
