# SPDX-License-Identifier: BSD-3-Clause
"""Holds the outputs that a target sent against what its records say of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from bpte.bundle import Bundle, open_bundle
from bpte.format.rules import BundleError
from bpte.format.tolerance import Tolerance
from bpte.run import describe, metric_check
from bpte.run.compare import compare, difference
from bpte.run.judge import Judgement
from bpte.run.kept import KeptOutput
from bpte.run.outcome import State, Verdict
from bpte.run.outputs_file import value_of
from bpte.run.protocol import Transcript
from bpte.run.protocol_keys import Case, Output
from bpte.run.records import CaseKey
from bpte.run.request import Request

_STATES = (State.PASSED, State.MISMATCH, State.NOT_RUN)


def hold_against(
    judgement: Judgement,
    transcript: Transcript,
    kept: Mapping[CaseKey, tuple[KeptOutput, ...]],
    request: Request,
) -> Judgement:
    """The judgement of a run whose outputs were asked for; it is about this very bundle."""
    if judgement.state not in _STATES or not transcript.complete:
        return judgement
    try:
        with open_bundle(request.bundle) as bundle:
            for case in transcript.cases:
                outputs = kept.get(CaseKey.of(case))
                for difference in _differences(bundle, case, outputs):
                    where = describe.label(case)
                    return Judgement(State.CONTRADICTORY, f"{where}: {difference}")
            for checked in metric_check.check(bundle, transcript, kept):
                if checked.contradiction is not None:
                    return Judgement(State.CONTRADICTORY, checked.contradiction)
    except (BundleError, OSError) as error:
        return Judgement(State.ANOTHER_BUNDLE, str(error))
    return judgement


def _differences(
    bundle: Bundle, case: Case, outputs: tuple[KeptOutput, ...] | None
) -> Iterator[str]:
    if case.verdict is Verdict.ERROR:
        return
    if outputs is None:
        yield "its outputs did not arrive"
        return
    if case.outputs and len(outputs) != len(case.outputs):
        yield f"{len(outputs)} values of {len(case.outputs)} outputs"
        return
    packed = bundle.suites[case.suite].test_cases[case.case].at(case.step)
    for index, output in enumerate(case.outputs):
        wrong = _of_type(output, outputs[index])
        if wrong is None and output.numel:
            value = value_of(outputs[index])
            tolerance = with_bounds(packed.tolerance(index), output.rtol, output.atol)
            found = compare(bundle.stored(packed.info.expected_outputs[index]), value, tolerance)
            wrong = difference(output, found)
        if wrong is not None:
            yield f"output {index}: {wrong}"


def with_bounds(tolerance: Tolerance, rtol: float | None, atol: float | None) -> Tolerance:
    """A tolerance with other bounds, where they are given."""
    return replace(
        tolerance,
        rtol=tolerance.rtol if rtol is None else rtol,
        atol=tolerance.atol if atol is None else atol,
    )


def _of_type(output: Output, kept: KeptOutput) -> str | None:
    stated = output.actual_kind or output.kind
    if stated is not None and kept.kind != stated:
        return f"the record says {stated}, the value is of kind {kept.kind}"
    if kept.kind == "tensor" and output.kind == "tensor":
        dtype = output.actual_dtype or output.dtype
        shape = output.actual_shape if output.actual_shape is not None else output.shape
        if (dtype, shape) != (kept.dtype, kept.sizes):
            return f"the record says {dtype} {shape}, the value is {kept.dtype} {kept.sizes}"
    return None
