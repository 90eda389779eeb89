# SPDX-License-Identifier: BSD-3-Clause
"""`make demo`, without what it installs: the commands and what they show."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def shown(bpte_runner: Path) -> str:
    command = [sys.executable, ROOT / "tools" / "demo.py"]
    environment = {**os.environ, "BPTE_RUNNER": str(bpte_runner), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command, env=environment, capture_output=True, encoding="utf-8", timeout=540, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_every_digit_is_judged_on_every_target(shown: str) -> None:
    targets = ["this machine, ExecuTorch"] * 2 + ["this machine, model of an Ethos-U55"]
    if shutil.which("arm-none-eabi-g++") and shutil.which("qemu-system-arm"):
        targets += ["emulated Cortex-M55, reference engine"] * 2
        targets += ["emulated Cortex-M55, model of the NPU"]
    else:
        assert "skipped: the emulated Cortex-M55" in shown
    judged = "passed: 360 of 360 cases passed, 1 of 1 metrics kept their bounds"
    assert shown.count(judged) == len(targets)
    rows = re.findall(r"^  digits\S*\.pte +(\S.*?) +(\d+) \((\d+\.\d)%\)$", shown, re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == sorted(targets)
    for _, right, share in rows:
        assert 350 <= int(right) < 360
        assert float(share) == pytest.approx(int(right) / 3.6, abs=0.05)


def test_digits_are_drawn_with_what_they_were_taken_for(shown: str) -> None:
    captions = re.findall(r"(\d), expected (\d)", shown)
    assert [a == b for a, b in captions] == [True] * 4 + [False] * 4
    rows = [line for line in shown.splitlines() if re.fullmatch(r"[ ░▒▓█]+", line)]
    assert len(rows) >= 12  # two rows of digits, 8 lines each; a line may be empty
    assert all(len(line) <= 80 for line in rows)
