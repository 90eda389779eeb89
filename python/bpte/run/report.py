# SPDX-License-Identifier: BSD-3-Clause
"""Shows a run: as a table for people, as JSON and JUnit XML for machines."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from typing import Any

from bpte.run.launcher import Run
from bpte.run.outcome import State, Verdict
from bpte.run.protocol import Case, FirstMismatch, Number, Output
from bpte.text import printable, printable_lines

_COLOURS = {"pass": "32", "fail": "31", "error": "31", "unjudged": "33"}
_SHOWN_FAILURES = 20
MEMORY_PREFIX = "bpte-memory: "


def _number(value: Number | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return f"{value:.9g}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _time(time: int | None, unit: str) -> str:
    if time is None:
        return "-"
    if unit == "ns":
        return f"{time / 1e6:.3f} ms"
    return f"{time:,} {printable(unit)}".rstrip()


def _worst(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known, key=lambda v: math.inf if math.isnan(v) else v) if known else None


def _tolerance(case: Case) -> str:
    texts = {
        f"rtol {_short(output.rtol)}, atol {_short(output.atol)}"
        for output in case.outputs
        if output.rtol is not None or output.atol is not None
    }
    return texts.pop() if len(texts) == 1 else "several" if texts else "-"


def _columns(rows: Sequence[Sequence[str]], colour: bool) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if colour and (code := _COLOURS.get(row[3])):
            cells[3] = f"\033[{code}m{cells[3]}\033[0m"
        lines.append("  ".join(cells).rstrip())
    return lines


def _difference(first: FirstMismatch) -> str:
    expected, actual = first.expected, first.actual
    if isinstance(expected, int) and isinstance(actual, int):
        return str(abs(actual - expected))
    return _number(abs(float(actual) - float(expected)))


def _shape(shape: tuple[int, ...] | None) -> str:
    return "?" if shape is None else "[" + ", ".join(map(str, shape)) + "]"


def describe_output(output: Output) -> str:
    """Why one output failed, in one line."""
    kind = printable(output.kind or "?")
    if output.reason == "kind":
        return f"expected {kind}, got {printable(output.actual_kind or '?')}"
    if output.reason == "dtype":
        actual = printable(output.actual_dtype or "?")
        return f"expected {printable(output.dtype or '?')}, got {actual}"
    if output.reason == "shape":
        return f"expected shape {_shape(output.shape)}, got {_shape(output.actual_shape)}"
    parts = []
    if output.first is not None:
        where = f"element {_shape(output.first.index)}" if output.kind != "scalar" else "value"
        parts.append(
            f"{where}: expected {_number(output.first.expected)}, "
            f"actual {_number(output.first.actual)}, off by {_difference(output.first)}"
        )
    if output.reason == "sqnr":
        parts.append(f"SQNR {_short(output.sqnr_db)} dB is below the floor")
    if output.reason == "cosine":
        parts.append(f"cosine similarity {_number(output.cosine)} is below the floor")
    if output.mismatches is not None and output.numel is not None:
        parts.append(f"{output.mismatches} of {output.numel} outside")
    if output.rtol is not None and output.atol is not None:
        parts.append(
            f"max error {_short(output.max_abs)} (relative {_short(output.max_rel)}), "
            f"allowed atol {_short(output.atol)} + rtol {_short(output.rtol)} * |expected|"
        )
    return "; ".join(parts)


def _label(case: Case) -> str:
    name = f' "{printable(case.name)}"' if case.name else ""
    return f"{printable(case.method)}, case {case.case}{name}"


def failures(run: Run) -> list[str]:
    """One line for each output that failed and each case that did not run."""
    lines = []
    for case in run.transcript.cases:
        if case.verdict is Verdict.ERROR:
            text = printable(f"{case.error}: {case.message or ''}")
            lines.append(f"{_label(case)}: did not run: {text}")
        for index, output in enumerate(case.outputs):
            if output.verdict is Verdict.FAIL:
                lines.append(f"{_label(case)}, output {index}: {describe_output(output)}")
    return lines


def _memory(run: Run) -> str:
    """What a firmware said of its memory (platform/cortex_m/firmware.cpp), or nothing."""
    for line in run.transcript.other_lines:
        if line.startswith(MEMORY_PREFIX):
            return "memory in bytes: " + printable(line.removeprefix(MEMORY_PREFIX))
    return ""


def table(run: Run, colour: bool = False) -> str:
    """For a terminal. Ends without a newline."""
    lines: list[str] = []
    begin = run.transcript.begin
    if begin is not None:
        engine = printable(f"{begin.engine} {begin.engine_version}".strip()) or "?"
        simulator = f" ({printable(run.simulator)})" if run.simulator else ""
        where = printable(begin.target) + simulator
        lines.append(f"{printable(str(run.bundle))} on {where}, engine {engine}")
        if begin.program_address is not None:
            lines.append(
                f"program: {begin.program_size} bytes in place at {begin.program_address:#x}"
            )
    cases = run.transcript.cases
    if cases and begin is not None:
        rows = [("method", "case", "name", "verdict", "time", "max error", "tolerance")]
        rows += [
            (
                printable(case.method),
                str(case.case),
                printable(case.name or ""),
                case.verdict.value,
                _time(case.time, begin.unit),
                _short(_worst(output.max_abs for output in case.outputs)),
                _tolerance(case),
            )
            for case in cases
        ]
        lines += ["", *_columns(rows, colour)]
    if memory := _memory(run):
        lines += ["", memory]
    details = failures(run)
    if details:
        lines += ["", *details[:_SHOWN_FAILURES]]
        if len(details) > _SHOWN_FAILURES:
            lines.append(f"... and {len(details) - _SHOWN_FAILURES} more (--json shows all)")
    state = run.state.value.replace("_", " ")
    if colour:
        state = f"\033[1;{'32' if run.state is State.PASSED else '31'}m{state}\033[0m"
    if lines:
        lines.append("")
    lines.append(f"{state}: {printable_lines(run.message)}")
    return "\n".join(lines)


# --- JSON -----------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """JSON's own values only; NaN and infinities as the protocol writes them."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _members(record: object) -> dict[str, Any]:
    result = {}
    for key, value in vars(record).items():
        if value is None:
            continue
        if isinstance(value, Verdict):
            value = value.value
        elif isinstance(value, FirstMismatch):
            value = _members(value)
        elif key == "outputs":
            value = [_members(output) for output in value]
        result[key] = _plain(value)
    return result


