# SPDX-License-Identifier: BSD-3-Clause
"""What the core's object files ask of the system: a few functions on memory and numbers, and
nothing that allocates, throws, prints, ends the program or needs initialising."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "runtime" / "bpte" / "core"

# The C library's, and what compilers call for arithmetic that the machine does not have.
ALLOWED = re.compile(
    r"mem(cpy|set|cmp|move)|bcmp|strlen|__cpu_model|sqrtf?|log10|log2|frexp|ldexp|fabsf?|__aeabi_\w+|_GLOBAL_OFFSET_TABLE_"
    r"|__(u?div|u?mod|mul|add|sub|ashl|lshr|ashr|float|floatun|fix|fixuns|extend|trunc|cmp|ucmp)\w*"
)
# Told by name as well, so that a change of the list above cannot let them in.
FORBIDDEN = re.compile(
    r"(m|c|re)alloc|free|operator (new|delete)|abort|_?exit|__assert\w*|assert|__cxa_\w+|_Unwind\w*"
    r"|std::\w+.*|printf|puts|putchar|terminate|__stack_chk_fail|__gxx_personality\w*|atexit"
)

TARGETS = {
    "host-O2": ["g++", "-O2"],
    "cortex-m55-Os": [
        "arm-none-eabi-g++",
        "-Os",
        "-mcpu=cortex-m55",
        "-mthumb",
        "-mfloat-abi=hard",
    ],
}


def compile_core(compiler: list[str], folder: Path) -> list[Path]:
    flags = ["-std=c++17", "-fno-exceptions", "-fno-rtti", f"-I{CORE.parents[1]}"]
    sources = sorted(CORE.rglob("*.cpp"))

    def compile_one(source: Path) -> Path:
        target = folder / f"{source.stem}.o"
        subprocess.run([*compiler, *flags, "-c", source, "-o", target], check=True)
        return target

    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        return list(pool.map(compile_one, sources))


def symbols(objects: list[Path]) -> tuple[set[str], set[str], dict[str, str]]:
    """Defined and undefined names, and each defined one's kind of section."""
    listing = subprocess.run(
        ["nm", "-C", *objects], check=True, capture_output=True, text=True
    ).stdout
    defined: dict[str, str] = {}
    undefined: set[str] = set()
    for kind, name in re.findall(r"^[0-9a-f ]+ ([A-Za-z]) (.+)$", listing, re.MULTILINE):
        if kind == "U":
            undefined.add(name)
        else:
            defined[name] = kind
    return set(defined), undefined - set(defined), defined


@pytest.mark.parametrize("target", TARGETS)
def test_asks_for_nothing_but_memory_and_numbers(target: str, tmp_path: Path) -> None:
    compiler = TARGETS[target]
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"{compiler[0]} is not installed")
    objects = compile_core(compiler, tmp_path)
    defined, undefined, kinds = symbols(objects)
    assert any(name.startswith("bpte::Bundle::open(") for name in defined)
    assert any(name.startswith("bpte::compare(") for name in defined)

    strangers = {name for name in undefined if not ALLOWED.fullmatch(name)}
    assert not strangers
    assert not {name for name in defined | undefined if FORBIDDEN.fullmatch(name)}
    # No static RAM, nothing to initialise: b is .bss, d is .data; on a host also constants that
    # hold addresses, which position-independent code relocates.
    ram = "bBC" if target.startswith("host") else "dDbBsSgGC"
    assert not {name for name, kind in kinds.items() if kind in ram}
    sections = subprocess.run(
        ["objdump", "-h", *objects], check=True, capture_output=True, text=True
    ).stdout
    assert ".init_array" not in sections and ".ctors" not in sections


def test_would_notice_what_it_looks_for(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    source = tmp_path / "bad.cpp"
    source.write_text(
        "#include <cstdlib>\n#include <vector>\nint counter = 1;\n"
        "void* f(size_t n) { if (n == 7) abort(); return std::malloc(n); }\n"
        "int* g() { return new int[3]; }\n"
    )
    target = tmp_path / "bad.o"
    subprocess.run(["g++", "-c", source, "-o", target], check=True)
    _, undefined, kinds = symbols([target])
    assert {"malloc", "abort"} <= {n for n in undefined if FORBIDDEN.fullmatch(n)}
    assert any(n.startswith("operator new") for n in undefined if not ALLOWED.fullmatch(n))
    assert kinds["counter"] == "D"
