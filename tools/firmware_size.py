# SPDX-License-Identifier: BSD-3-Clause
"""What the firmware of a board takes, at -Os: flash and RAM, and which part takes it.

    python tools/firmware_size.py [--board corstone-300] [--json]

With the reference engine and all of its operators, and with only those of given programs
(--operators-from model.pte, which may be repeated). Flash is code, constants and what variables
begin with; RAM is variables and the stack set aside. What a program needs to run, its memory plan,
comes on top (`bpte run` prints it).
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))

from bpte.run import board as boards  # noqa: E402
from bpte.run import build  # noqa: E402

#: What the firmware with the reference engine's operators may take of flash.
BUDGET = 96 * 1024

_PARTS = (
    ("core", re.compile(r"libbpte_core\.a")),
    ("runner", re.compile(r"libbpte_(runner|engine)\.a")),
    ("reference engine", re.compile(r"libbpte_reference\.a")),
    ("start-up and board", re.compile(r"bpte_board\.dir|bpte-firmware\.dir")),
    ("C library", re.compile(r"lib(c|m|gcc|stdc\+\+|supc\+\+)\.a")),
)
# In a linker map: an input section, its address, its size, its object.
_SECTION = re.compile(
    r"^ (?P<name>\.(?:text|rodata|data|vectors|init_array|ARM)\S*)?\s+"
    r"0x(?P<address>[0-9a-f]{8,16})\s+0x(?P<size>[0-9a-f]+)\s+(?P<object>\S.*)$",
    re.MULTILINE,
)


def sections(elf: Path) -> dict[str, int]:
    text = subprocess.run(
        ["arm-none-eabi-size", "-A", elf], capture_output=True, text=True, check=True
    ).stdout
    rows = (line.split() for line in text.splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[1].isdigit()}


def parts(linker_map: Path) -> dict[str, int]:
    """Flash by the library that it came from; sections that the linker dropped are not counted."""
    text = linker_map.read_text("utf-8", "replace")
    text = text[text.index("Linker script and memory map") :]
    # A long section's name stands on a line of its own.
    text = re.sub(r"^( \.\S+)\n\s+0x", r"\1 0x", text, flags=re.MULTILINE)
    found = {name: 0 for name, _ in _PARTS} | {"other": 0}
    for match in _SECTION.finditer(text):
        if match["name"] is None or int(match["address"], 16) == 0:
            continue
        for name, pattern in _PARTS:
            if pattern.search(match["object"]):
                found[name] += int(match["size"], 16)
                break
        else:
            found["other"] += int(match["size"], 16)
    return found


def measure(name: str, programs: tuple[Path, ...]) -> dict[str, object]:
    elf = build.program(boards.find_board(name), "reference", programs)
    size = sections(elf)
    flash = sum(
        size.get(section, 0)
        for section in (".vectors", ".text", ".ARM.extab", ".ARM.exidx", ".data")
    )
    return {
        "board": name,
        "operators": "of " + ", ".join(p.stem for p in programs) if programs else "all",
        "flash": flash,
        "budget": BUDGET,
        "variables": size.get(".data", 0) + size.get(".bss", 0),
        "stack": size.get(".stack", 0),
        "parts": parts(elf.with_suffix(".map")),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Flash and RAM of a board's firmware.")
    parser.add_argument("--board", default="corstone-300")
    parser.add_argument("--operators-from", type=Path, action="append", default=[])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if shutil.which("arm-none-eabi-g++") is None:
        print("skipped: arm-none-eabi-g++ is not installed", file=sys.stderr)
        return 0
    try:
        figures = [measure(arguments.board, ())]
        if arguments.operators_from:
            figures.append(measure(arguments.board, tuple(arguments.operators_from)))
    except (boards.BoardError, build.BuildError) as error:
        print(f"firmware_size.py: {error}", file=sys.stderr)
        return 4
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        for figure in figures:
            print(f"{figure['board']}, reference engine, operators: {figure['operators']}")
            print(f"  flash      {figure['flash']:7} bytes (budget {figure['budget']})")
            for name, size in figure["parts"].items():  # type: ignore[attr-defined]
                print(f"    {name:19}{size:7}")
            print("    (parts as they were before equal strings were merged)")
            print(f"  variables  {figure['variables']:7} bytes of RAM")
            print(f"  stack      {figure['stack']:7} bytes of RAM")
    return 0 if all(int(str(figure["flash"])) <= BUDGET for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
