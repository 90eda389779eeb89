# SPDX-License-Identifier: BSD-3-Clause
"""The whole way of a bundle, with a real model on real data: handwritten digits, float32 and int8,
on this machine and on an emulated Cortex-M55, at last with a model of an Ethos-U55.

make demo
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bpte.files import access
from bpte.run import outputs_file, results_folder

ROOT = Path(__file__).resolve().parent.parent
DIGITS = Path("examples") / "digits"
FOLDER = Path("build") / "demo"

# What `bpte run --board corstone-300` needs from the system.
BOARD_TOOLS = {
    "arm-none-eabi-g++": "gcc-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
}
DRAWN = 4
"""How many digits are drawn in a row."""


class Target(NamedTuple):
    """Where a program runs: words for people, and for `bpte run`."""

    name: str
    words: tuple[str, ...] = ()


HOST = Target("this machine, ExecuTorch")
CORTEX_M55 = Target(
    "emulated Cortex-M55, reference engine", ("--board", "corstone-300", "--simulator", "qemu")
)
HOST_ETHOS_U55 = Target("this machine, model of an Ethos-U55")
CORTEX_M55_ETHOS_U55 = Target(
    "emulated Cortex-M55, model of the NPU", (*CORTEX_M55.words, "--npu", "model")
)
BOARD = (CORTEX_M55, CORTEX_M55_ETHOS_U55)
PROGRAMS = {
    "digits": ("digits.toml", (HOST, CORTEX_M55)),
    "digits_int8": ("digits_int8.toml", (HOST, CORTEX_M55)),
    "digits_ethos_u55": ("digits_int8.toml", (HOST_ETHOS_U55, CORTEX_M55_ETHOS_U55)),
}


class Failed(Exception):
    """A command ended with this code."""


def bpte(*words: str | Path, whole: bool = True) -> None:
    """Runs a command and shows its output, or only the last line while all is well."""
    print("\n$ bpte", *words, flush=True)
    command = [Path(sys.executable).with_name("bpte"), *words]
    if whole:
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
    else:
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        code = done.returncode
        print(done.stdout if code else done.stdout.splitlines()[-1], end="" if code else "\n")
    if code != 0:
        raise Failed(code)


def predictions(folder: Path) -> list[int]:
    """What the target took each digit for: the largest of the ten scores that it computed."""
    with access.command():
        kept = results_folder.read(folder).kept
        scores = {key: outputs_file.value_of(kept[key][0]) for key in kept}
        arrays = {key.case: value.array() for key, value in scores.items()}  # type: ignore[union-attr]
    return [int(arrays[case].argmax()) for case in sorted(arrays)]


def draw(images: Any, captions: list[str]) -> None:
    """Draws images of 8x8 pixels in a row, two characters for a pixel."""
    shades = " ░▒▓█"
    try:
        shades.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        shades = " .+*#"
    levels = np.rint(images * (len(shades) - 1)).astype(int)
    print()
    for row in range(8):
        print("  ".join("".join(2 * shades[x] for x in image[row]) for image in levels).rstrip())
    print("  ".join(f"{caption:16}" for caption in captions).rstrip())


def show_digits(predicted: list[int]) -> None:
    """Some that the model got right, and some that it got wrong."""
    samples = np.load(ROOT / DIGITS / "samples.npz")
    labels = samples["labels"]
    images = samples["images"].reshape(-1, 8, 8)
    right = {digit: k for k, digit in enumerate(predicted) if digit == labels[k]}
    wrong = [k for k, digit in enumerate(predicted) if digit != labels[k]]
    for chosen in ([right[digit] for digit in sorted(right)][:DRAWN], wrong[:DRAWN]):
        draw(images[chosen], [f"{predicted[k]}, expected {labels[k]}" for k in chosen])


def main() -> int:
    # The environment's own cmake and ninja come first: executorch's package wants cmake >= 3.28.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    (ROOT / FOLDER).mkdir(parents=True, exist_ok=True)
    missing = [name for tool, name in BOARD_TOOLS.items() if shutil.which(tool) is None]
    labels = np.load(ROOT / DIGITS / "samples.npz")["labels"]
    results = []
    try:
        bpte("inspect", DIGITS / "digits.pte")
        for name, (suite, targets) in PROGRAMS.items():
            bundle = FOLDER / f"{name}.bpte"
            bpte("pack", DIGITS / f"{name}.pte", "--suite", DIGITS / suite, "-o", bundle)
            bpte("check", bundle)
            for number, target in enumerate(targets):
                if target in BOARD and missing:
                    continue
                folder = FOLDER / f"{name}-{number}"
                bpte("run", bundle, *target.words, "--keep-outputs", "-o", folder, whole=False)
                predicted = predictions(ROOT / folder)
                if not results:
                    show_digits(predicted)
                right = sum(a == b for a, b in zip(predicted, labels, strict=True))
                results.append((f"{name}.pte", target.name, right))
    except Failed as failed:
        return int(failed.args[0])
    print(f"\nOf {len(labels)} digits that it was not trained with, the network read right:\n")
    for name, target, right in results:
        print(f"  {name:21} {target:40} {right} ({right / len(labels):.1%})")
    if missing:
        print(f"\nskipped: the emulated Cortex-M55 ({', '.join(missing)} not installed)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
