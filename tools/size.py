# SPDX-License-Identifier: BSD-3-Clause
"""Flash, RAM and stack that the core takes on a Cortex-M55 at -Os, feature by feature.

    make size
    python tools/size.py --json

Each row links a program that uses more than the row before it (benchmarks/size), with what is not
used dropped by the linker, and counts what came out of the core's own object files; "library" is
what it draws from the C library and the compiler's. Stack is the deepest chain of calls by the
compiler's own figures (-fstack-usage, -fcallgraph-info), calls through pointers included; the
library's functions and a data source's read() are not counted.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "runtime" / "bpte" / "core"
PROGRAMS = ROOT / "benchmarks" / "size"
COMPILER = "arm-none-eabi-g++"
MACHINE = ["-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard"]
FLAGS = [
    *("-Os", "-std=c++17", "-fno-exceptions", "-fno-rtti", "-ffunction-sections"),
    *("-fdata-sections", "-fno-threadsafe-statics", "-fstack-usage", "-fcallgraph-info=su"),
    # What runtime/bpte/core/CMakeLists.txt gives the comparison and a small core.
    *(f"@{CORE / 'compare.rsp'}", f"@{CORE / 'small.rsp'}"),
]
LINK = ["-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections,-e,entry"]

# The budgets of a small target, everything but BP08, data source and texts: without what a bundle
# may state besides inputs and expected outputs, and with all of it. `most` is what a test holds
# today; where it is above the budget, the budget is not yet met.
BUDGET_STACK = 1024


@dataclass(frozen=True)
class Budget:
    row: str
    flash: int
    most: int


BUDGETS = (Budget("+ compare", 9 * 1024, 8_784), Budget("+ trace", 10 * 1024, 11_088))


@dataclass
class Row:
    """One program; sizes in bytes."""

    name: str
    flash: int  # .text and .rodata of the core
    library: int  # the same, of what it draws in
    data: int
    bss: int
    stack: int


@dataclass(frozen=True)
class Feature:
    name: str
    program: tuple[str, ...]  # USE_... of benchmarks/size/core.cpp
    build: tuple[str, ...]  # BPTE_CORE_... that are on


PARTS = ("OPEN", "WALK", "CHECKSUMS", "COMPARE")
# What a bundle may state besides inputs and expected outputs; without each, the core is smaller.
STATED = ("STEPS", "METRICS", "BUDGETS", "TRACE")
WHOLE = (*PARTS, *STATED)

FEATURES = (
    Feature("open", PARTS[:1], ()),
    Feature("+ walk", PARTS[:2], ()),
    Feature("+ checksums", PARTS[:3], ("CHECKSUMS",)),
    Feature("+ compare", PARTS, ("CHECKSUMS",)),
    *(
        Feature(f"+ {name.lower()}", (*PARTS, *STATED[:count]), ("CHECKSUMS", *STATED[:count]))
        for count, name in enumerate(STATED, 1)
    ),
    Feature("+ text of faults", (*WHOLE, "TEXT"), ("CHECKSUMS", *STATED)),
    Feature("+ BP08", (*WHOLE, "TEXT"), ("CHECKSUMS", *STATED, "BP08")),
    Feature(
        "+ data source", (*WHOLE, "TEXT", "DATA_SOURCE"),
        ("CHECKSUMS", *STATED, "BP08", "DATA_SOURCE"),
    ),
)  # fmt: skip


def run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True)


def compile_all(sources: list[Path], folder: Path, flags: list[str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)

    def one(source: Path) -> Path:
        target = folder / f"{source.stem}.o"
        run(COMPILER, *MACHINE, *FLAGS, *flags, "-c", source, "-o", target)
        return target

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, sources))


def link(program: Path, objects: list[Path]) -> Path:
    elf = program.with_suffix(".elf")
    run(COMPILER, *MACHINE, *LINK, f"-Wl,-Map={elf}.map", program, *objects, "-o", elf)
    return elf


def sections(elf: Path) -> dict[tuple[str, bool], int]:
    """Bytes by output section and by whether they are the core's, out of the linker's map."""
    text = Path(f"{elf}.map").read_text(encoding="utf-8")
    text = text[text.index("Linker script and memory map") :]
    text = re.sub(r"\n (\.[^\s]+)\n +0x", r"\n \1 0x", text)  # long names stand on their own line
    found: dict[tuple[str, bool], int] = defaultdict(int)
    for name, size, file in re.findall(
        r"^ (\.\S+) +0x[0-9a-f]+ +0x([0-9a-f]+) (\S.*)$", text, re.MULTILINE
    ):
        kind = name.split(".")[1]
        if kind not in ("text", "rodata", "data", "bss"):
            continue
        mine = "/core-objects/" in file
        if not mine and Path(file).name.startswith("program"):
            continue  # the program that measures
        found[kind, mine] += int(size, 16)
    return found


def deepest_stack(folders: list[Path]) -> int:
    """Of all chains of calls from entry(); a cycle is an error."""
    frames: dict[str, int] = {}
    calls: dict[str, set[str]] = defaultdict(set)
    files: dict[str, str] = {}  # of local functions
    for folder in folders:
        for path in folder.glob("*.ci"):
            text = path.read_text(encoding="utf-8")
            for title, label in re.findall(r'node: \{ title: "([^"]+)" label: "([^"]*)"', text):
                used = re.search(r"(\d+) bytes \((\w+(?:,\w+)?)\)", label)
                if used is not None:
                    if used[2] != "static":
                        raise SystemExit(f"{title}: stack is {used[2]}, so it has no bound")
                    frames[strip(title)] = int(used[1])
                    files[strip(title)] = title.rpartition(":")[0]
            for source, target in re.findall(
                r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', text
            ):
                calls[strip(source)].add(strip(target))

    # A call through a pointer leads to a local function of its file that nobody calls by its name.
    # Each is in a chain once: what is called so, a part of the metadata's check, is never below
    # itself.
    named = set().union(*calls.values())
    known: dict[tuple[str, frozenset[str]], int] = {}

    def depth(name: str, above: tuple[str, ...], callbacks: frozenset[str]) -> int:
        if name in above:
            raise SystemExit(f"recursion: {' -> '.join((*above, name))}")
        key = (name, callbacks)
        if key not in known:
            deepest = 0
            for callee in calls.get(name, ()):
                if callee == "__indirect_call":
                    file = files.get(name)
                    pointed = {f for f in files if file and files[f] == file} - named - callbacks
                    below = [depth(f, (), callbacks | {f}) for f in pointed]
                else:
                    below = [depth(callee, (*above, name), callbacks)]
                deepest = max(deepest, *below, 0)
            known[key] = frames.get(name, 0) + deepest
        return known[key]

    # What the core's entries need, not what the measuring program keeps around them.
    return max((depth(callee, (), frozenset()) for callee in calls["entry"]), default=0)


def strip(title: str) -> str:
    """A local function's title begins with its file."""
    return title.rsplit(":", 1)[-1]


