# SPDX-License-Identifier: BSD-3-Clause
"""Bundled ExecuTorch programs: produce, check, convert, inspect and run ``.bpte`` files.

The names are those of ``bpte._names``. They are imported when the first of them is asked for, so
that start-up stays cheap.

Who may import whom: ``cli`` and ``pytest_plugin`` import ``run``; that imports ``devtools``; that
``pack``; that ``bundle`` and ``program``; those ``format`` and ``files``. Each imports what comes
after it, nothing the other way round.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as type checkers know it; importing typing takes longer than all else here

__version__ = "0.1.0"

#: Names that load much more than the others, and where they live.
_EXAMINE = {
    "EagerTracer": "bpte.examine.eager",
    "NpuTracer": "bpte.examine.npu_trace",
    "RecordError": "bpte.examine.record",
    "record": "bpte.examine.record",
}

if TYPE_CHECKING:
    from bpte._names import *  # noqa: F403
    from bpte.examine.eager import EagerTracer as EagerTracer
    from bpte.examine.npu_trace import NpuTracer as NpuTracer
    from bpte.examine.record import RecordError as RecordError
    from bpte.examine.record import record as record


def __getattr__(name: str) -> object:
    if name == "__all__":
        return __dir__()
    if name.startswith("_") or name not in __dir__():
        raise AttributeError(f"module 'bpte' has no attribute {name!r}")
    value: object = getattr(import_module(_EXAMINE.get(name, "bpte._names")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    public = {name for name in vars(import_module("bpte._names")) if not name.startswith("_")}
    return sorted(public | _EXAMINE.keys() | {"__version__"})
