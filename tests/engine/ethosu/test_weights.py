# SPDX-License-Identifier: BSD-3-Clause
"""The decoder of compressed weights against Vela's own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

mlw_codec = pytest.importorskip(
    "ethosu.mlw_codec", reason="needs ethos-u-vela (pip install --no-deps ethos-u-vela==5.1.0)"
)

RANDOM = np.random.default_rng(5)


def sparse(density: float, spread: int, count: int = 3000) -> list[int]:
    values = RANDOM.integers(-spread, spread, count, endpoint=True)
    return [int(v) for v in np.where(RANDOM.random(count) < density, values, 0)]


WEIGHTS = {
    "one": [7],
    "zeros": [0] * 5000,
    "dense": sparse(1, 127),
    "nine bits": sparse(1, 255),
    "sparse": sparse(0.1, 127),
    "very sparse": sparse(0.003, 255),
    "palette": [int(v) for v in RANDOM.choice([-77, -3, 5, 120], 4000)],
    "two values": [int(v) for v in RANDOM.choice([-1, 1], 4000)],
    "laplace": [int(v) for v in np.clip(RANDOM.laplace(0, 6, 5000), -255, 255)],
    "long": sparse(0.5, 30, 90000),
    "mixed": sparse(1, 3) + sparse(0.05, 200) + [9] * 800 + sparse(1, 255, 200),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_equal_to_vela(cpp_tool: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    weights = WEIGHTS[name]
    stream = bytes(mlw_codec.encode(weights))
    assert list(mlw_codec.decode(bytearray(stream)))[: len(weights)] == weights
    (tmp_path / "stream").write_bytes(stream)
    command = [cpp_tool("ethosu_tool"), "weights", tmp_path / "stream", str(len(weights))]
    subprocess.run([*command, tmp_path / "out"], check=True)
    assert np.frombuffer((tmp_path / "out").read_bytes(), np.int16).tolist() == weights
