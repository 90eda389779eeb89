# SPDX-License-Identifier: BSD-3-Clause
"""The outputs that a run kept: values of a target, in a ``.npz`` file that numpy reads.

A value is an array of the file, a scalar one of rank 0. What numpy has no name for (bfloat16) is
stored as unsigned integers of its size. What an array's name, element type and memory order are
stands in the results' JSON (`Stored`), with a checksum, so that the two files stay together.
"""

from __future__ import annotations

import io
import math
import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias

from bpte.files import access
from bpte.files.checksum import crc32
from bpte.format.metadata import MAX_RANK
from bpte.format.scalar_type import ScalarType, dtype_name, from_name, numpy_dtype
from bpte.format.tensor_data import TensorData
from bpte.run.compare import Value, kind_of, scalar_type_of, sizes_of
from bpte.run.kept import KeptOutput, Spool
from bpte.run.records import CaseKey
from bpte.run.results_error import ResultsError

#: The values of each case or step that gave some.
Kept: TypeAlias = Mapping[CaseKey, Sequence[KeptOutput]]

#: The file's name in a results folder.
OUTPUTS = "outputs.npz"

KINDS = ("tensor", "int", "double", "bool")
_NAME = re.compile(r"[A-Za-z0-9_]{1,100}")
_CRC = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True)
class Stored:
    """One value of the file. `name` is its array's; `dtype` its elements' (``bfloat16`` is stored
    as uint16); `dim_order` the order in which the target had them; `crc32` of the array's bytes."""

    name: str
    kind: str
    dtype: str
    sizes: tuple[int, ...]
    dim_order: tuple[int, ...]
    crc32: int

    @property
    def scalar_type(self) -> ScalarType:
        found = from_name(self.dtype)
        assert found is not None  # it was checked
        return found

    def as_dict(self) -> dict[str, Any]:
        facts = asdict(self) | {"crc32": f"{self.crc32:08x}"}
        return facts | {"sizes": list(self.sizes), "dim_order": list(self.dim_order)}


def value_of(output: KeptOutput) -> Value:
    """A kept output, to be compared or bundled."""
    if output.kind != "tensor":
        scalar = output.value
        assert scalar is not None  # a record of a scalar states it
        return float(scalar) if output.kind == "double" else scalar
    scalar_type = from_name(output.dtype or "")
    assert scalar_type is not None  # its record was checked
    return TensorData(scalar_type, output.sizes, output.dim_order, output.blocks)


def kept_of(value: Value) -> KeptOutput:
    """A value as a kept output, in a scratch file of its own. Raises ``OSError``."""
    if not isinstance(value, TensorData):
        return KeptOutput(kind_of(value), value=value)
    spool = Spool()
    spool.reserve(value.size)
    offset = 0
    for block in value.blocks():
        data = bytes(block)
        spool.write(offset, data)
        offset += len(data)
    dtype = dtype_name(value.scalar_type)
    return KeptOutput("tensor", dtype, value.sizes, value.dim_order, None, spool)


def _stored_dtype(scalar_type: int) -> str:
    """numpy's name for the elements in the file."""
    return "uint16" if scalar_type == ScalarType.BFLOAT16 else dtype_name(scalar_type)


def write(file: Path, kept: Kept) -> dict[CaseKey, list[Stored]]:
    """Writes the values, one at a time. Raises ``OSError``."""
    stored: dict[CaseKey, list[Stored]] = {}
    with zipfile.ZipFile(file, "w") as archive:
        for key, outputs in kept.items():
            stored[key] = [
                _write(archive, f"{_prefix(key)}_output{number}", value_of(output))
                for number, output in enumerate(outputs)
            ]
    return stored


def _prefix(key: CaseKey) -> str:
    """What the names of its arrays begin with."""
    step = "" if key.step is None else f"_step{key.step}"
    return f"suite{key.suite}_case{key.case}{step}"


