# SPDX-License-Identifier: BSD-3-Clause
"""bpte's sources in builds of somebody else's, without CMake: hosts and bare Cortex-M."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = ROOT / "runtime"
CONSUMER = ROOT / "tests" / "consumer"
BARE_METAL = CONSUMER / "bare_metal"
DOCUMENT = (ROOT / "docs" / "embedding.md").read_text("utf-8")

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wcast-align", "-Werror")
OPTIONS = (f"@{RUNTIME / 'bpte' / 'core' / 'compare.rsp'}",)
SOURCES = [
    path
    for place in ("core", "engine/reference", "runner", "engine")
    for path in sorted(
        (RUNTIME / "bpte" / place).glob("*.cpp" if place == "engine" else "**/*.cpp")
    )
]


def run(*command: object, **more: object) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
    if done.returncode != 0:
        pytest.fail(f"{' '.join(words)[:400]}\n{done.stdout}\n{done.stderr}", pytrace=False)
    return str(done.stdout)


def require(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def compile_all(compiler: list[str], folder: Path) -> list[Path]:
    """Every source, with every warning an error; gives the object files, or none of them for a
    compiler that is asked for syntax only."""

    def one(source: Path) -> Path:
        target = folder / (source.relative_to(RUNTIME).as_posix().replace("/", "-") + ".o")
        run(*compiler, *OPTIONS, *WARNINGS, f"-I{RUNTIME}", "-c", source, "-o", target)
        return target

    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        return [path for path in pool.map(one, SOURCES) if path.exists()]


def passes(report: str) -> None:
    end = json.loads(report.splitlines()[-1].removeprefix("#bpte "))
    assert (end["event"], end["outcome"], end["passed"]) == ("end", 0, 3), report


# --- A host ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("compiler", "standard", "builds"),
    [("g++", 20, False), ("clang++", 17, False), ("clang++", 20, True)],
)
def test_hosts(
    compiler: str, standard: int, builds: bool, demo_bundle: Path, tmp_path: Path
) -> None:
    """Each compiler and standard warns of nothing, and what is built runs. GCC's C++17 is below."""
    require(compiler)
    command = [compiler, f"-std=c++{standard}", "-fno-exceptions", "-fno-rtti"]
    if not builds:
        compile_all([*command, "-fsyntax-only"], tmp_path)
        for program in ("main", "engine", "reference"):
            source = CONSUMER / f"{program}.cpp"
            run(*command, *WARNINGS, "-fsyntax-only", f"-I{RUNTIME}", source)
        return
    objects = compile_all([*command, "-O1"], tmp_path)
    program = tmp_path / "reference"
    source = CONSUMER / "reference.cpp"
    run(*command, *WARNINGS, f"-I{RUNTIME}", source, *objects, "-o", program)
    passes(run(program, demo_bundle))


def test_as_the_page_says(demo_bundle: Path, tmp_path: Path) -> None:
    """docs/embedding.md, in an empty folder; no object file overwrites another."""
    require("g++")
    (commands,) = re.findall(
        r"^## Without CMake$.*?^```sh\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL
    )
    environment = {**os.environ, "BPTE": str(ROOT)}
    warnings = commands.replace("g++ ", f"g++ {' '.join(WARNINGS)} ")
    run("sh", "-ec", warnings, cwd=tmp_path, env=environment)
    assert len(list(tmp_path.glob("*.o"))) == len(SOURCES)
    for program in ("reference", "own_engine"):
        run(
            *("g++", "-std=c++17", *WARNINGS, f"-I{RUNTIME}", CONSUMER / f"{program}.cpp"),
            *(tmp_path / "libbpte.a", "-o", tmp_path / program),
        )
    passes(run(tmp_path / "reference", demo_bundle))


@pytest.mark.parametrize("header", ["core", "engine", "runner"])
def test_each_public_header_stands_alone(header: str, tmp_path: Path) -> None:
    require("g++")
    source = tmp_path / "headers.cpp"
    folder = RUNTIME / "bpte" / header
    found = [*folder.glob("*.h"), *folder.glob("reference/*.h")]
    assert found
    for path in found:
        source.write_text(f"#include <{path.relative_to(RUNTIME)}>\n" * 2)
        run("g++", "-std=c++17", *WARNINGS, "-fsyntax-only", f"-I{RUNTIME}", source)


