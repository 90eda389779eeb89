# SPDX-License-Identifier: BSD-3-Clause
"""What pyproject.toml cannot say: the compiled part, and the sources that travel with the package.

The accelerator is optional: without a compiler the package installs without it, and works the
same, slower. The runner and the firmware are built where they are first needed, so their sources go
along, as ``bpte/_sources``.
"""

import shutil
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

NATIVE = Path("python/bpte/program/_native")

RUNTIME_SOURCES = ("CMakeLists.txt", "LICENSE", "cmake", "runtime", "boards", "schema")


class BuildWithSources(build_py):
    """Copies the runtime's sources into a built package; an editable one finds the checkout's."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for name in RUNTIME_SOURCES:
            target = Path(self.build_lib) / "bpte" / "_sources" / name
            if Path(name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(name, target, dirs_exist_ok=True, ignore=ignored)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(name, target)


setup(
    cmdclass={"build_py": BuildWithSources},
    ext_modules=[
        Extension(
            "bpte.program._native",
            sources=sorted(path.as_posix() for path in NATIVE.glob("*.cpp")),
            depends=sorted(path.as_posix() for path in NATIVE.glob("*.h")),
            language="c++",
            extra_compile_args=["-std=c++17", "-O2", "-g0", "-fvisibility=hidden"],
            optional=True,
        )
    ],
)
