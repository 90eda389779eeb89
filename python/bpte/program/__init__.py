# SPDX-License-Identifier: BSD-3-Clause
"""ExecuTorch programs: what is in a ``.pte`` file, and ``Program`` objects to files and back.

``inspect`` and ``instructions`` need neither torch nor executorch; the rest needs executorch, which
is imported when it is first called. ``to_executorch()`` is called once in a process, so the time of
the import counts. The package therefore imports each of its names when it is first asked for.

What lives here: the codec of programs (``_schema`` and ``_tables``: the description of their
tables; ``_codec``: ties them to classes; ``_writer``, ``_reader`` and ``_native``: the bytes;
``_pte`` and ``_restore``: whole files), the inspector and the list of instructions (``_effects``:
what each of them reads and writes), and the drop-in for ExecuTorch's own functions. May import
``bpte.files`` and ``bpte.format``.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as type checkers know it

if TYPE_CHECKING:
    from bpte.program._cut import CutError, InstructionNeeds, cut, instruction_needs
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
    from bpte.program._instructions import (
        InstructionInfo,
        ListedValue,
        MethodInstructions,
        instructions,
    )
    from bpte.program._pte import PteData, serialize, serialize_pte
    from bpte.program._restore import deserialize, deserialize_pte

_HOME = {
    "CutError": "_cut",
    "DelegateInfo": "_inspect",
    "ExtendedHeader": "_header",
    "InstructionInfo": "_instructions",
    "InstructionNeeds": "_cut",
    "ListedValue": "_instructions",
    "MethodInfo": "_inspect",
    "MethodInstructions": "_instructions",
    "Patch": "_dropin",
    "ProgramInfo": "_inspect",
    "PteData": "_pte",
    "SegmentInfo": "_inspect",
    "UnsupportedExecuTorchError": "_dropin",
    "ValueInfo": "_inspect",
    "cut": "_cut",
    "deserialize": "_restore",
    "deserialize_pte": "_restore",
    "inspect": "_inspect",
    "instruction_needs": "_cut",
    "instructions": "_instructions",
    "patch_executorch": "_dropin",
    "serialize": "_pte",
    "serialize_pte": "_pte",
}
"""The module of each name that is imported when it is first asked for."""

__all__ = [
    "CutError",
    "DelegateInfo",
    "ExtendedHeader",
    "InstructionInfo",
    "InstructionNeeds",
    "ListedValue",
    "MethodInfo",
    "MethodInstructions",
    "Patch",
    "ProgramError",
    "ProgramInfo",
    "PteData",
    "SchemaError",
    "SegmentInfo",
    "UnsupportedExecuTorchError",
    "ValueInfo",
    "cut",
    "deserialize",
    "deserialize_pte",
    "inspect",
    "instruction_needs",
    "instructions",
    "patch_executorch",
    "serialize",
    "serialize_pte",
]


class ProgramError(ValueError):
    """A program, as objects or as bytes, breaks a rule.

    ``place`` is the path of the offending part below the program, for example
    ``execution_plan[0].values[17].val.sizes``; empty where it is the whole. ``rule`` says what is
    wrong there, with the value.
    """

    def __init__(self, rule: str, place: str = "") -> None:
        from bpte.text import printable

        super().__init__(printable(f"{place}: {rule}" if place else rule))
        self.rule = rule
        self.place = place


class SchemaError(ProgramError):
    """A FlatBuffers schema, or the classes that mirror it, cannot be carried without loss."""


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
