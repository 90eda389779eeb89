# SPDX-License-Identifier: BSD-3-Clause
"""What a case or an output came to, in words: for the table, pytest and JUnit alike."""

from __future__ import annotations

import math

from bpte.format.scalar_type import default_bounds
from bpte.run.evidence import element_type
from bpte.run.outcome import Verdict
from bpte.run.protocol_keys import Case, FirstMismatch, Number, Output, Trace
from bpte.run.records import CaseKey
from bpte.text import printable


def number(value: Number | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return f"{value:.9g}"


def short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def time(count: int | None, unit: str) -> str:
    """A case's time, for people."""
    if count is None:
        return "-"
    if unit == "ns":
        return f"{count / 1e6:.3f} ms"
    return f"{count:,} {printable(unit)}".rstrip()


def seconds(count: int | None, unit: str) -> float | None:
    """A case's time in seconds; None where the unit is not one of time, but cycles."""
    return None if count is None or unit != "ns" else count / 1e9


def _shape(shape: tuple[int, ...] | None) -> str:
    return "?" if shape is None else "[" + ", ".join(map(str, shape)) + "]"


def _first(first: FirstMismatch) -> list[str]:
    expected, actual = first.expected, first.actual
    where = f"element {_shape(first.index)}" if first.index else "value"
    parts = [f"{where}: expected {number(expected)}, actual {number(actual)}"]
    if isinstance(expected, int) and isinstance(actual, int):
        parts.append(f"off by {abs(actual - expected)}")
    elif math.isfinite(expected) and math.isfinite(actual):
        parts.append(f"off by {number(abs(float(actual) - float(expected)))}")
    return parts


def nothing_finite(output: Output) -> bool:
    """Whether every pair holds a NaN or an infinity, so that no error could be measured."""
    return bool(output.numel) and output.nonfinite == output.numel


def largest_error(output: Output) -> str:
    """max_abs; ``"nan"`` or ``"inf"`` for an output whose error cannot be measured."""
    if nothing_finite(output) and output.mismatches != 0:
        actual = output.first.actual if output.first is not None else math.nan
        return "nan" if math.isnan(actual) else "inf"
    return "-" if nothing_finite(output) else short(output.max_abs)


def uses_default_tolerance(output: Output) -> bool:
    """Whether rtol and atol are the defaults of the output's type."""
    scalar_type = element_type(output)
    return scalar_type is not None and (output.rtol, output.atol) == default_bounds(scalar_type)


def _errors(output: Output) -> list[str]:
    if nothing_finite(output):
        what = "all values hold" if (output.numel or 0) > 1 else "the value holds"
        return [
            f"{what} a NaN or an infinity on one side at least, so there is no error to measure"
        ]
    parts = []
    if output.nonfinite:
        parts.append(f"{output.nonfinite} of {output.numel} hold a NaN or an infinity")
    if output.rtol is not None and output.atol is not None:
        dtype = element_type(output)
        name = printable(output.dtype or output.kind or "?") if dtype is not None else ""
        defaults = f" ({name}'s defaults)" if uses_default_tolerance(output) else ""
        parts += [
            f"max error {short(output.max_abs)} (relative {short(output.max_rel)})",
            f"allowed atol {short(output.atol)} + rtol {short(output.rtol)} * |expected|{defaults}",
        ]
    return parts


def output_parts(output: Output) -> list[str]:
    """Why one output failed, fact by fact."""
    kind = printable(output.kind or "?")
    if output.reason == "kind":
        return [f"expected {kind}, got {printable(output.actual_kind or '?')}"]
    if output.reason == "dtype":
        actual = printable(output.actual_dtype or "?")
        return [f"expected {printable(output.dtype or '?')}, got {actual}"]
    if output.reason == "shape":
        return [f"expected shape {_shape(output.shape)}, got {_shape(output.actual_shape)}"]
    parts = _first(output.first) if output.first is not None else []
    if output.reason == "sqnr":
        floor = f"the floor, {short(output.min_sqnr_db)} dB" if output.min_sqnr_db else "the floor"
        parts.append(f"SQNR {short(output.sqnr_db)} dB is below {floor}")
    if output.reason == "cosine":
        floor = f"the floor, {number(output.min_cosine)}" if output.min_cosine else "the floor"
        parts.append(f"cosine similarity {number(output.cosine)} is below {floor}")
    if output.mismatches is not None and output.numel is not None:
        share = f" ({short(output.max_outlier_share)} may be)" if output.max_outlier_share else ""
        parts.append(f"{output.mismatches} of {output.numel} outside{share}")
    return parts + _errors(output)


def describe_output(output: Output) -> str:
    """Why one output failed, in one line."""
    return "; ".join(output_parts(output))


def failed_outputs(case: Case) -> list[str]:
    """One line for each output that failed."""
    return [
        f"output {index}: {describe_output(output)}"
        for index, output in enumerate(case.outputs)
        if output.verdict is Verdict.FAIL
    ]


def instruction(trace: Trace) -> str:
    """Which instruction, and where it comes from: `instruction 17, aten::addmm.out (classifier.1,
    model.py:41)`; inside of a delegate `instruction 1, operation 121, NPU_OP_CONV (conv1)`."""
    chain = f" of chain {trace.chain}" if trace.chain else ""
    name = trace.operator or trace.kind
    known = [text for text in (trace.module or trace.node, trace.source) if text]
    origin = f" ({', '.join(known)})" if known else ""
    inside = "" if trace.operation is None else f", operation {trace.operation}"
    return printable(f"instruction {trace.instruction}{chain}{inside}, {name}{origin}")


_BEFORE = {
    "right": "its inputs were right",
    "unknown": "not all instructions before it were compared",
    "wrong": "an instruction before it was wrong",
}


def wrong_instruction(trace: Trace) -> str:
    """What a wrong instruction gave, in one line."""
    output = trace.result
    assert output is not None
    parts = []
    if output.first is not None and output.numel:
        expected, actual = number(output.first.expected), number(output.first.actual)
        index = f" {_shape(output.first.index)}" if output.first.index else ""
        parts.append(f"output {trace.output}{index}: expected {expected}, actual {actual}")
        if output.sqnr_db is not None:
            parts.append(f"SQNR {short(output.sqnr_db)} dB")
    else:
        parts.append(f"output {trace.output}: {describe_output(output)}")
    text = f"{instruction(trace)}, {', '.join(parts)}"
    return f"{text}; {_BEFORE.get(trace.before or '', '?')}"


def place(case: Case | CaseKey) -> str:
    """The case's index, and the step's after a point."""
    return str(case.case) if case.step is None else f"{case.case}.{case.step}"


def label(case: Case) -> str:
    """The case or step, by its method and its place. Not yet fit for a terminal."""
    return f"{case.method}[{place(case)}]"


def named_error(name: str, message: str) -> str:
    """An error's name and message. The message of a broken rule begins with its name already."""
    return printable(message if message.startswith(name) else f"{name}: {message}")


def error(case: Case) -> str:
    """Why a case did not run."""
    return named_error(case.error or "?", case.message or "")
