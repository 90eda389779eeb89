# SPDX-License-Identifier: BSD-3-Clause
"""A slower way to the same file: JSON, and the ``flatc`` of executorch.

For objects that the direct path refuses and JSON can still express, such as an infinity given as
a string in a list of floats.
"""

from __future__ import annotations

import importlib
import struct
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bpte.program import _codec
from bpte.program._codec import Binding


class FallbackError(Exception):
    """The fallback failed, too."""


def encode(
    binding: Binding,
    program: Any,
    alignments: dict[str, int],
    header_bytes: int,
    header: Callable[[int], bytes] | None,
) -> bytes:
    """As ``_codec.encode``, by executorch's JSON encoder and flatc.

    Raises FallbackError, with the message of the one that failed, or if their result cannot be read
    back.
    """
    json_ = importlib.import_module("executorch.exir._serialize._program")
    flatc = importlib.import_module("executorch.exir._serialize._flatbuffer")
    with tempfile.TemporaryDirectory(prefix="bpte-") as folder:
        schema = flatc._prepare_schema(
            folder, alignments.get("constant_tensor"), alignments.get("delegate")
        )
        try:
            text = json_._program_to_json(program).encode()
        except Exception as error:
            raise FallbackError(f"JSON: {error!r}") from error
        source = Path(folder) / "data.json"
        source.write_bytes(flatc._replace_non_finite_in_json(text))
        done = subprocess.run(
            [flatc._get_flatc_path(), "--binary", "-o", folder, schema.root_path, str(source)],
            capture_output=True,
            text=True,
            errors="replace",
        )
        if done.returncode:
            words = (done.stderr.strip() or done.stdout.strip()).replace(folder, "")
            raise FallbackError(f"flatc: {words or f'exit status {done.returncode}'}")
        data = (Path(folder) / "data.pte").read_bytes()
    try:
        _codec.decode(binding, memoryview(data))
    except ValueError as error:
        raise FallbackError(f"flatc wrote what cannot be read back: {error}") from error
    if not header_bytes or header is None:
        return data
    (root,) = struct.unpack_from("<I", data)
    start = header(len(data) + header_bytes)
    return b"".join(
        (
            struct.pack("<I", root + header_bytes),
            data[4 : _codec.HEADER_OFFSET],
            start,
            bytes(header_bytes - len(start)),
            memoryview(data)[_codec.HEADER_OFFSET :],
        )
    )
