# SPDX-License-Identifier: BSD-3-Clause
"""ExecuTorch programs: what is in a ``.pte`` file, and ``Program`` objects to files and back.

``inspect`` needs neither torch nor executorch; the rest needs executorch, which is imported when
it is first called. ``to_executorch()`` is called once in a process, so the time of the import
counts. The package therefore imports what writing needs, and everything else on first use.

What lives here: the codec of programs (``_schema`` and ``_tables``: the description of their
tables; ``_writer``, ``_reader`` and ``_native``: the bytes; ``_pte`` and ``_restore``: whole
files), the inspector, and the drop-in for ExecuTorch's own functions. May import ``bpte.files`` and
``bpte.format``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from bpte.program._errors import ProgramError, SchemaError
from bpte.program._pte import PteData, serialize, serialize_pte

if TYPE_CHECKING:
    from bpte.program._dropin import Patch, UnsupportedExecuTorchError, patch_executorch
    from bpte.program._header import ExtendedHeader
    from bpte.program._inspect import (
        DelegateInfo,
        MethodInfo,
        ProgramInfo,
        SegmentInfo,
        ValueInfo,
        inspect,
    )
    from bpte.program._restore import deserialize, deserialize_pte

_HOME = {
    **dict.fromkeys(("Patch", "UnsupportedExecuTorchError", "patch_executorch"), "_dropin"),
    **dict.fromkeys(("DelegateInfo", "MethodInfo", "ProgramInfo", "SegmentInfo"), "_inspect"),
    **dict.fromkeys(("ValueInfo", "inspect"), "_inspect"),
    **dict.fromkeys(("deserialize", "deserialize_pte"), "_restore"),
    "ExtendedHeader": "_header",
}

__all__ = [
    "DelegateInfo",
    "ExtendedHeader",
    "MethodInfo",
    "Patch",
    "ProgramError",
    "ProgramInfo",
    "PteData",
    "SchemaError",
    "SegmentInfo",
    "UnsupportedExecuTorchError",
    "ValueInfo",
    "deserialize",
    "deserialize_pte",
    "inspect",
    "patch_executorch",
    "serialize",
    "serialize_pte",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
