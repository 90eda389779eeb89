# SPDX-License-Identifier: BSD-3-Clause
"""What opening costs as the metadata grows: instructions of the C++ core for each byte of it
(valgrind --tool=callgrind, so the same on every run), and the Python reader's time.

    python benchmarks/open_work.py [--sizes 1,32,1024,32768] [--shapes keys,suites] [--no-python]

Sizes are in KiB. Each shape fills the metadata with one thing, so that a cost that grows faster
than the size would show:

- "tensors": cases of two inputs and an output; "suites": suites of one empty case;
- "keys": metadata with short keys; "long keys": of 4,000 bytes, alike but for their last;
- "named data"; "text": one text; "shared": a case whose inputs are one value, again and again, as
  often as the rule table_sharing lets it (made up to 1 MiB).
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from load import ROOT, build

sys.path.insert(0, str(ROOT / "python"))
sys.path.insert(0, str(ROOT / "tests" / "contract"))

import bpte
import breakers
from bpte.format import encode, header, layout
from bpte.format.metadata import Case, Segment, Suite, Tensor

KIB = 1024
LARGEST_SHARED = 1 << 20


def tensors(size: int) -> encode.Encoded:
    x, y = (Tensor(6, (1, 3, 32, 32), (0, 2, 3, 1), 1, offset, 12288) for offset in (0, 12288))
    case = Case("a case", [x, y], [x], [bpte.Tolerance(rtol=0.1)], 1)
    return _encode([Suite("forward", [case] * max(size // 400, 1), [])])


def suites(size: int) -> encode.Encoded:
    case = Case("", [], [], [], None)
    return _encode([Suite(f"m{index:08}", [case], []) for index in range(max(size // 92, 1))])


def keys(size: int) -> encode.Encoded:
    return _encode(strings={f"k{index:08}": "value" for index in range(max(size // 44, 1))})


def long_keys(size: int) -> encode.Encoded:
    count = max(size // 4040, 1)
    return _encode(strings={f"{'k' * 3992}{index:08}": "value" for index in range(count)})


def named_data(size: int) -> encode.Encoded:
    return _encode(named={f"k{index:08}": 1 for index in range(max(size // 32, 1))})


def text(size: int) -> encode.Encoded:
    return _encode(strings={"text": "ä" * (size // 2)})


def _encode(
    suites: list[Suite] | None = None,
    named: dict[str, int] | None = None,
    strings: dict[str, str] | None = None,
) -> encode.Encoded:
    blank = [Segment(0, 0, 0, 0)] * 2
    return encode.encode(suites or [], blank, 0, named or {}, strings or {})


SHAPES: dict[str, Callable[[int], encode.Encoded]] = {
    "tensors": tensors,
    "suites": suites,
    "keys": keys,
    "long keys": long_keys,
    "named data": named_data,
    "text": text,
}


def write_file(path: Path, encoded: encode.Encoded) -> int:
    """A whole bundle with this metadata; gives the metadata's size."""
    sizes = [(300, 128), (24576, 16)]
    plan = layout.plan(len(encoded.buffer), sizes)
    for index, (extent, (size, alignment)) in enumerate(zip(plan.segments, sizes, strict=True)):
        encode.fill_in_segment(encoded, index, Segment(extent.offset, size, alignment, 0))
    header.seal(encoded.buffer, plan, encoded.features)
    path.write_bytes(bytes(encoded.buffer).ljust(plan.file_size, b"\0"))
    return len(encoded.buffer)


def write_shared(path: Path, size: int) -> int:
    model = breakers.Model("BP09")
    many = breakers.Tables(model.values(1)[:1] * max(size // 4 - 500, 1))
    model.cases[1].fields[breakers.INPUTS] = many
    path.write_bytes(model.build())
    return header.parse(path.read_bytes()[:128], path.stat().st_size).metadata_size


def make(shape: str, size: int, path: Path) -> int:
    """Writes a bundle of this shape, of about this size; gives its metadata's exact size."""
    if shape == "shared":
        return write_shared(path, size)
    return write_file(path, SHAPES[shape](size))


def instructions(tool: Path, path: Path) -> int:
    """Of Bundle::open on this file."""
    command = [
        *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"),
        *("--toggle-collect=bpte::Bundle::open(*", tool, path, "1"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or found is None or found[1] == "0":
        raise SystemExit(f"{' '.join(map(str, command))}:\n{done.stderr}")
    return int(found[1])


def seconds_in_python(path: Path) -> float:
    def once() -> float:
        begun = time.perf_counter()
        bpte.open(path).close()
        return time.perf_counter() - begun

    return statistics.median(once() for _ in range(3))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1,32,1024,32768", help="in KiB")
    parser.add_argument("--shapes", default=",".join([*SHAPES, "shared"]))
    parser.add_argument("--no-python", action="store_true", help="instructions alone")
    options = parser.parse_args()
    tool = build()
    print(f"{'':12}{'metadata':>12}{'instructions':>16}{'per byte':>10}{'Python':>12}")
    with tempfile.TemporaryDirectory(prefix="bpte-benchmark-") as folder:
        path = Path(folder) / "file.bpte"
        for shape in options.shapes.split(","):
            for size in (KIB * int(word) for word in options.sizes.split(",")):
                if shape == "shared" and size > LARGEST_SHARED:
                    continue
                real = make(shape, size, path)
                count = instructions(tool, path)
                python = "" if options.no_python else f"{seconds_in_python(path) * 1e3:10.2f}ms"
                print(
                    f"{shape:12}{real:12,}{count:16,}{count / real:10.1f}{python:>12}", flush=True
                )


if __name__ == "__main__":
    main()
