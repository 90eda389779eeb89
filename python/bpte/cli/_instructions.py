# SPDX-License-Identifier: BSD-3-Clause
"""The list of a program's instructions, for ``bpte inspect --instructions``: as text, and as data
for a machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bpte.cli import _output
from bpte.cli._delegates import operation_text
from bpte.text import printable

if TYPE_CHECKING:
    from bpte.bundle import Bundle
    from bpte.format.trace import Instruction
    from bpte.program import InstructionInfo, ListedValue, MethodInstructions

Labels = Mapping[str, Mapping[tuple[int, int], "Instruction"]]
"""What the traces of a bundle say of instructions: by method, and by chain and index."""

Operations = Mapping[tuple[str, int], Sequence[dict[str, Any]]]
"""What an NPU does in a delegate, by method and delegate."""

_LONGEST_LIST = 12  # items of a list that are shown as text


def run(args: argparse.Namespace, is_program: bool) -> int:
    from bpte.bundle import Bundle
    from bpte.cli import _delegates
    from bpte.program import ProgramError, instructions, pte_file

    labels: Labels = {}
    try:
        if is_program:
            methods = pte_file.instructions_of(args.file)
        else:
            with Bundle(args.file) as bundle:
                methods = instructions(
                    pte_file.front_of(bundle.program), file_size=bundle.program_extent.size
                )
                labels = _labels(bundle)
        operations = _delegates.operations(_delegates.of_file(args.file, is_program))
    except ProgramError as error:
        raise ProgramError(error.rule, f"{args.file}: {error.place}".removesuffix(": ")) from None
    if args.json:
        shown = {"path": args.file, "methods": facts(methods, labels, operations)}
        print(json.dumps(shown, indent=2))
    else:
        print(text(methods, labels, operations))
    return 0


def _labels(bundle: Bundle) -> Labels:
    """What the bundle's traces say of the instructions, which need not have such texts."""
    return {
        suite.method_name: {
            (each.chain, each.index): each
            for each in suite.traced_method.instructions
            if each.operation is None
        }
        for suite in bundle.suites
        if suite.traced_method is not None
    }


# --- As data --------------------------------------------------------------------------------------


def facts(
    methods: Sequence[MethodInstructions], labels: Labels, operations: Operations
) -> list[dict[str, Any]]:
    """What ``--json`` shows."""
    return [
        {
            "name": method.name,
            "inputs": list(method.inputs),
            "outputs": list(method.outputs),
            "instructions": [
                _instruction_facts(each, labels.get(method.name, {}))
                | {"operations": _operations_of(method, each, operations)}
                for each in method.instructions
            ],
            "values": [_value_facts(value) for value in method.values],
        }
        for method in methods
    ]


def _operations_of(
    method: MethodInstructions, each: InstructionInfo, operations: Operations
) -> list[dict[str, Any]] | None:
    """Those of the delegate that an instruction calls; None where they are not known."""
    found = None if each.delegate is None else operations.get((method.name, each.delegate))
    return None if found is None else list(found)


def _instruction_facts(
    each: InstructionInfo, labels: Mapping[tuple[int, int], Instruction]
) -> dict[str, Any]:
    label = labels.get((each.chain, each.index))
    texts = ("node", "module_path", "source")
    return {
        "chain": each.chain,
        "index": each.index,
        "kind": each.kind,
        "operator": each.operator,
        "delegate": each.delegate,
        "backend": each.backend,
        "arguments": list(each.arguments),
        "reads": list(each.reads),
        "writes": list(each.writes),
        "destination": each.destination,
        **{name: None if label is None else getattr(label, name) for name in texts},
    }


def _value_facts(value: ListedValue) -> dict[str, Any]:
    from bpte.program.pte_file import dtype_text

    info = value.info
    described: dict[str, Any] = {"kind": info.kind}
    if info.kind == "tensor":
        described |= {
            "dtype": dtype_text(info),
            "sizes": list(info.sizes or ()),
            "dynamism": info.dynamism,
            "dim_order": list(info.dim_order or ()),
            "nbytes": info.nbytes,
            "memory": None
            if info.memory is None
            else {"id": info.memory[0], "offset": info.memory[1]},
            "data_name": info.data_name,
        }
    else:
        described["value"] = list(info.value) if isinstance(info.value, tuple) else info.value
    return {
        **described,
        "role": value.role or None,
        "is_output": value.is_output,
        "first": None if value.first is None else list(value.first),
        "last": None if value.last is None else list(value.last),
    }


