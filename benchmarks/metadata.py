# SPDX-License-Identifier: BSD-3-Clause
"""Writing BP09's metadata: this package against flatc's generated code with ``flatbuffers``.

    python benchmarks/metadata.py [--cases 10000]

The same suites, each case with one tensor in and one out: by ``bpte.format.encode`` from its plain
data, and by the ``Pack`` methods of the object API from objects that are ready. The generated code
reads both to equal objects.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "contract"))

import flatbuffers

import flatbuffers_reader
from bpte.format.encode import encode
from bpte.format.metadata import Case, Segment, Suite, Tensor


def best(task: Callable[[], Any], runs: int = 5) -> tuple[float, Any]:
    """Milliseconds of CPU time, and the result."""
    least, result = 1e9, None
    for _ in range(runs):
        gc.collect()
        start = time.process_time()
        result = task()
        least = min(least, time.process_time() - start)
    return 1000 * least, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    count = parser.parse_args().cases
    sizes, order = (1, 3, 32, 32), (0, 1, 2, 3)
    cases = []
    for i in range(count):
        values = [Tensor(6, sizes, order, i + 1, place, 12288) for place in (0, 12288)]
        cases.append(Case(f"case {i}", values[:1], values[1:], [], i + 1))
    segments = [Segment(24576 * i, 24576, 128, i) for i in range(count + 1)]
    ours, encoded = best(lambda: encode([Suite("forward", cases, [])], segments, 0, {}, {}))

    with tempfile.TemporaryDirectory() as folder:
        module = flatbuffers_reader.generate(flatbuffers_reader.SCHEMA, Path(folder))
    root = module.BundledProgramT.InitFromObj(module.BundledProgram.GetRootAs(encoded.buffer))

    def pack() -> bytes:
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(root.Pack(builder), b"BP09")
        return bytes(builder.Output())

    theirs, packed = best(pack, 2)
    again = module.BundledProgramT.InitFromObj(module.BundledProgram.GetRootAs(bytearray(packed)))
    assert flatbuffers_reader.plain(again) == flatbuffers_reader.plain(root)
    print(
        f"{count} cases: bpte {ours:.0f} ms, {len(encoded.buffer)} bytes; flatbuffers' package "
        f"{theirs:.0f} ms, {len(packed)} bytes: {theirs / ours:.1f} times as long, without its "
        "objects being made, and without room for the header"
    )


if __name__ == "__main__":
    main()
