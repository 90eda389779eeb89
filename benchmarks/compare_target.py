# SPDX-License-Identifier: BSD-3-Clause
"""Instructions that judging takes for each element on Cortex-M, counted under QEMU.

    python benchmarks/compare_target.py

A firmware (benchmarks/target/compare.cpp) times compare() by SysTick; with -icount every
instruction takes QEMU the same time, so that ticks are instructions. They are not cycles: a
division counts as one. Each row: equal tensors, 5 % of the elements off, all of them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = ROOT / "runtime"
CORE = RUNTIME / "bpte" / "core"
BARE_METAL = ROOT / "tests" / "consumer" / "bare_metal"
SOURCES = [
    *(CORE / name for name in ("compare.cpp", "scalar_type.cpp", "format_number.cpp")),
    *(CORE / "internal" / name for name in ("judge_blocks.cpp", "vector_kernels.cpp", "walk.cpp")),
    ROOT / "benchmarks" / "target" / "compare.cpp",
]
# QEMU's machine, the processor's options, and where ROM and RAM lie.
TARGETS = {
    "Cortex-M55": ("mps3-an547", "-mcpu=cortex-m55", (0x10000000, 0x30000000)),
    "Cortex-M7": ("mps2-an500", "-mcpu=cortex-m7", (0x00000000, 0x20000000)),
}
VARIANTS = {
    "-Os": ["-Os", f"@{CORE / 'small.rsp'}"],
    "-O2, small": ["-O2", "-DBPTE_CORE_SMALL=1"],
    "-O2": ["-O2"],
}


def run(*command: object) -> str:
    words = [str(word) for word in command]
    return subprocess.run(
        words, check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=120
    ).stdout


def count(target: str, flags: list[str], folder: Path) -> str:
    machine, processor, (rom, ram) = TARGETS[target]
    options = [processor, "-mthumb", "-mfloat-abi=hard", *flags, "-ffunction-sections"]
    startup, elf = folder / "startup.o", folder / "compare.elf"
    run("arm-none-eabi-gcc", *options, "-c", BARE_METAL / "startup.c", "-o", startup)
    run(
        *("arm-none-eabi-g++", *options, "-std=c++17", "-fno-exceptions", "-fno-rtti"),
        *("-fno-threadsafe-statics", f"@{CORE / 'compare.rsp'}", f"-I{RUNTIME}"),
        *(*SOURCES, startup, "-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs"),
        f"-Wl,--defsym=__rom={rom},--defsym=__rom_size=0x40000,--defsym=__ram={ram}",
        *("-Wl,--defsym=__ram_size=0x40000,--gc-sections", "-T", BARE_METAL / "firmware.ld"),
        *("-o", elf),
    )
    return run(
        *("qemu-system-arm", "-machine", machine, "-display", "none", "-monitor", "none"),
        *("-serial", "none", "-chardev", "stdio,id=console", "-icount", "shift=5"),
        *("-semihosting-config", "enable=on,target=native,chardev=console", "-kernel", elf),
    )


def main() -> int:
    for tool in ("arm-none-eabi-g++", "qemu-system-arm"):
        if shutil.which(tool) is None:
            print(f"{tool} is not installed", file=sys.stderr)
            return 2
    for target in TARGETS:
        for variant, flags in VARIANTS.items():
            with tempfile.TemporaryDirectory(prefix="bpte-count-") as folder:
                output = count(target, flags, Path(folder))
            print(f"\n{target}, {variant}: instructions for each element")
            print(f"  {'':10} {'equal':>8} {'5 % off':>8} {'all off':>8}")
            for line in output.splitlines():
                name, *values = line.split()
                print(f"  {name:10} " + " ".join(f"{value:>8}" for value in values))
    return 0


if __name__ == "__main__":
    sys.exit(main())
