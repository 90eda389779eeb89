# SPDX-License-Identifier: BSD-3-Clause
"""The whole way of a bundle, with a real model: pack, check, inspect, run here, run on a board.

make demo
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEMO = Path("examples") / "demo"
BUNDLE = Path("build") / "demo" / "mlp.bpte"

# What `bpte run --board corstone-300` needs from the system.
BOARD_TOOLS = {
    "arm-none-eabi-g++": "gcc-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
}


def bpte(*words: str | Path) -> int:
    print("\n$ bpte", *words, flush=True)
    command = [Path(sys.executable).with_name("bpte"), *words]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main() -> int:
    # The environment's own cmake and ninja come first: executorch's package wants cmake >= 3.28.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    (ROOT / BUNDLE).parent.mkdir(parents=True, exist_ok=True)
    steps: list[tuple[str | Path, ...]] = [
        ("pack", DEMO / "mlp.pte", "--suite", DEMO / "suite.toml", "-o", BUNDLE),
        ("check", BUNDLE),
        ("inspect", BUNDLE),
        ("run", BUNDLE),
    ]
    missing = [name for tool, name in BOARD_TOOLS.items() if shutil.which(tool) is None]
    if not missing:
        steps.append(("run", BUNDLE, "--board", "corstone-300", "--simulator", "qemu"))
    for step in steps:
        code = bpte(*step)
        if code != 0:
            return code
    if missing:
        print(f"\nskipped: the emulated Cortex-M55 ({', '.join(missing)} not installed)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