def measure(feature: Feature, folder: Path) -> Row:
    build = [
        f"-DBPTE_CORE_{name}={int(name in feature.build)}"
        for name in ("BP08", "DATA_SOURCE", "CHECKSUMS", *STATED)
    ]
    uses = [
        f"-DUSE_{name}={int(name in feature.program)}" for name in (*WHOLE, "TEXT", "DATA_SOURCE")
    ]
    flags = [*build, f"-I{CORE.parents[1]}"]
    key = "-".join(feature.build) or "none"
    objects_folder = folder / key / "core-objects"
    if objects_folder.is_dir():
        objects = sorted(objects_folder.glob("*.o"))
    else:
        objects = compile_all(sorted(CORE.rglob("*.cpp")), objects_folder, flags)
    program_folder = folder / re.sub(r"\W+", "-", feature.name)
    program_folder.mkdir()
    program = program_folder / "program.o"
    run(COMPILER, *MACHINE, *FLAGS, *flags, *uses, "-c", PROGRAMS / "core.cpp", "-o", program)
    found = sections(link(program, objects))
    return Row(
        feature.name,
        found["text", True] + found["rodata", True],
        found["text", False] + found["rodata", False],
        found["data", True],
        found["bss", True],
        deepest_stack([objects_folder, program_folder]),
    )