# --- As text --------------------------------------------------------------------------------------


def text(methods: Sequence[MethodInstructions], labels: Labels, operations: Operations) -> str:
    """A paragraph for each method, some lines for each instruction."""
    return "\n\n".join(
        "\n".join(_method_lines(method, labels.get(method.name, {}), operations))
        for method in methods
    )


def _method_lines(
    method: MethodInstructions,
    labels: Mapping[tuple[int, int], Instruction],
    operations: Operations,
) -> Iterator[str]:
    count = len(method.instructions)
    yield f"method {_output.bold(method.name)}, {count} instructions, {len(method.values)} values"
    chains = {each.chain for each in method.instructions}
    for each in method.instructions:
        number = f"{each.chain}:{each.index}" if len(chains) > 1 else str(each.index)
        yield f"{number:>5}  {printable(_call_text(each, labels.get((each.chain, each.index))))}"
        for what, indexes in (("reads", each.reads), ("writes", each.writes)):
            for place, index in enumerate(indexes):
                head = what if place == 0 else ""
                value = _value_text(method, index, many=len(chains) > 1)
                yield f"       {head:6}  v{index} {printable(value)}"
        for inner in _operations_of(method, each, operations) or ():
            yield f"{inner['command']:>13}  {operation_text(inner)}"


def _call_text(each: InstructionInfo, label: Instruction | None) -> str:
    name = each.name
    if each.kind == "jump":
        name = f"jump to {each.destination} if false"
    elif each.kind == "delegate":
        name = f"delegate {each.delegate}, {each.backend}"
    known = () if label is None else (label.module_path, label.source)
    where = ", ".join(filter(None, known))
    return f"{name} ({where})" if where else name


def _value_text(method: MethodInstructions, index: int, *, many: bool) -> str:
    """``many``: the method has several chains."""
    from bpte.program.pte_file import value_text

    value = method.values[index]
    info = value.info
    if info.kind != "tensor":
        return _scalar_text(method, value)
    parts = [value_text(info)]
    if value.role:
        parts.append(value.role if info.data_name is None else f"{value.role} {info.data_name!r}")
    if value.is_output:
        parts.append("output")
    if info.memory is not None:
        number, offset = info.memory
        end = "?" if info.nbytes is None else offset + info.nbytes
        parts.append(f"memory {number} from {offset} to {end}")
    if value.role != "constant":
        start = "the start" if value.first is None else _position(value.first, many)
        end = "the end" if value.last is None else _position(value.last, many)
        parts.append(f"lives from {start} to {end}")
    return ", ".join(parts)


def _position(position: tuple[int, int], many: bool) -> str:
    chain, index = position
    return f"{chain}:{index}" if many else str(index)


def _scalar_text(method: MethodInstructions, value: ListedValue) -> str:
    info = value.info
    if info.kind == "none":
        return "none"
    if not isinstance(info.value, tuple):
        # What an instruction writes has no value of its own yet.
        shown = "" if value.first is not None else f" {info.value!r}"
        return f"{info.kind}{shown}" + (f", {value.role}" if value.role else "")
    items = [_item_text(method, info.kind, item) for item in info.value[:_LONGEST_LIST]]
    more = len(info.value) - len(items)
    return f"{info.kind} [{', '.join(items)}{f', and {more} more' if more else ''}]"


def _item_text(method: MethodInstructions, kind: str, item: Any) -> str:
    if kind in ("double_list", "bool_list"):
        return repr(item)
    if item < 0:
        return "none"
    known = kind == "int_list" and item < len(method.values)
    if known and method.values[item].info.kind == "int" and method.values[item].first is None:
        return repr(method.values[item].info.value)
    return f"v{item}"
