# SPDX-License-Identifier: BSD-3-Clause
"""An independent reader and writer: what flatc generates, and the package ``flatbuffers``."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

SCHEMA = Path(__file__).parents[2] / "schema" / "bpte.fbs"


class Unavailable(Exception):
    """What the generated code needs is not installed; the message says what."""


def executorch_folder() -> Path:
    spec = importlib.util.find_spec("executorch")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable("executorch, whose flatc is used, is not installed")
    return Path(spec.submodule_search_locations[0])


def generate(schema: Path, folder: Path) -> ModuleType:
    """The module that the flatc of the executorch package makes of a schema."""
    if importlib.util.find_spec("flatbuffers") is None:
        raise Unavailable("flatbuffers is not installed")
    flatc = executorch_folder() / "data" / "bin" / "flatc"
    options = ("--python", "--gen-object-api", "--gen-onefile", "--gen-all")
    subprocess.run([flatc, *options, "-o", folder, schema], check=True, capture_output=True)
    path = folder / f"{schema.stem}_generated.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plain(value: Any) -> Any:
    """Objects of the generated object API as (class, fields), lists and Python's own values.

    A field's name is as in the schema. What is absent is None.
    """
    if isinstance(value, bytes):
        return value.decode()
    if hasattr(value, "tolist"):  # a vector of scalars is an array
        return value.tolist()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if hasattr(value, "InitFromObj"):
        fields = {_snake(name): plain(item) for name, item in vars(value).items()}
        return type(value).__name__.removesuffix("T"), fields
    return value


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def fields_seen(value: Any, seen: set[tuple[str, str]]) -> None:
    """Collects the (table, field) that are there, and not their defaults, below a plain value."""
    if isinstance(value, list):
        for item in value:
            fields_seen(item, seen)
    elif isinstance(value, tuple):
        table, fields = value
        for name, item in fields.items():
            if item not in (None, 0, 0.0, False, [], ""):
                seen.add((table, name))
                fields_seen(item, seen)
