# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seed corpora beside this script: a few small, odd but right bundles for each target.

They are committed; `python tests/fuzz/seeds.py` makes them again.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "python"))

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
}


def main() -> None:
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
