# SPDX-License-Identifier: BSD-3-Clause
"""Files are opened by name in ``bpte.files`` only, so that no output can be an input and no pipe
holds a command up."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "python" / "bpte"
# Verbs that pack, read and write; bpte run announces what others will open.
MODULES = [
    *sorted((PACKAGE / "pack").glob("*.py")),
    *sorted((PACKAGE / "devtools").rglob("*.py")),
    *(PACKAGE / "cli" / f"{verb}.py" for verb in ("pack", "inspect", "check", "extract")),
    *(PACKAGE / "cli" / "convert.py", PACKAGE / "bundle.py", PACKAGE / "program" / "pte_file.py"),
]
OPENS = {"open", "read_bytes", "read_text", "write_bytes", "write_text", "fromfile", "tofile"}
# Theirs is a descriptor or an open file, or a method of the same name.
ALLOWED = {("array_file.py", "load"), ("array_file.py", "memmap")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_nothing_is_opened_by_name(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            function = node.func
            name = getattr(function, "attr", getattr(function, "id", ""))
            owner = getattr(getattr(function, "value", None), "id", "")
            numpy = owner == "np" and name in ("load", "memmap", "save")
            if (path.name, name) not in ALLOWED:
                assert name not in OPENS and not numpy, f"{path.name}:{node.lineno}: {name}"
