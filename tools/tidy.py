# SPDX-License-Identifier: BSD-3-Clause
"""clang-tidy over the C++ that does not need ExecuTorch, with the checks of .clang-tidy.

    make tidy
    python tools/tidy.py --changed main    only what differs from a commit

Any finding is an error.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = ROOT / "runtime"
FOLDERS = ("core", "engine/ethosu", "engine/reference", "runner")
OPTIONS = ("-std=c++17", f"-I{RUNTIME}", "-DBPTE_ETHOSU_MODEL=1")


def sources() -> list[Path]:
    found = [path for folder in FOLDERS for path in (RUNTIME / "bpte" / folder).rglob("*.cpp")]
    return sorted([*found, *(RUNTIME / "bpte" / "engine").glob("*.cpp")])


def changed(since: str) -> set[Path]:
    """Files that differ from a commit, new ones included."""
    names: set[str] = set()
    for command in (["diff", "--name-only", since], ["ls-files", "-o", "--exclude-standard"]):
        done = subprocess.run(
            ["git", *command], cwd=ROOT, capture_output=True, text=True, check=True
        )
        names.update(done.stdout.split())
    return {ROOT / name for name in names}


def tidy(source: Path) -> str:
    """What is said of a file; "" when nothing is."""
    command = ["clang-tidy", "--quiet", source, "--", *OPTIONS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout or done.stderr


def main() -> int:
    parser = argparse.ArgumentParser(description="clang-tidy over the C++ sources.")
    parser.add_argument("--changed", metavar="COMMIT", help="only files that differ from it")
    options = parser.parse_args()
    if shutil.which("clang-tidy") is None:
        print("clang-tidy is not installed (apt-get install clang-tidy)", file=sys.stderr)
        return 1
    files = sources()
    if options.changed:
        touched = changed(options.changed)
        headers = any(path.suffix in (".h", ".def") for path in touched)
        files = files if headers else [path for path in files if path in touched]
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        findings = [text for text in pool.map(tidy, files) if text]
    print(*findings, sep="\n", end="" if not findings else "\n")
    print(f"clang-tidy: {len(files)} files, {len(findings)} with findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
