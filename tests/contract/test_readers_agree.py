# SPDX-License-Identifier: BSD-3-Clause
"""Bundles damaged at random: the Python reader and the C++ reader name the same rule, and neither
does anything else. BPTE_MUTATIONS says how many are tried."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import bpte
from breakers import ACCEPTED, CASES, INPUTS, INT, OUTPUTS, Model, Table, Tables

COUNT = int(os.environ.get("BPTE_MUTATIONS", "800"))
INTERESTING = [
    *(0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF),
    *(0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1),
]


def damage(rng: random.Random, file: bytes) -> bytes:
    """One to three numbers in the metadata changed, and the checksum made right again."""
    data = bytearray(file)
    bp09 = data[4:8] == b"BP09"
    (end,) = struct.unpack_from("<Q", data, 24) if bp09 else (len(data),)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        width = rng.choice("BHIQ")
        size = struct.calcsize(width)
        start = 0 if rng.random() < 0.2 else 72
        at = rng.randrange(start, end - size)
        if rng.random() < 0.7:
            at -= at % size
        (old,) = struct.unpack_from("<" + width, data, at)
        new = rng.choice(
            (
                rng.choice(INTERESTING),
                old + rng.choice((-16, -8, -4, -1, 1, 4, 8, 16)),
                rng.getrandbits(64),
                old ^ (1 << rng.randrange(8 * size)),
            )
        )
        struct.pack_into("<" + width, data, at, new % (1 << 8 * size))
    if rng.random() < 0.1:
        data = data[: rng.randrange(len(data))]
    if bp09 and len(data) >= 72:
        (end,) = struct.unpack_from("<Q", data, 24)
        if 72 <= end <= len(data):
            struct.pack_into("<I", data, 56, 0)
            struct.pack_into("<I", data, 56, zlib.crc32(data[:end]))
    return bytes(data)


def rule_in_python(path: Path) -> str:
    try:
        with bpte.open(path):
            return "ok"
    except bpte.BundleError as error:
        return error.rule


def test_both_readers_name_the_same_rule(cpp_tool: Callable[[str], Path], tmp_path: Path) -> None:
    rng = random.Random(20)
    sound = [accepted.make() for accepted in ACCEPTED]
    paths = []
    for number in range(COUNT):
        path = tmp_path / f"{number:06}"
        path.write_bytes(damage(rng, rng.choice(sound)))
        paths.append(path)
    done = subprocess.run([cpp_tool("rule_of"), *paths], capture_output=True, text=True, check=True)
    in_cpp = {}
    for line in done.stdout.splitlines():
        way, file, rule, *_ = line.split("\t")
        if way == "span":
            in_cpp[Path(file)] = rule
    different = []
    tally: Counter[str] = Counter()
    for path in paths:
        rule = rule_in_python(path)
        tally[rule] += 1
        if rule != in_cpp[path]:
            different.append((path.name, rule, in_cpp[path]))
    assert different == []
    assert len(tally) > 20, tally


def test_no_file_takes_a_reader_long(cpp_tool: Callable[[str], Path], tmp_path: Path) -> None:
    """Tables that share their vectors: what is reachable grows with the square of the size."""
    model = Model("BP09")
    values = Tables([model.value(INT, Table())] * 20_000)
    case = Table({INPUTS: values, OUTPUTS: values})
    model.suites[1].fields[CASES] = Tables([case] * 20_000)
    path = tmp_path / "shared"
    path.write_bytes(model.build())
    begun = time.monotonic()
    assert rule_in_python(path) == "table_sharing"
    print(f"{path.stat().st_size} bytes refused after {time.monotonic() - begun:.1f} s")
    done = subprocess.run(
        [cpp_tool("rule_of"), path], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split("\t")[2] == "table_sharing"
