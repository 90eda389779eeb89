# SPDX-License-Identifier: BSD-3-Clause
"""``check`` sees every byte of the padding, and reads no holes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import bpte
from bpte.files import transfer

GIB = 1 << 30


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes that are asked for of os.pread, and of which it gives at most 100,000 bytes."""
    sizes: list[int] = []
    pread: Callable[[int, int, int], bytes] = os.pread

    def short(fd: int, size: int, offset: int) -> bytes:
        sizes.append(size)
        return pread(fd, min(size, 100_000), offset)

    monkeypatch.setattr(os, "pread", short)
    return sizes


@pytest.mark.parametrize("at", [0, 5, 99_999, 100_000, 262_144, GIB - 1, 2 * GIB - 1])
def test_a_hidden_byte_is_found_wherever_it_is(at: int, tmp_path: Path, reads: list[int]) -> None:
    path = tmp_path / "sparse"
    with path.open("w+b") as file:
        file.truncate(2 * GIB)
        assert transfer.first_nonzero(file.fileno(), 0, 2 * GIB) is None
        os.pwrite(file.fileno(), b"\1", at)
        assert transfer.first_nonzero(file.fileno(), 0, 2 * GIB) == at
        assert transfer.first_nonzero(file.fileno(), at, at + 1) == at
        assert transfer.first_nonzero(file.fileno(), at + 1, 2 * GIB) is None
        assert max(reads) <= MIB and sum(reads) < 4 * MIB
        with pytest.raises(transfer.SourceError, match=f"ends at byte {2 * GIB}"):
            transfer.first_nonzero(file.fileno(), at + 1, 2 * GIB + 1)


MIB = 1 << 20


def test_a_file_system_that_knows_no_holes(
    tmp_path: Path, reads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: int) -> int:
        raise OSError(22, "not here")

    monkeypatch.setattr(os, "lseek", cannot)
    with (tmp_path / "file").open("w+b") as file:
        file.truncate(3 * MIB)
        os.pwrite(file.fileno(), b"HIDDEN", 2 * MIB + 7)
        assert transfer.first_nonzero(file.fileno(), 1, 3 * MIB) == 2 * MIB + 7


def test_a_small_file_with_much_padding_is_checked_at_once(
    tmp_path: Path, reads: list[int]
) -> None:
    """2 GiB of padding, a page for each of 1,000 segments: no more than that is read."""
    path = tmp_path / "m.bpte"
    cases = [bpte.MethodTestCase([memoryview_of(number)]) for number in range(1000)]
    bundled = bpte.BundledProgram(b"program", [bpte.MethodTestSuite("f", cases)])
    bundled.save(path, payload_alignment=2 * MIB, durable=False)
    assert path.stat().st_size > 1.9 * GIB
    assert path.stat().st_blocks * 512 < 16 * MIB
    with bpte.open(path) as bundle:
        hidden = bundle.segment_extent(900).offset - 100
        del reads[:]
        bundle.verify()
        assert max(reads) <= MIB and sum(reads) < 24 * MIB
    with path.open("r+b") as file:
        os.pwrite(file.fileno(), b"HIDDEN", hidden)
    with bpte.open(path) as bundle, pytest.raises(bpte.BundleError) as caught:
        bundle.verify()
    assert caught.value.rule is bpte.Rule.PADDING
    assert (caught.value.offset, caught.value.value) == (hidden, ord("H"))


def memoryview_of(number: int) -> bpte.TensorData:
    content = number.to_bytes(4, "little")
    return bpte.TensorData(bpte.ScalarType.INT, (1,), (0,), lambda: iter([content]))
