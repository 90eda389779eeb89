# SPDX-License-Identifier: BSD-3-Clause
"""Programs beyond 2 GiB and 4 GiB. What moves gigabytes runs with BPTE_LARGE=1 (and 11 GiB of
disk)."""

from __future__ import annotations

import filecmp
import os
from pathlib import Path

import numpy as np
import pytest

import bpte
from bpte.cli import main

GIB = 1 << 30
X = np.arange(16, dtype=np.float32).reshape(2, 8)


def sparse(path: Path, size: int) -> Path:
    """A file of this size that takes no disk: the fixture's program at its front, a mark at its
    end, and nothing between."""
    front = Path(__file__).resolve().parents[1] / "fixtures" / "program" / "mlp.pte"
    with path.open("wb") as file:
        file.write(front.read_bytes())
        file.truncate(size)
        file.seek(size - 3)
        file.write(b"end")
    return path


def test_bp08_refuses_what_is_beyond_2_gib(tmp_path: Path) -> None:
    program = sparse(tmp_path / "big.pte", 2 * GIB)
    suite = bpte.MethodTestSuite("forward", [bpte.MethodTestCase([X])])
    with pytest.raises(bpte.PackError, match="BP08 ends at 2 GiB"):
        bpte.BundledProgram(program, [suite]).save(tmp_path / "m.bpte", format="bp08")
    assert [path.name for path in tmp_path.iterdir()] == ["big.pte"]


def test_a_bp08_file_beyond_2_gib_is_malformed(tmp_path: Path) -> None:
    path = tmp_path / "m.bpte"
    with path.open("wb") as file:
        file.write(b"\x10\0\0\0BP08")
        file.truncate(2 * GIB)
    with pytest.raises(bpte.BundleError, match=r"metadata_malformed.*beyond 2 GiB"):
        bpte.open(path)


@pytest.mark.skipif("BPTE_LARGE" not in os.environ, reason="moves gigabytes: BPTE_LARGE=1 runs it")
@pytest.mark.parametrize("size", [3 * GIB, 5 * GIB + 7], ids=["3 GiB", "5 GiB"])
def test_pack_check_extract(size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program, bundle, again = (tmp_path / name for name in ("p.pte", "m.bpte", "again.pte"))
    sparse(program, size)
    np.save(tmp_path / "x.npy", X)
    words = ["pack", program, "--case", f"in={tmp_path}/x.npy", "-o", bundle, "--no-sync"]
    assert main([str(word) for word in words]) == 0
    assert main(["check", str(bundle)]) == 0
    assert main(["inspect", str(bundle)]) == 0
    assert str(size) in capsys.readouterr().out
    with bpte.open(bundle) as opened:
        assert opened.program_extent.size == size
        assert bytes(opened.program[-3:]) == b"end"
        assert np.array_equal(opened.suites[0].test_cases[0].inputs[0], X)
        start = opened.program_extent.offset
    assert main(["extract", str(bundle), "-o", str(again), "--no-sync"]) == 0
    assert filecmp.cmp(program, again, shallow=False)
    again.unlink()
    # A bit at the far end does not change unseen.
    with bundle.open("r+b") as file:
        file.seek(start + size - 1)
        file.write(b"D")
    assert main(["check", str(bundle)]) == 3
    bundle.unlink()
