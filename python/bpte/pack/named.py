# SPDX-License-Identifier: BSD-3-Clause
"""Named data on its way into a bundle: external weights, graphs, and what callers agreed on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bpte.format import layout
from bpte.format.metadata import NamedDataRole, is_file_name
from bpte.pack.cases import checked_text
from bpte.pack.program_source import FileRun, ProgramSource, program_source
from bpte.pack.tensors import PackError


class NamedFile(NamedTuple):
    """Named data with a role. ``data``: bytes, or a path."""

    data: object
    role: NamedDataRole = NamedDataRole.NONE
    file_name: str | None = None
    """The name under which it is extracted."""

    @property
    def is_weights(self) -> bool:
        return self.role is NamedDataRole.PTD


def external_constants(program: object) -> dict[str, object]:
    """The data files beside a program (``ExecutorchProgramManager``), by the names that its
    ``write_tensor_data_to_file`` gives them."""
    files: Mapping[str, object] = getattr(program, "_tensor_data", None) or {}
    return {name if name.endswith(".ptd") else f"{name}.ptd": data for name, data in files.items()}


def gather(
    named_data: Mapping[str, object],
    weights: Mapping[str, object],
    graphs: Mapping[str, object],
) -> dict[str, NamedFile]:
    """All of it by key, in the order of the keys. The key of weights is their file name. Raises
    ``PackError``."""
    found: dict[str, NamedFile] = {}

    def add(key: str, named: NamedFile) -> None:
        if checked_text("a key of named data", key) in found:
            raise PackError(f"two pieces of named data have the key {key!r}")
        name = named.file_name
        if name is not None and not is_file_name(checked_text("a file name", name, empty=True)):
            raise PackError(f"{name!r} is not a plain file name, which named data needs")
        if named.role is NamedDataRole.PTD and name is None:
            raise PackError(f"the weights {key!r} need a file name")
        found[key] = named

    for key, data in named_data.items():
        add(key, data if isinstance(data, NamedFile) else NamedFile(data))
    for name, data in weights.items():
        add(name, NamedFile(data, NamedDataRole.PTD, name))
    for key, data in graphs.items():
        file_name = Path(data).name if isinstance(data, (str, os.PathLike)) else None
        add(key, NamedFile(data, NamedDataRole.GRAPH, file_name))
    return dict(sorted(found.items()))


def alignment(role: NamedDataRole, size: int, least: int) -> int:
    """Of the segment. Large weights begin at a page, so that file systems can share their blocks
    with the file that they were copied from."""
    if role is NamedDataRole.PTD and size >= layout.PAGE_ALIGNED_FROM:
        return max(layout.PAGE, least)
    return least


def source(named: NamedFile) -> ProgramSource:
    """What copies it. Raises ``PackError`` for weights that are none; those of another bundle are
    taken as they are."""
    opened = program_source(named.data)
    checked = named.role is NamedDataRole.PTD and not isinstance(named.data, FileRun)
    if checked and opened.head(8)[4:6] != b"FT":
        opened.close()
        raise PackError(
            f"{named.file_name!r} is not a data file (.ptd) of ExecuTorch: bytes 4-5 are not 'FT'"
        )
    return opened
