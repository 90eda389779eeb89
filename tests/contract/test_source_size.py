# SPDX-License-Identifier: BSD-3-Clause
"""What keeps the Python sources readable: lines of a file and of a function, and names."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "python/bpte"
LONGEST_FILE = 450
LONGEST_FUNCTION = 60


def _documented(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's docstring: what a caller reads does not make the code longer."""
    first = node.body[0]
    if ast.get_docstring(node) is None or first.end_lineno is None:
        return 0
    return first.end_lineno - first.lineno + 1


def too_long(name: str, source: str) -> Iterator[str]:
    lines = len(source.splitlines())
    if lines > LONGEST_FILE:
        yield f"{name}: {lines} lines; a module has {LONGEST_FILE} at most: split it"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1 - _documented(node)
            if lines > LONGEST_FUNCTION:
                where = f"{name}:{node.lineno}: {node.name}"
                yield f"{where} has {lines} lines; a function has {LONGEST_FUNCTION} at most"


def test_no_file_and_no_function_is_too_long() -> None:
    sources = sorted(PACKAGE.rglob("*.py"))
    assert len(sources) > 50
    found = [each for path in sources for each in too_long(str(path), path.read_text())]
    assert not found, "\n".join(found)


def test_the_limits_are_the_last_that_pass() -> None:
    function = "def f():\n" + "    pass\n" * (LONGEST_FUNCTION - 1)
    described = function.replace("\n", '\n    """A.\n\n    B."""\n', 1)
    method = "class C:\n" + "".join(f"    {line}\n" for line in function.splitlines())
    file = "pass\n" * LONGEST_FILE
    assert not [*too_long("a.py", function), *too_long("a.py", method), *too_long("a.py", file)]
    assert not [*too_long("a.py", described)]
    (said,) = too_long("a.py", method + "        pass\n")
    assert said == "a.py:2: f has 61 lines; a function has 60 at most"
    (said,) = too_long("a.py", file + "pass\n")
    assert said == "a.py: 451 lines; a module has 450 at most: split it"


def test_no_two_modules_have_one_name() -> None:
    """Verbs excepted, which are named as people type them, and the names of executorch.devtools."""
    names = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] not in ("cli", "devtools")
    ]
    assert {"convert.py", "schema.py"} <= set(names)
    twins = {name for name, count in Counter(names).items() if count > 1}
    assert twins == {"__init__.py"}
