# SPDX-License-Identifier: BSD-3-Clause
"""Fetches the executorch wheel for another platform and unpacks what C++ needs of it.

    python executorch_wheel.py manylinux_2_28_aarch64 FOLDER

FOLDER/executorch then serves as CMAKE_PREFIX_PATH. Nothing is done when it is there already. The
version is the one that is installed in this Python, else the newest.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# C++ libraries do not depend on the version of Python; every release has a wheel for this one.
PYTHON_VERSION = "3.11"
WANTED = ("executorch/include/", "executorch/lib/", "executorch/share/", "executorch/version.py")


def requirement() -> str:
    try:
        version = importlib.metadata.version("executorch")
    except importlib.metadata.PackageNotFoundError:
        return "executorch>=1.5.1"
    return f"executorch=={version.partition('+')[0]}"


def fetch(platform: str, folder: Path) -> None:
    if (folder / "executorch" / "share" / "cmake" / "executorch-config.cmake").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary=:all:", "--platform", platform),
            *("--python-version", PYTHON_VERSION, "--dest", scratch, requirement()),
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (wheel,) = Path(scratch).glob("executorch-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.startswith(WANTED)]
            archive.extractall(Path(scratch) / "unpacked", names)
        # # The folder appears whole or not at all.
        shutil.rmtree(folder / "executorch", ignore_errors=True)
        (Path(scratch) / "unpacked" / "executorch").rename(folder / "executorch")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: executorch_wheel.py PLATFORM FOLDER")
    fetch(sys.argv[1], Path(sys.argv[2]))