def flatbuffers_verifier(folder: Path) -> int | None:
    """Bytes of FlatBuffers' own generated verifier for the schema, or None where it is missing."""
    headers = Path("/usr/include/flatbuffers")
    flatc = shutil.which("flatc", path="/usr/bin")
    if flatc is None or not headers.is_dir():
        return None
    include = folder / "include"
    # Its headers alone: the host's others are not the target's.
    shutil.copytree(headers, include / "flatbuffers")
    run(flatc, "--cpp", "-o", include, ROOT / "schema" / "bpte.fbs")
    run(flatc, "--cpp", "-o", include, ROOT / "schema" / "scalar_type.fbs")
    sizes = []
    for use in (0, 1):
        elf = folder / f"verifier{use}.elf"
        run(
            COMPILER, *MACHINE, *FLAGS, f"-I{include}", f"-DUSE_VERIFIER={use}", "-DNDEBUG", *LINK,
            PROGRAMS / "flatbuffers_verifier.cpp", "-o", elf,
        )  # fmt: skip
        sizes.append(flash_of(elf))
    return sizes[1] - sizes[0]


def reader_size(folder: Path) -> int:
    """Bytes of the core's own FlatBuffer reader."""
    (path,) = folder.rglob("CHECKSUMS/core-objects/flatbuffer.o")
    return flash_of(path)


def flash_of(path: Path) -> int:
    """Bytes of code and constants of an object or a program."""
    listing = subprocess.run(
        ["arm-none-eabi-size", "-A", path], check=True, capture_output=True, text=True
    ).stdout
    return sum(int(n) for n in re.findall(r"^\.(?:text|rodata)\S* +(\d+)", listing, re.M))


def main() -> int:
    parser = argparse.ArgumentParser(description="Flash, RAM and stack of the core on Cortex-M55.")
    parser.add_argument("--json", action="store_true", help="for a machine")
    options = parser.parse_args()
    if shutil.which(COMPILER) is None:
        print(f"{COMPILER} is not installed (Debian: gcc-arm-none-eabi)", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="bpte-size-") as name:
        folder = Path(name)
        rows = [measure(feature, folder) for feature in FEATURES]
        verifier = flatbuffers_verifier(folder)
        reader = reader_size(folder)
    if options.json:
        result = {
            "rows": [asdict(row) for row in rows],
            "flatbuffers_verifier": verifier,
            "reader": reader,
        }
        print(json.dumps(result, indent=2))
        return 0
    print("Cortex-M55, -Os; bytes. Each row has all of the rows above it.\n")
    print(f"{'':18} {'flash':>7} {'more':>7} {'library':>8} {'.data':>6} {'.bss':>6} {'stack':>6}")
    before = 0
    for row in rows:
        print(
            f"{row.name:18} {row.flash:7} {row.flash - before:+7} {row.library:8} {row.data:6} "
            f"{row.bss:6} {row.stack:6}"
        )
        before = row.flash
    print()
    for budget in BUDGETS:
        (row,) = (row for row in rows if row.name == budget.row)
        print(
            f"Up to '{budget.row}': {row.flash} bytes of flash (budget {budget.flash}, held at "
            f"{budget.most}), {row.stack} of {BUDGET_STACK} bytes of stack"
        )
    print(f"FlatBuffer reader of the core: {reader} bytes, checks at each access included")
    if verifier is None:
        print("FlatBuffers' generated verifier: not measured (flatc, libflatbuffers-dev missing)")
    else:
        print(f"FlatBuffers' generated verifier for the same schema, alone: {verifier} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
