# SPDX-License-Identifier: BSD-3-Clause
"""Builds object_api.cpp against the system's FlatBuffers and the installed executorch's schema."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path


class Unavailable(Exception):
    """Something that the build needs is not installed; the message says what."""


def build(folder: Path) -> Path:
    """The program, made in ``folder``. The generated header and FlatBuffers' own must be of one
    version, so both come from the system (Debian: flatbuffers-compiler, libflatbuffers-dev)."""
    flatc, compiler = shutil.which("flatc", path="/usr/bin:/usr/local/bin"), shutil.which("g++")
    if flatc is None or compiler is None:
        raise Unavailable("flatc or g++ is not installed")
    spec = importlib.util.find_spec("executorch")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable("executorch is not installed")
    schema = Path(spec.submodule_search_locations[0]) / "exir" / "_serialize" / "program.fbs"
    target = folder / "object_api"
    if target.exists():
        return target
    try:
        subprocess.run(
            [flatc, "--cpp", "--gen-object-api", "-o", folder, schema],
            check=True,
            capture_output=True,
            text=True,
        )
        scalar_type = schema.with_name("scalar_type.fbs")
        subprocess.run([flatc, "--cpp", "-o", folder, scalar_type], check=True)
        subprocess.run(
            [
                *(compiler, "-std=c++17", "-O2", "-I", folder, "-o", target),
                Path(__file__).with_name("object_api.cpp"),
            ],
            check=True,
            capture_output=True,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{error.cmd[0]}: {error.stderr}") from error
    return target
