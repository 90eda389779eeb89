# SPDX-License-Identifier: BSD-3-Clause
"""Show what a bundle holds: header, segments with offsets and alignment, suites, cases, dtypes and
shapes. For a .pte: its header and its methods, with the external tensors that they need. For a
data file (.ptd): its keys, dtypes and shapes. With --instructions: what the program executes. With
--board: what the bundle will take of the board's memories, by owner, and whether it fits.

examples:
  bpte inspect model.bpte
  bpte inspect model.bpte --delegates
  bpte inspect model.pte --instructions
  bpte inspect model.pte
  bpte inspect model.ptd
  bpte inspect model.bpte --board corstone-300

exit codes with --board: 0 it fits, and keeps the bundle's budgets of memory   1 it does not
  4 something that decides it is not known
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from bpte.cli import _footprint, _output
from bpte.run.outcome import Outcome
from bpte.text import printable

if TYPE_CHECKING:
    from bpte.bundle import Bundle
    from bpte.format.metadata import Case, Value
    from bpte.format.trace import TracedMethod
    from bpte.suites import TestCase


_KINDS: dict[type, str] = {bool: "bool", int: "int", float: "double"}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="a .bpte (BP09 or BP08), .pte or .ptd file")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--delegates",
        action="store_true",
        help="the program's delegates instead; of an Ethos-U each operation, weights and traffic",
    )
    what.add_argument(
        "--instructions",
        action="store_true",
        help="list the program's instructions instead: what they call, read and write, where these "
        "values lie, and from which to which instruction they are needed",
    )
    what.add_argument(
        "--board",
        metavar="NAME",
        help="what a bundle will take of this board, by owner, and whether that fits. Builds the "
        "firmware, with the operators of the bundle's program alone, and keeps it",
    )
    parser.add_argument("--json", action="store_true", help="for a machine, on stdout")
    _footprint.configure(parser)


def run(args: argparse.Namespace) -> int:
    from bpte.program import data_file, pte_file

    if args.board is not None:
        return _footprint.run(args)
    if option := _footprint.given(args):
        print(f"bpte inspect: {option} has no effect without --board", file=sys.stderr)
        return Outcome.USAGE
    head = pte_file.head(args.file)
    is_program = pte_file.is_program(head)
    if args.delegates:
        return _delegates(args, is_program)
    if args.instructions:
        from bpte.cli import _instructions

        return _instructions.run(args, is_program)
    if is_program:
        facts = pte_file.describe(args.file)
        print(json.dumps(facts, indent=2) if args.json else _program_text(facts))
        return 0
    if data_file.is_data_file(head):
        facts = data_file.describe(args.file)
        print(_json(facts) if args.json else _data_text(facts))
        return 0
    from bpte.bundle import Bundle

    with Bundle(args.file) as bundle:
        if args.json:
            print(_json(bundle_facts(bundle)))
        else:
            print(_text(bundle))
    return 0


def _delegates(args: argparse.Namespace, is_program: bool) -> int:
    from bpte.cli import _delegates

    found = _delegates.of_file(args.file, is_program)
    print(json.dumps(found, indent=2) if args.json else _delegates.text(found))
    return 0


def _json(facts: dict[str, Any]) -> str:
    """Writes a line for each fact, and for each item of a list. (To indent everything, json uses
    its Python encoder, which takes a second for 30,000 segments.)"""

    def text(value: object) -> str:
        if not isinstance(value, list) or not value:
            return json.dumps(value)
        return "[\n    " + ",\n    ".join(map(json.dumps, value)) + "\n  ]"

    lines = [f"  {json.dumps(key)}: {text(value)}" for key, value in facts.items()]
    return "{\n" + ",\n".join(lines) + "\n}"


def bundle_facts(bundle: Bundle) -> dict[str, Any]:
    """All that ``inspect --json`` shows of a bundle."""
    purposes = _purposes(bundle)
    return {
        "path": str(bundle.path),
        "format": bundle.format,
        "header": bundle.header._asdict(),
        "metadata": bundle.metadata,
        "program": {
            "offset": bundle.program_extent.offset,
            "size": bundle.program_extent.size,
            "segment": bundle.program_segment,
        },
        "segments": [
            {
                **segment._asdict(),
                "file_offset": bundle.segment_extent(index).offset,
                "crc32": f"{segment.crc32:#010x}",
                "holds": purposes[index],
            }
            for index, segment in enumerate(bundle.segments)
        ],
        "named_data": bundle.named_data_segments,
        "files": [
            {
                "key": key,
                "role": info.role.name.lower(),
                "file_name": info.file_name,
                "segment": info.segment,
            }
            for key, info in bundle.named_data_info.items()
        ],
        "budgets": [budget.stated() for budget in bundle.budgets],
        "suites": [
            {
                "method": suite.method_name,
                "tolerances": [tolerance.stated() for tolerance in suite.tolerances],
                "metrics": [metric.stated() for metric in suite.metrics],
                "traced_method": _traced_facts(suite.traced_method),
                "cases": [_case_facts(bundle, case.info) for case in suite.test_cases],
            }
            for suite in bundle.suites
        ],
    }


def _case_facts(bundle: Bundle, case: Case) -> dict[str, Any]:
    return {
        "name": case.name,
        "segment": case.segment,
        "inputs": [_value_facts(bundle, v) for v in case.inputs],
        "expected_outputs": [_value_facts(bundle, v) for v in case.expected_outputs],
        "tolerances": [tolerance.stated() for tolerance in case.tolerances],
        "steps": [_case_facts(bundle, step) for step in case.steps],
        "carries": [carry._asdict() for carry in case.carries],
        "labels": list(case.labels),
        "trace": [
            {"instruction": index, "output": output, **_value_facts(bundle, value)}
            for index, output, value in case.trace
        ],
    }


def _traced_facts(traced: TracedMethod | None) -> dict[str, Any] | None:
    if traced is None:
        return None
    return {
        "origin": traced.origin.name.lower(),
        "program_crc32": f"{traced.program_crc32:#010x}",
        "instructions": [vars(instruction) for instruction in traced.instructions],
    }


def _value_facts(bundle: Bundle, value: Value) -> dict[str, Any]:
    from bpte.format.metadata import Tensor
    from bpte.format.scalar_type import dtype_name

    if isinstance(value, Tensor):
        return {
            "kind": "tensor",
            "dtype": dtype_name(value.scalar_type),
            "sizes": list(value.sizes),
            "dim_order": list(value.dim_order),
            "file_offset": bundle.tensor_extent(value).offset,
            "size": value.size,
        }
    return {"kind": _KINDS[type(value)], "value": value}


def _purposes(bundle: Bundle) -> list[str]:
    """What each segment holds."""
    from bpte.format.metadata import NamedDataRole

    held: list[list[str]] = [[] for _ in bundle.segments]
    for suite in bundle.suites:
        for number, case in enumerate(suite.test_cases):
            what = f"{suite.method_name} case {number}"
            _hold(held, case.info, what + (f" ({case.name})" if case.name else ""))
            for index, step in enumerate(case.info.steps):
                _hold(held, step, f"{what} step {index}")
    for key, info in bundle.named_data_info.items():
        kind = {NamedDataRole.PTD: "weights", NamedDataRole.GRAPH: "graph"}.get(
            info.role, "named data"
        )
        held[info.segment].append(f"{kind} {key!r}")
    if bundle.program_segment is not None:
        held[bundle.program_segment] = ["program"]
    return [", ".join(what) or "nothing that the metadata names" for what in held]


def _hold(held: list[list[str]], case: Case, what: str) -> None:
    if case.segment is not None:
        held[case.segment].append(what)
    for _, _, value in case.trace:
        segment = getattr(value, "segment", None)  # a scalar has none
        if segment is not None:
            held[segment].append(f"trace of {what}")
            break


def value_text(value: Value) -> str:
    """Such as ``float32[1, 3, 224, 224]``, with the memory order if that is not row-major."""
    from bpte.format.metadata import Tensor

    if not isinstance(value, Tensor):
        return f"{_KINDS[type(value)]} {value}"
    return _tensor_text(value.scalar_type, value.sizes, value.dim_order)


@lru_cache(maxsize=1000)  # the cases of a suite are alike
def _tensor_text(scalar_type: int, sizes: tuple[int, ...], dim_order: tuple[int, ...]) -> str:
    from bpte.format.scalar_type import dtype_name

    text = f"{dtype_name(scalar_type)}{list(sizes)}"
    if dim_order != tuple(range(len(sizes))):
        text += f" in order {list(dim_order)}"
    return text


def _text(bundle: Bundle) -> str:
    from bpte.format.header import BP09

    header = bundle.header
    program = bundle.program_extent
    lines = [
        f"{_output.bold(str(bundle.path))}: bundled program, {bundle.format.upper()}, "
        f"{_output.size(header.file_size)} ({header.file_size} bytes)"
    ]
    if bundle.format == BP09:
        lines += [
            f"  metadata {header.metadata_size} bytes, segments from {header.segment_base_offset}, "
            f"base alignment {header.base_alignment}",
        ]
    else:
        alignment = program.offset & -program.offset
        lines.append(
            f"  program at {program.offset} (a multiple of {alignment}), "
            f"{_output.size(program.size)} ({program.size} bytes)"
        )
    lines += [f"  {printable(key)}: {printable(value)}" for key, value in bundle.metadata.items()]
    lines += [f"  budget {_stated_text(budget.stated())}" for budget in bundle.budgets]
    if bundle.segments:
        rows = [
            (
                index,
                bundle.segment_extent(index).offset,
                segment.size,
                segment.alignment,
                f"{segment.crc32:08x}",
                purpose,
            )
            for index, (segment, purpose) in enumerate(
                zip(bundle.segments, _purposes(bundle), strict=True)
            )
        ]
        head = ("segment", "file offset", "bytes", "alignment", "crc32", "holds")
        lines += ["", _output.table(head, rows, "rrrrrl")]
    for suite in bundle.suites:
        lines += ["", f"method {_output.bold(suite.method_name)}, {len(suite.test_cases)} cases"]
        lines += [f"  tolerance {_stated_text(t.stated())}" for t in suite.tolerances]
        lines += [f"  metric {_stated_text(metric.stated())}" for metric in suite.metrics]
        if suite.traced_method is not None:
            traced = suite.traced_method
            lines.append(
                f"  traced by {traced.origin.name.lower()}, "
                f"{len(traced.instructions)} instructions are known"
            )
        lines += _case_lines(suite.test_cases)
    return "\n".join(lines)


def _case_lines(cases: list[TestCase]) -> list[str]:
    if not cases:
        return []
    rows: list[tuple[object, ...]] = []
    for number, case in enumerate(cases):
        info = case.info
        rows.append((number, *_case_row(info)))
        rows += [(f"{number}.{index}", *_case_row(step)) for index, step in enumerate(info.steps)]
    head: tuple[str, ...] = ("case", "name", "inputs", "expected outputs", "tolerance", "more")
    if all(row[-1] == "-" for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    return [_output.table(head, rows, "r")]


def _case_row(info: Case) -> tuple[str, ...]:
    more = [f"output {carry.output} carried to input {carry.input}" for carry in info.carries]
    if info.labels:
        more.append(f"label {', '.join(map(str, info.labels))}")
    if info.trace:
        more.append(f"{len(info.trace)} traced values")
    if info.steps:
        inputs = outputs = f"of {len(info.steps)} steps"
    else:
        inputs = ", ".join(map(value_text, info.inputs)) or "none"
        outputs = ", ".join(map(value_text, info.expected_outputs)) or "none: only runs"
    return (
        info.name or "-",
        inputs,
        outputs,
        "; ".join(_stated_text(t.stated()) for t in info.tolerances) or "-",
        "; ".join(more) or "-",
    )


def _stated_text(stated: dict[str, object]) -> str:
    """Of a tolerance, metric or budget. A text in it is the file's."""
    parts = (f"{name} {printable(str(value))}" for name, value in stated.items())
    return ", ".join(parts) or "default"