def _write(archive: zipfile.ZipFile, name: str, value: Value) -> Stored:
    import numpy as np

    scalar_type, sizes = scalar_type_of(value), sizes_of(value)
    dtype = np.dtype(_stored_dtype(scalar_type)).newbyteorder("<")
    header = io.BytesIO()
    facts = {"descr": dtype.str, "fortran_order": False, "shape": sizes}
    np.lib.format.write_array_header_1_0(header, facts)
    checksum = 0
    # The time is left out, so that equal values make equal files.
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
        member.write(header.getvalue())
        for block in _row_major(value, dtype):
            member.write(block)
            checksum = crc32(block, checksum)
    order = value.dim_order if isinstance(value, TensorData) else ()
    return Stored(name, kind_of(value), dtype_name(scalar_type), sizes, order, checksum)


def _row_major(value: Value, dtype: Any) -> Iterator[Any]:
    import numpy as np

    if not isinstance(value, TensorData):
        yield np.array(value, dtype).tobytes()
    elif value.stated_as(range(len(value.sizes))) is not None:
        yield from value.blocks()
    else:
        flat = np.ascontiguousarray(value.array()).reshape(-1)
        yield flat.view(np.uint8).data


def parse(members: object) -> Stored:
    """An entry of the JSON. Raises ``ResultsError``."""
    facts = members if isinstance(members, dict) else {}
    values: list[Any] = [facts.get(field.name) for field in fields(Stored)]
    name, kind, dtype, sizes, order, crc = values
    valid = (
        (isinstance(name, str) and _NAME.fullmatch(name))
        and kind in KINDS
        and (isinstance(dtype, str) and from_name(dtype) is not None)
        and (isinstance(crc, str) and _CRC.fullmatch(crc))
        and (isinstance(sizes, list) and len(sizes) <= (MAX_RANK if kind == "tensor" else 0))
        and all(type(size) is int and 0 <= size < 2**31 for size in sizes)
        and (isinstance(order, list) and all(type(d) is int for d in order))
        and sorted(order) == list(range(len(sizes)))
    )
    if not valid:
        raise ResultsError(f"this does not say what a kept output is: {facts!r:.100}")
    return Stored(name, kind, dtype, tuple(sizes), tuple(order), int(crc, 16))


class KeptFile(Mapping[CaseKey, Sequence[KeptOutput]]):
    """The kept values of a results folder. Each is read when it is asked for; raises
    ``ResultsError`` when it is not what the JSON says, ``OSError``."""

    def __init__(self, file: Path, stored: Mapping[CaseKey, Sequence[Stored]]) -> None:
        self._file = file
        self._stored = stored

    def __getitem__(self, key: CaseKey) -> Sequence[KeptOutput]:
        return [kept_of(self._load(entry)) for entry in self._stored[key]]

    def __iter__(self) -> Iterator[CaseKey]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def __contains__(self, key: object) -> bool:
        return key in self._stored  # the default would read the values

    def _load(self, entry: Stored) -> Value:
        import numpy as np

        data = self._read(entry)
        flat = np.frombuffer(data, numpy_dtype(entry.scalar_type))
        if entry.kind != "tensor":
            scalar: int | float | bool = flat[0].item()
            return scalar
        shaped = flat.reshape(entry.sizes).transpose(entry.dim_order)

        def blocks() -> Iterator[Any]:
            yield np.ascontiguousarray(shaped).reshape(-1).view(np.uint8).data

        return TensorData(entry.scalar_type, entry.sizes, entry.dim_order, blocks)

    def _read(self, entry: Stored) -> bytes:
        """The array's bytes, row-major."""
        import numpy as np

        what = f"{self._file}: {entry.name}"
        size = math.prod(entry.sizes) * np.dtype(_stored_dtype(entry.scalar_type)).itemsize
        try:
            with (
                os.fdopen(access.open_input(self._file), "rb") as file,
                zipfile.ZipFile(file) as archive,
                archive.open(f"{entry.name}.npy") as member,
            ):
                version = np.lib.format.read_magic(member)
                if version != (1, 0):
                    raise ValueError(f"version {version}")
                facts = np.lib.format.read_array_header_1_0(member)
                data = member.read(size + 1)
        except OSError:
            raise
        except Exception as error:  # from zip archives, decompressors and numpy's parser
            raise ResultsError(f"{what}: cannot be read: {error}") from None
        expected = (entry.sizes, False, np.dtype(_stored_dtype(entry.scalar_type)))
        if facts != expected or len(data) != size or crc32(data) != entry.crc32:
            raise ResultsError(f"{what}: is not the array that the results were written with")
        return data
