# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seed corpora beside this script: a few small, odd but right bundles for each target,
for the comparison a pair of tensors of each dtype, and data files.

They are committed; `python tests/fuzz/seeds.py` makes them again.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "contract"), str(HERE.parent)]

import numpy as np  # noqa: E402
from data_file_writer import data_file  # noqa: E402

from breakers import ACCEPTED  # noqa: E402

# Few and telling: the rest is the fuzzer's to find.
NAMES = {
    "plain",
    "tables-shared",
    "unknown-fields-appended",
    "longer-header",
    "empty-segment-holds-empty-tensors",
    "tolerance-for-each-output",
    "rank-16",
    "every-part",
    "metrics-of-steps",
    "traces-of-steps",
    "steps-share-tables-and-segment",
    "parts-without-entries",
}


def compare_seeds() -> dict[str, bytes]:
    """In the order in which fuzz_compare.cpp reads its input: five by 340 elements."""
    numbers = bytes(range(64, 127)) + bytes([0, 128, 255])
    seeds = {}
    for dtype in range(13):
        for mode, orders in ((0, b"\0"), (1, b"\0\1")):
            # No tolerance stated, NaN policy, mode, dtype, rank 2, sizes, the orders' draws, and
            # four places where the two differ.
            head = bytes([0, dtype % 3, mode, dtype, 2, 5, 230]) + orders
            patches = bytes([0, 9, 1, 255, 1, 200, 255, 255, 2, 2, 0, 0, 3, 3, 128, 128])
            seeds[f"dtype-{dtype}-mode-{mode}"] = head + patches + numbers
    return seeds


def data_file_seeds() -> dict[str, bytes]:
    """Data files: a byte in front says what else fuzz_data_file.cpp does with each."""
    numbers = np.arange(6, dtype=np.float32)
    tensors = {
        "bias": numbers[:3],
        "weight": numbers.reshape(2, 3),
        "scalar": np.float32(1).reshape(()),
        "blob": b"no tensor",
        "empty": np.zeros((0, 4), np.float32),
    }
    return {
        "tensors": b"\0" + data_file(tensors),
        "twice": b"\1" + data_file(tensors),
        "no-keys": b"\0" + data_file({}),
        "columns-first": b"\0" + data_file({"w": numbers.reshape(2, 3)}, dim_order=b"\1\0"),
        "rank-16": b"\0" + data_file({"w": np.zeros((1,) * 16, np.float32)}),
        "one-segment": b"\0" + data_file({"a": numbers, "b": numbers}, segment_index=0),
        "longer": b"\0" + data_file({"a": numbers, "b": numbers}, longer=8),
    }


def main() -> None:
    others = {"fuzz_compare": compare_seeds(), "fuzz_data_file": data_file_seeds()}
    for target, contents in others.items():
        folder = HERE / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    for item in ACCEPTED:
        if item.name not in NAMES:
            continue
        data = item.make()
        seeds = {"fuzz_bp08": data} if item.format == "BP08" else {"fuzz_open": data}
        # Sixteen bytes of faults in front (none here); four bytes that choose a bit behind.
        seeds["fuzz_source"] = (
            bytes([255, 0, 0, 0]) + bytes(2) + bytes([130, 255]) + bytes(8) + data
        )
        if item.format == "BP09":
            seeds["fuzz_checksums"] = data + bytes([1, 2, 3, 0])
        for target, content in seeds.items():
            folder = HERE / "corpus" / target
            folder.mkdir(parents=True, exist_ok=True)
            (folder / str(item)).write_bytes(content)


if __name__ == "__main__":
    main()
