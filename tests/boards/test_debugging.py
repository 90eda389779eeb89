# SPDX-License-Identifier: BSD-3-Clause
"""What CONTRIBUTING.md prints about gdb, run as it stands there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from boards_support import ROOT, require


def test_the_session_of_the_page(tmp_path: Path) -> None:
    require("arm-none-eabi-g++", "qemu-system-arm", "gdb-multiarch", "ninja")
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    (session,) = re.findall(r"^```sh\n((?:(?!```).)*gdb-multiarch.*?)^```", page, re.M | re.S)
    # Elsewhere than in this checkout, on no port of this machine, and to an end.
    words = session.replace("build/", f"{tmp_path}/")
    words = words.replace("tcp:127.0.0.1:1234", f"unix:{tmp_path}/gdb,server=on,wait=off")
    words = words.replace("127.0.0.1:1234", f"{tmp_path}/gdb")
    assert words.count(f"{tmp_path}/gdb") == 2
    words = words.replace("gdb-multiarch ", "sleep 1; timeout 60 gdb-multiarch -batch ")
    # The emulator ends with the firmware. Whether gdb hears of it before its line breaks is
    # chance.
    words = words.rstrip() + " -ex backtrace -ex delete -ex continue || true\nwait\n"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        ["sh", "-e", "-c", words],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=300)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, said
    assert re.search(r"^#0 +bpte::run_bundle .*runner\.cpp:\d+$", said, re.MULTILINE), said
    assert '"event":"end","passed":3,"failed":0' in said, said
