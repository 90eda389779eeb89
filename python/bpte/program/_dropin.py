# SPDX-License-Identifier: BSD-3-Clause
"""ExecuTorch's own ``to_executorch()`` and ``save`` on this serializer."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from bpte.program import _codec, _pte, _restore, _tables

TESTED = ("1.5.1",)
"""The versions of executorch that this was tested with, and will touch."""

_PACKAGE = "executorch.exir._serialize"
FUNCTIONS = (
    (f"{_PACKAGE}._program", "serialize_pte_binary"),
    (f"{_PACKAGE}._program", "deserialize_pte_binary"),
    (f"{_PACKAGE}._flatbuffer_program", "_program_to_flatbuffer"),
    (f"{_PACKAGE}._flatbuffer_program", "_flatbuffer_to_program"),
)
"""The functions that are replaced: module and name."""


class UnsupportedExecuTorchError(RuntimeError):
    """The installed executorch is not one that the drop-in was tested with."""


class Patch:
    """An active patch; ``undo`` it, or use it as a context manager."""

    def __init__(self) -> None:
        self._active = True

    def undo(self) -> None:
        """Restores executorch. Patches are counted: undoing the last one restores executorch.
        Undoing one twice does nothing."""
        if self._active:
            self._active = False
            _release()

    def __enter__(self) -> Patch:
        return self

    def __exit__(self, *_: object) -> None:
        self.undo()


def patch_executorch() -> Patch:
    """From now on, executorch serializes and deserializes programs with this package.

    One call is enough; ``with patch_executorch():`` limits it to a block. Raises
    UnsupportedExecuTorchError, and changes nothing, for a version that is not in ``TESTED`` or a
    schema that is not the one of that version, and ImportError without executorch.
    """
    with _LOCK:
        if not _PATCHED:
            _check_version()
            _apply()
        _PATCHED.append(None)
    return Patch()


_LOCK = threading.Lock()
_PATCHED: list[None] = []  # one entry per patch that is active
_REPLACED: list[tuple[ModuleType, str, Any]] = []  # what to put back, and where


def _check_version() -> None:
    try:
        version = importlib.metadata.version("executorch")
    except importlib.metadata.PackageNotFoundError:
        raise ImportError("executorch is not installed") from None
    if version.partition("+")[0] not in TESTED:
        raise UnsupportedExecuTorchError(
            f"executorch {version} has not been tested with bpte.program's drop-in (tested: "
            f"{', '.join(TESTED)}); call bpte.program.serialize_pte yourself, or install one of "
            "these"
        )
    binding = _codec.executorch()  # Refuses dataclasses that do not fit the schema.
    if binding.schema != (_tables.IDENTIFIER, _tables.ROWS):
        raise UnsupportedExecuTorchError(
            f"the program.fbs of the installed executorch {version} is not that of the release"
        )


def _apply() -> None:
    ours: tuple[Callable[..., Any], ...] = (
        _serialize_pte_binary,
        _deserialize_pte_binary,
        _program_to_flatbuffer,
        _flatbuffer_to_program,
    )
    replacements = {}
    for (name, function), replacement in zip(FUNCTIONS, ours, strict=True):
        original = getattr(importlib.import_module(name), function)
        replacements[id(original)] = (original, _only_while_patched(original, replacement))
    # Modules import these functions by name, so that each holds its own reference.
    for name, module in list(sys.modules.items()):
        if not isinstance(module, ModuleType) or name.partition(".")[0] != "executorch":
            continue
        for attribute, value in list(vars(module).items()):
            found = replacements.get(id(value))
            if found is not None and found[0] is value:
                _REPLACED.append((module, attribute, value))
                setattr(module, attribute, found[1])


def _release() -> None:
    with _LOCK:
        _PATCHED.pop()
        if _PATCHED:
            return
        while _REPLACED:
            module, attribute, original = _REPLACED.pop()
            setattr(module, attribute, original)


def _only_while_patched(original: Callable[..., Any], ours: Callable[..., Any]) -> Any:
    """A module that is imported while the patch is active keeps this function for ever, so the
    function checks whether the patch is still active."""

    @functools.wraps(original)
    def function(*args: Any, **kwargs: Any) -> Any:
        return (ours if _PATCHED else original)(*args, **kwargs)

    return function


def _serialize_pte_binary(pte_file: Any, **options: Any) -> Any:
    cord = importlib.import_module("executorch.exir._serialize._cord").Cord()
    for chunk in _pte.serialize_pte(pte_file, **options).chunks:
        cord.append(bytes(chunk) if isinstance(chunk, memoryview) else chunk)
    return cord


def _deserialize_pte_binary(program_data: bytes) -> Any:
    return _restore.deserialize_pte(program_data)


def _program_to_flatbuffer(program: Any, **options: Any) -> Any:
    flatbuffer = importlib.import_module("executorch.exir._serialize._flatbuffer")
    alignments = _codec.executorch().alignments(**options)
    return flatbuffer._FlatbufferResult(
        data=_pte.serialize(program, **options), max_alignment=max(alignments.values())
    )


def _flatbuffer_to_program(program_data: bytes) -> Any:
    return _restore.deserialize(program_data)
