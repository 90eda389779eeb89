# SPDX-License-Identifier: BSD-3-Clause
"""Reading data files (`.ptd`): ExecuTorch's own, and those that are broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_file_writer import data_file as written
from hypothesis import given
from hypothesis import strategies as st

from bpte.cli import main
from bpte.program import ProgramError, data_file

ROOT = Path(__file__).resolve().parents[2]
W = np.arange(6, dtype=np.float32).reshape(2, 3)
GOOD = written({"w": W, "nothing": np.zeros((0, 4)), "one": np.float32(7) * np.ones(()), "b": b"?"})


def test_ours_is_read() -> None:
    info = data_file.read(GOOD, len(GOOD))
    assert [entry.key for entry in info.entries] == ["w", "nothing", "one", "b"]
    w, nothing, one, blob = info.entries
    assert w.layout is not None and (w.layout.sizes, w.layout.dim_order) == ((2, 3), (0, 1))
    assert w.layout.scalar_type_name == "FLOAT"
    assert GOOD[w.offset : w.offset + w.size] == W.tobytes()
    assert nothing.size == 0 and one.layout is not None and one.layout.sizes == ()
    assert blob.layout is None and GOOD[blob.offset : blob.offset + blob.size] == b"?"


def test_executorchs_are_read(made_by: Callable[[Path, Path], Path]) -> None:
    pytest.importorskip("executorch.exir", reason="exporting models needs executorch")
    from executorch.extension.flat_tensor.serialize.serialize import FlatTensorSerializer

    folder = made_by(ROOT / "tests" / "runner" / "data_models.py", ROOT / "build" / "data-models")
    for path in sorted((folder / "external").glob("*.ptd")):
        content = path.read_bytes()
        info = data_file.read(content[: data_file.front_size(content, len(content))], len(content))
        theirs = FlatTensorSerializer().deserialize(content)  # type: ignore[arg-type]
        assert {entry.key for entry in info.entries} == set(theirs.named_data)
        for entry in info.entries:
            other = theirs.named_data[entry.key]
            assert entry.layout is not None and other.tensor_layout is not None
            assert list(entry.layout.sizes) == list(other.tensor_layout.sizes)
            assert list(entry.layout.dim_order) == list(other.tensor_layout.dim_order)
            assert entry.layout.scalar_type == int(other.tensor_layout.scalar_type)
            data = bytes(theirs.buffers[other.buffer_index])
            assert content[entry.offset : entry.offset + entry.size] == data


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "identifier: bytes 4-7 are b'', not b'FT01'"),
        (written({"w": W}, identifier=b"FT02"), "identifier: bytes 4-7 are b'FT02'"),
        (GOOD[:40], "header: bytes 8-11 are not b'FH01'"),
        (GOOD[:8] + b"FH02" + GOOD[12:], "header: bytes 8-11 are not b'FH01'"),
        (written({"w": W}, header={"length": 32}), "header: its length is 32, less than 40"),
        (written({"w": W}, header={"start": 40}), "header: a FlatBuffer of .* from byte 40 on"),
        (written({"w": W}, header={"used": 2**40}), "header: a FlatBuffer of 1099511627776 bytes"),
        (written({"w": W}, header={"base": 2**40}), "header: .* segments from byte 1099511627776"),
        (written({"w": W}, version=1), "version: is 1, known is 0"),
        (GOOD[:-1], "header: .* do not fit a file of"),
        (written({"w": W}, longer=1), r"segments\[0\]: 25 bytes from 0 on leave the 24 bytes"),
        (written({"w": W}, segment_index=1), r"named_data\[0\]: segment 1 of 1"),
        (written({"": W}), r"named_data\[0\]: has no key"),
        (
            written({"w": W}, dim_order=b"\1\1"),
            r"named_data\[0\]: its sizes \[2, 3\] and dim_order",
        ),
        (written({"w": W}, dim_order=b"\0"), r"named_data\[0\]: its sizes"),
        (written({"w": W}, header={"used": 8}), "FlatBuffer: .*, at byte"),
    ],
)
def test_a_broken_file_is_refused_by_place(
    content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ProgramError, match=message):
        data_file.read(content[: data_file.front_size(content, len(content))], len(content))
    if content[4:6] != b"FT":
        return
    path = tmp_path / "w.ptd"
    path.write_bytes(content)
    assert main(["inspect", str(path)]) != 0
    assert message.split(":")[0].replace("\\", "") in capsys.readouterr().err


@given(st.data())
def test_any_bytes_are_read_or_refused(data: st.DataObject) -> None:
    content: Any = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        info = data_file.read(bytes(content), len(content))
    except ProgramError:
        return
    for entry in info.entries:
        assert 0 <= entry.offset <= entry.offset + entry.size <= len(content)


def test_inspect_shows_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "w.ptd"
    path.write_bytes(GOOD)
    assert main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "data file of ExecuTorch, FT01" in shown and "4 keys" in shown
    rows = [line.split()[:2] for line in shown.splitlines()[4:]]
    assert rows == [
        ["w", "float32[2,"],
        ["nothing", "float32[0,"],
        ["one", "float32[]"],
        ["b", "no"],
    ]
    assert main(["inspect", str(path), "--json"]) == 0
    assert '"tensor": "float32[2, 3]"' in capsys.readouterr().out