def _program_text(facts: dict[str, Any]) -> str:
    lines = [
        f"{_output.bold(facts['path'])}: ExecuTorch program, {facts['identifier']}, "
        f"{_output.size(facts['file_size'])} ({facts['file_size']} bytes)"
    ]
    header = facts["header"]
    if header is None:
        lines.append("  no extended header: everything lies in the FlatBuffer")
    else:
        lines.append(
            f"  program data {header['program_size']} bytes, segments from "
            f"{header['segment_base_offset']}, {header['segment_data_size']} bytes"
        )
    if "error" in facts:
        lines.append(f"  the rest cannot be read: {printable(facts['error'])}")
        return "\n".join(lines)
    lines.append(
        f"  schema version {facts['version']}, {facts['constants']} constants in "
        f"{_output.size(facts['constants_size'])}"
    )
    for key, segment in facts["named_data"].items():
        lines.append(f"  named data {key!r} in segment {segment}")
    if facts["unknown_fields"]:
        lines.append("  written for a newer schema: something is left out here")
    if facts["segments"]:
        rows = [
            (i, s["offset"], s["size"], s["use"] or "-") for i, s in enumerate(facts["segments"])
        ]
        lines += ["", _output.table(("segment", "offset", "bytes", "holds"), rows, "rrrl")]
    for method in facts["methods"]:
        lines += [
            "",
            f"method {_output.bold(method['name'])}, {method['instructions']} instructions, "
            f"planned memory {method['planned_memory'][1:]}",
            f"  inputs    {', '.join(method['inputs']) or 'none'}",
            f"  outputs   {', '.join(method['outputs']) or 'none'}",
            f"  operators {printable(', '.join(method['operators'])) or 'none'}",
        ]
        lines += [
            f"  delegate  {printable(each['id'])}, {_output.size(each['size'])}"
            for each in method["delegates"]
        ]
        if method["external"]:
            external = [
                (printable(each["name"] or "-"), each["tensor"], each["size"])
                for each in method["external"]
            ]
            lines += ["", _output.table(("external tensor", "is", "bytes"), external, "llr")]
    return "\n".join(lines)


def _data_text(facts: dict[str, Any]) -> str:
    rows = [
        (printable(each["key"]), each["tensor"] or "no tensor", each["offset"], each["size"])
        for each in facts["entries"]
    ]
    return "\n".join(
        [
            f"{_output.bold(facts['path'])}: data file of ExecuTorch, {facts['identifier']}, "
            f"{_output.size(facts['file_size'])} ({facts['file_size']} bytes)",
            f"  schema version {facts['version']}, {len(rows)} keys",
            "",
            _output.table(("key", "holds", "file offset", "bytes"), rows, "llrr"),
        ]
    )
