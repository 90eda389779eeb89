# SPDX-License-Identifier: BSD-3-Clause
"""The one part of the package that is compiled; everything else is in pyproject.toml.

The accelerator is optional: without a compiler the package installs without it, and works the
same, slower.
"""

from pathlib import Path

from setuptools import Extension, setup

SOURCES = Path("python/bpte/_native")

setup(
    ext_modules=[
        Extension(
            "bpte.program._native",
            sources=sorted(path.as_posix() for path in SOURCES.glob("*.cpp")),
            depends=sorted(path.as_posix() for path in SOURCES.glob("*.h")),
            language="c++",
            extra_compile_args=["-std=c++17", "-O2"],
            optional=True,
        )
    ]
)