def as_dict(run: Run) -> dict[str, Any]:
    """Everything known about a run; the shape of `bpte run --json`."""
    transcript = run.transcript
    result: dict[str, Any] = {
        "state": run.state.value,
        "exit_code": int(run.outcome),
        "message": run.message,
        "bundle": str(run.bundle),
        "board": run.board,
        "simulator": run.simulator,
        "command": list(run.command),
        "exit_status": run.exit_status,
        "seconds": round(run.seconds, 3),
    }
    if transcript.begin is not None:
        result["begin"] = _members(transcript.begin)
    result["cases"] = [_members(case) for case in transcript.cases]
    if transcript.error is not None:
        error = _members(transcript.error)
        error["outcome"] = int(transcript.error.outcome)
        result["error"] = error
    result["log"] = list(transcript.other_lines)
    return result


def as_json(run: Run) -> str:
    return json.dumps(as_dict(run), indent=2)


# --- JUnit ----------------------------------------------------------------------------------------


def _xml_text(text: str) -> str:
    return printable(text)


def as_junit(run: Run) -> bytes:
    """One testcase for each case, and one for the run when it ended otherwise than by verdicts."""
    cases = run.transcript.cases
    ended_badly = run.state not in (State.PASSED, State.MISMATCH)
    failed = sum(case.verdict is Verdict.FAIL for case in cases)
    errors = sum(case.verdict is Verdict.ERROR for case in cases) + ended_badly
    skipped = sum(case.verdict is Verdict.UNJUDGED for case in cases)
    suite = ElementTree.Element(
        "testsuite",
        name=_xml_text(f"{run.bundle.name} on {run.board}"),
        tests=str(len(cases) + ended_badly),
        failures=str(failed),
        errors=str(errors),
        skipped=str(skipped),
        time=f"{run.seconds:.3f}",
    )
    nanoseconds = run.transcript.begin is not None and run.transcript.begin.unit == "ns"
    for case in cases:
        name = f"{case.case} {case.name}" if case.name else str(case.case)
        element = ElementTree.SubElement(
            suite, "testcase", classname=_xml_text(case.method), name=_xml_text(name)
        )
        if nanoseconds and case.time is not None:
            element.set("time", f"{case.time / 1e9:.9f}")
        if case.verdict is Verdict.FAIL:
            text = "\n".join(
                f"output {i}: {describe_output(output)}"
                for i, output in enumerate(case.outputs)
                if output.verdict is Verdict.FAIL
            )
            ElementTree.SubElement(
                element, "failure", message=_xml_text(text.split("\n")[0])
            ).text = text
        elif case.verdict is Verdict.ERROR:
            text = _xml_text(f"{case.error}: {case.message or ''}")
            ElementTree.SubElement(element, "error", message=text)
        elif case.verdict is Verdict.UNJUDGED:
            ElementTree.SubElement(element, "skipped", message="no output was judged")
    if ended_badly:
        element = ElementTree.SubElement(suite, "testcase", classname="bpte", name="run")
        message = _xml_text(f"{run.state.value}: {run.message}")
        ElementTree.SubElement(element, "error", message=message)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"