# --- Bare metal -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Core:
    flags: tuple[str, ...]
    machine: str  # of QEMU's, with such a core
    rom: tuple[int, int]  # where it finds the vector table, and how many bytes there are
    ram: tuple[int, int]


MPS2 = ((0, 0x400000), (0x20000000, 0x100000))
CORES = {
    # The nRF51 has a Cortex-M0, whose instructions are the same.
    "cortex-m0plus": Core((), "microbit", (0, 0x40000), (0x20000000, 0x4000)),
    "cortex-m4": Core(("-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"), "mps2-an386", *MPS2),
    "cortex-m7": Core(("-mfloat-abi=hard", "-mfpu=fpv5-d16"), "mps2-an500", *MPS2),
    "cortex-m55": Core(
        ("-mfloat-abi=hard",), "mps3-an547", (0x10000000, 0x80000), (0x30000000, 0x80000)
    ),
}
# The libraries by the headers that they share.
LIBRARIES = {
    "newlib": {
        "newlib": ("--specs=nosys.specs",),
        "newlib-nano": ("--specs=nano.specs", "--specs=nosys.specs"),
    },
    "picolibc": {"picolibc": ("--specs=picolibcpp.specs",)},
}


# What depends on the headers shows on the smallest core and on the newest.
@pytest.mark.parametrize(
    ("name", "headers"),
    [
        *((name, "newlib") for name in CORES),
        ("cortex-m0plus", "picolibc"),
        ("cortex-m55", "picolibc"),
    ],
)
def test_cortex_m(name: str, headers: str, demo_bundle: Path, tmp_path: Path) -> None:
    """Core, runner and reference engine in a firmware of somebody else's; it runs a bundle.

    The sizes go to build/reports/embedding-*.json; docs/embedding.md quotes them.
    """
    require("arm-none-eabi-g++")
    core = CORES[name]
    libraries = LIBRARIES[headers]
    machine = [f"-mcpu={name}", "-mthumb", *core.flags]
    if headers == "picolibc":  # found by its specs
        machine += libraries["picolibc"]
        libraries = {"picolibc": ()}
    small = ["-Os", "-ffunction-sections", "-fdata-sections"]
    compiler = ["arm-none-eabi-g++", *machine, *small, "-std=c++17"]
    compiler += ["-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"]
    objects = compile_all(compiler, tmp_path)
    startup = tmp_path / "startup.o"
    run(
        "arm-none-eabi-gcc",
        *machine,
        *small,
        *WARNINGS,
        "-c",
        BARE_METAL / "startup.c",
        "-o",
        startup,
    )
    place = (
        f"-Wl,--defsym=__rom={core.rom[0]},--defsym=__rom_size={core.rom[1]}"
        f",--defsym=__ram={core.ram[0]},--defsym=__ram_size={core.ram[1]}"
    )
    sizes = {}
    for library, specs in libraries.items():
        elf = tmp_path / f"{library}.elf"
        run(
            *(*compiler, *WARNINGS, f"-I{RUNTIME}", f'-DBUNDLE="{demo_bundle}"'),
            *(BARE_METAL / "main.cpp", BARE_METAL / "bundle.S", startup, *objects),
            *(*specs, "-nostartfiles", place, f"-T{BARE_METAL / 'firmware.ld'}"),
            *("-Wl,--gc-sections", "-o", elf),
        )
        text, data, bss = run("arm-none-eabi-size", elf).splitlines()[1].split()[:3]
        sizes[library] = {"flash": int(text) + int(data), "ram": int(data) + int(bss)}
        if shutil.which("qemu-system-arm") is not None:
            passes(qemu(core.machine, elf))
    reports = ROOT / "build" / "reports"
    reports.mkdir(parents=True, exist_ok=True)
    (reports / f"embedding-{name}-{headers}.json").write_text(json.dumps(sizes))


def qemu(machine: str, elf: Path) -> str:
    return run(
        *("qemu-system-arm", "-machine", machine, "-display", "none", "-monitor", "none"),
        *("-serial", "none", "-chardev", "stdio,id=console", "-semihosting-config"),
        *("enable=on,target=native,chardev=console", "-kernel", elf),
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
