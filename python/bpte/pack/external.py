# SPDX-License-Identifier: BSD-3-Clause
"""Checks that a program's data files hold the tensors that it does not hold itself."""

from __future__ import annotations

from collections.abc import Mapping

from bpte.pack.program_source import ProgramSource
from bpte.pack.tensors import PackError
from bpte.program import ProgramError, ProgramInfo, ValueInfo, data_file
from bpte.program.data_file import DataEntry, DataFileInfo
from bpte.program.pte_file import value_text


def read(source: ProgramSource) -> DataFileInfo:
    """What a data file holds. Raises ``ProgramError``."""
    first = source.head(data_file.PROBE_SIZE)
    return data_file.read(source.head(data_file.front_size(first, source.size)), source.size)


def entries(files: Mapping[str, ProgramSource]) -> dict[str, tuple[str, DataEntry]]:
    """By key: the file, by its name, and what it holds. Raises ``PackError`` for a malformed file,
    and for a key of two files."""
    found: dict[str, tuple[str, DataEntry]] = {}
    for name, source in files.items():
        try:
            info = read(source)
        except ProgramError as error:
            raise PackError(f"{name!r} is not a well-formed data file (.ptd): {error}") from None
        for entry in info.entries:
            if entry.key in found:
                raise PackError(f"{found[entry.key][0]!r} and {name!r} have one key {entry.key!r}")
            found[entry.key] = name, entry
    return found


def check(program: ProgramInfo, found: Mapping[str, tuple[str, DataEntry]]) -> None:
    """Raises ``PackError`` for tensors that no file has, all of them named, or for the first that
    a file has with another dtype, shape or size."""
    for method in program.methods:
        missing = [
            str(value.data_name) for value in method.external if value.data_name not in found
        ]
        if missing:
            files = sorted({name for name, _ in found.values()})
            raise PackError(
                f"the program needs external tensors that {_names(files)}: "
                + ", ".join(map(repr, missing)),
                method=method.name,
            )
        for value in method.external:
            _check(value, *found[str(value.data_name)], method.name)


def _names(files: list[str]) -> str:
    if not files:
        return "no data file (.ptd) was given for"
    return f"{', '.join(map(repr, files))} {'does' if len(files) == 1 else 'do'} not have"


def _check(wanted: ValueInfo, file: str, entry: DataEntry, method: str) -> None:
    layout = entry.layout
    what = f"the external tensor {entry.key!r} of {file!r}"
    if layout is None:
        raise PackError(f"{what} has no dtype and shape", method=method)
    if (layout.scalar_type, layout.sizes, layout.dim_order) != (
        wanted.scalar_type,
        wanted.sizes,
        wanted.dim_order,
    ):
        raise PackError(
            f"{what} is {value_text(layout.as_value())}, the program wants {value_text(wanted)}",
            method=method,
        )
    if wanted.nbytes is not None and entry.size != wanted.nbytes:
        raise PackError(f"{what} has {entry.size} bytes, it needs {wanted.nbytes}", method=method)
