# SPDX-License-Identifier: BSD-3-Clause
"""What a firmware's build needs to know of its board, out of its board.toml.

    python board_facts.py BOARD_FOLDER OUTPUT_FOLDER [--large]

Writes board_facts.cmake (what CMake and the sources want) and memory.ld, which firmware.ld
includes. `--large` puts the code into the region `code` that a board may have for programs too big
for `rom`. Needs nothing but Python 3.11, or tomli.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bpte.run.board import Board, BoardError, load_board

#: Regions in the order in which the linker lists them.
REGIONS = ("rom", "code", "ram", "arena", "bundle")


def cmake(board: Board) -> str:
    """BPTE_BOARD_NAME; BPTE_BOARD_DEFINITIONS, what the sources are compiled with."""
    bundle = board.memory["bundle"]
    load_address = bundle.origin if board.load_address is None else board.load_address
    numbers = {
        **board.peripherals,
        "load_address": load_address,
        "bundle_origin": bundle.origin,
        "bundle_length": bundle.length,
    }
    lines = [f'set(BPTE_BOARD_NAME "{board.name}")', "set(BPTE_BOARD_DEFINITIONS"]
    lines.append(f'    "BPTE_BOARD_NAME=\\"{board.name}\\""')
    lines += [f"    BPTE_BOARD_{name.upper()}=0x{value:X}" for name, value in numbers.items()]
    lines.append(")")
    if "npu" in board.peripherals:
        lines.append("set(BPTE_BOARD_NPU ON)")
    return "\n".join([*lines, ""])


def memory_script(board: Board, large: bool) -> str:
    """The regions with an underscore, and the names that firmware.ld calls them."""
    lines = ["MEMORY {"]
    for name in REGIONS:
        if region := board.memory.get(name):
            lines.append(
                f"  {name.upper()}_ : ORIGIN = 0x{region.origin:X}, LENGTH = 0x{region.length:X}"
            )
    lines.append("}")
    code = "code" if large and "code" in board.memory else "rom"
    for alias, name in (*((name, name) for name in REGIONS if name != "code"), ("code", code)):
        lines.append(f'REGION_ALIAS("{alias.upper()}", {name.upper()}_)')
    return "\n".join([*lines, ""])


def write(path: Path, text: str) -> None:
    """Left as it is when nothing changed, so that nothing is built again."""
    if not path.is_file() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="A board's facts, for CMake and the linker.")
    parser.add_argument("board", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--large", action="store_true")
    arguments = parser.parse_args()
    try:
        board = load_board(arguments.board)
    except BoardError as error:
        print(error, file=sys.stderr)
        return 1
    if board.kind != "firmware":
        print(f"{arguments.board}: a board of kind {board.kind!r} has no firmware", file=sys.stderr)
        return 1
    arguments.output.mkdir(parents=True, exist_ok=True)
    write(arguments.output / "board_facts.cmake", cmake(board))
    write(arguments.output / "memory.ld", memory_script(board, arguments.large))
    return 0


if __name__ == "__main__":
    sys.exit(main())
