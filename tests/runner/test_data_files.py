# SPDX-License-Identifier: BSD-3-Clause
"""Programs whose weights lie in data files (`.ptd`), through both engines of the host runner."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_file_writer import data_file

import bpte

ROOT = Path(__file__).resolve().parents[2]
W = np.arange(6, dtype=np.float32).reshape(2, 3)

both_engines = pytest.mark.parametrize("engine", ["executorch", "reference"])
in_place_or_not = pytest.mark.parametrize("more", [(), ("--source",)], ids=["in place", "source"])


@pytest.fixture(scope="session")
def models(made_by: Callable[[Path, Path], Path]) -> Path:
    pytest.importorskip("executorch.exir", reason="exporting models needs executorch")
    return made_by(ROOT / "tests" / "runner" / "data_models.py", ROOT / "build" / "data-models")


def run(runner: Path, *words: str | Path) -> tuple[int, list[dict[str, Any]]]:
    done = subprocess.run([runner, *words], capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("#bpte ")]
    return done.returncode, [json.loads(line.removeprefix("#bpte ")) for line in lines]


def repacked(models: Path, path: Path, **weights: object) -> Path:
    """The external model with these data files, whether they fit or not."""
    case = bpte.MethodTestCase([np.zeros((2, 6), np.float32)])
    files = {f"{name}.ptd": data for name, data in weights.items()}
    suite = bpte.MethodTestSuite("encode", [case])
    program = bpte.BundledProgram(models / "external.pte", [suite], weights=files)
    program.save(path, fit="skip", durable=False)
    return path


@both_engines
@in_place_or_not
def test_passes(engine: str, more: tuple[str, ...], models: Path, bpte_runner: Path) -> None:
    code, records = run(bpte_runner, models / "external.bpte", "--engine", engine, *more)
    assert code == 0, records[-2:]
    verdicts = [record["verdict"] for record in records if record["event"] == "case"]
    assert verdicts == ["pass"] * 4


@both_engines
@in_place_or_not
@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ([], "missing_data", "external tensor 'module.shared', and the bundle has no data file"),
        (["decoder"], "missing_data", "'module.shared', and no data file has it: decoder.ptd"),
        (
            [data_file({"module.shared": W})],
            "invalid_data",
            "'module.shared' is float32[2, 3] in its data file, the program wants float32[3]",
        ),
        ([data_file({"module.shared": b"?"})], "invalid_data", "is no tensor in its data file"),
        (
            ["encoder", data_file({"module.shared": W[0]})],
            "invalid_data",
            "'module.shared' stands in the data files 2 times",
        ),
        ([data_file({"w": W}, version=1)], "invalid_data", "'x0.ptd': version 1, known is 0"),
        (
            [data_file({"w": W}, longer=1)],
            "invalid_data",
            "segment 0 (offset 0, size 25) ends past",
        ),
        ([data_file({"w": W}, segment_index=9)], "invalid_data", "'w' is in segment 9 of 1"),
        ([data_file({"w": W}, dim_order=b"\1\1")], "invalid_data", "no valid sizes and dim_order"),
        ([data_file({"w": W}, header={"used": 8})], "invalid_data", "its FlatBuffer is malformed"),
        ([data_file({"w": W}, header={"size": 2**40})], "invalid_data", "contradicts the file's"),
        (
            [data_file({"w": W}, identifier=b"FT77")],
            "invalid_data",
            "not a data file of ExecuTorch",
        ),
    ],
)
def test_what_does_not_fit_is_named(
    files: list[str | bytes],
    error: str,
    message: str,
    engine: str,
    more: tuple[str, ...],
    models: Path,
    bpte_runner: Path,
    tmp_path: Path,
) -> None:
    weights: dict[str, object] = {}
    for number, file in enumerate(files):
        path = models / "external" / f"{file}.ptd" if isinstance(file, str) else file
        weights[file if isinstance(file, str) else f"x{number}"] = path
    bundle = repacked(models, tmp_path / "m.bpte", **weights)
    code, records = run(bpte_runner, bundle, "--engine", engine, *more)
    (stop,) = (record for record in records if record["event"] == "error")
    assert (code, stop["error"]) == (3, error), stop
    assert message in stop["message"]
    assert records[-1]["outcome"] == 3


@both_engines
def test_any_bytes_of_a_data_file_end_in_a_verdict_or_an_error(
    engine: str, models: Path, bpte_runner: Path, tmp_path: Path
) -> None:
    """Checksums are off: the runner sees the damaged file."""
    choice = random.Random(5)
    content = bytearray((models / "external.bpte").read_bytes())
    with bpte.open(models / "external.bpte") as bundle:
        extent = bundle.segment_extent(bundle.named_data_info["encoder.ptd"].segment)
    for _ in range(40):
        damaged = bytearray(content)
        for _ in range(choice.randint(1, 3)):
            damaged[choice.randrange(extent.offset, extent.end)] = choice.randrange(256)
        path = tmp_path / "damaged.bpte"
        path.write_bytes(damaged)
        code, records = run(bpte_runner, path, "--engine", engine, "--no-verify")
        assert code in (0, 1, 3, 4), (code, records)
        assert records[-1]["event"] == "end"
        assert not any("crashed" in record.get("message", "") for record in records)


@both_engines
def test_a_damaged_data_file_breaks_a_checksum(
    engine: str, models: Path, bpte_runner: Path, tmp_path: Path
) -> None:
    content = bytearray((models / "external.bpte").read_bytes())
    with bpte.open(models / "external.bpte") as bundle:
        content[bundle.segment_extent(bundle.named_data_info["encoder.ptd"].segment).end - 1] ^= 1
    path = tmp_path / "damaged.bpte"
    path.write_bytes(content)
    for more in ((), ("--source",)):
        code, records = run(bpte_runner, path, "--engine", engine, *more)
        errors = [record["error"] for record in records if record["event"] == "error"]
        assert (code, errors) == (3, ["segment_checksum"])
