# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seed corpora beside this script: a few small, odd but right bundles for each target,
and for the comparison a pair of tensors of each dtype.

They are committed; `python tests/fuzz/seeds.py` makes them again.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "contract"))

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


def main() -> None:
    for name, content in compare_seeds().items():
        folder = HERE / "corpus" / "fuzz_compare"
        folder.mkdir(parents=True, exist_ok=True)
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
