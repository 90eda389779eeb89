# SPDX-License-Identifier: BSD-3-Clause
"""Random corruptions of a real bundle, each through the host runner as a child process: it passes,
fails or is refused, and is never ended by a signal."""

from __future__ import annotations

import collections
import os
import random
import subprocess
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

COUNT = 1000
SEED = 20240229
# Far above what a run takes: a machine that is busy with other tests must not fail this one.
SECONDS = 20.0


# Passed, a mismatch, refused.
CODES = {0, 1, 3}
# A file made to have the right checksums may state cases that do not suit its program: not run.
CRAFTED_CODES = CODES | {4}


def corrupt(data: bytes, rng: random.Random) -> tuple[bytes, set[int]]:
    """One of the ways in which files go wrong on their way to a board, and what may come of it."""
    bad = bytearray(data)
    kind = rng.randrange(8)
    at = rng.randrange(len(bad))
    if kind == 0:  # a flipped bit
        bad[at] ^= 1 << rng.randrange(8)
    elif kind == 1:  # several wrong bytes
        for _ in range(rng.randrange(1, 20)):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
    elif kind == 2:  # cut short
        del bad[at:]
    elif kind == 3:  # a lost piece
        del bad[at : at + rng.randrange(1, 512)]
    elif kind == 4:  # a block never written, or erased flash
        bad[at : at + 256] = rng.choice((b"\0", b"\xff")) * len(bad[at : at + 256])
    elif kind == 5:  # a block that stands elsewhere
        other = rng.randrange(len(bad))
        piece = bad[other : other + 64]
        bad[at : at + len(piece)] = piece
    else:  # numbers in header and metadata, where they decide most; the checksum made right
        size = int.from_bytes(bad[24:32], "little")
        where = rng.randrange(16, size - 8) & ~3
        value = rng.choice((0, 1, 4, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, rng.getrandbits(32)))
        bad[where : where + 4] = value.to_bytes(4, "little")
        bad[56:60] = bytes(4)
        bad[56:60] = zlib.crc32(bad[:size]).to_bytes(4, "little")
        return bytes(bad), CRAFTED_CODES
    return bytes(bad), CODES


def test_corrupted_bundles_never_end_the_runner(
    bpte_runner: Path, demo_bundle: Path, tmp_path: Path
) -> None:
    original = demo_bundle.read_bytes()
    rng = random.Random(SEED)
    files = []
    for index in range(COUNT):
        data, allowed = corrupt(original, rng)
        path = tmp_path / f"{index}.bpte"
        path.write_bytes(data)
        files.append((path, allowed))

    def run(item: tuple[Path, set[int]]) -> tuple[str, int, bool, float]:
        path, allowed = item
        start = time.monotonic()
        done = subprocess.run(
            [bpte_runner, path], capture_output=True, timeout=SECONDS, check=False
        )
        seconds = time.monotonic() - start
        path.unlink()
        return path.name, done.returncode, done.returncode in allowed, seconds

    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        outcomes = list(pool.map(run, files))
    codes = collections.Counter(code for _, code, _, _ in outcomes)
    wrong = [(name, code) for name, code, ok, _ in outcomes if not ok]
    assert not wrong, f"seed {SEED}: {wrong[:10]}; {codes}"
    # The corruptions are worth their while, and the bundle itself is right.
    assert codes[3] > COUNT // 2
    times = sorted(seconds for _, _, _, seconds in outcomes)
    print(f"{dict(codes)}; median {times[COUNT // 2]:.3f} s, longest {times[-1]:.3f} s")
