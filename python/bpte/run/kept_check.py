# SPDX-License-Identifier: BSD-3-Clause
"""Holds the outputs that a target sent against what its records say of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from bpte.bundle import Bundle, open_bundle
from bpte.format.rules import BundleError
from bpte.run import describe
from bpte.run.judge import Judgement
from bpte.run.kept import KeptOutput
from bpte.run.outcome import State, Verdict
from bpte.run.protocol import Transcript
from bpte.run.protocol_keys import Case, Output
from bpte.run.records import CaseKey
from bpte.run.request import Request

#: The record's numbers are float64's, computed in another order.
_CLOSE = 1e-9
#: Elements that are compared at a time.
_BLOCK = 1 << 18
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
    expected = bundle.suites[case.suite].test_cases[case.case].at(case.step).expected_outputs
    for index, output in enumerate(case.outputs):
        for difference in _of_output(output, outputs[index], expected[index]):
            yield f"output {index}: {difference}"


def _of_output(output: Output, kept: KeptOutput, expected: Any) -> Iterator[str]:
    stated = output.actual_kind or output.kind
    if stated is not None and kept.kind != stated:
        yield f"the record says {stated}, the value is of kind {kept.kind}"
        return
    if kept.kind == "tensor" and output.kind == "tensor":
        dtype = output.actual_dtype or output.dtype
        shape = output.actual_shape if output.actual_shape is not None else output.shape
        if (dtype, shape) != (kept.dtype, kept.sizes):
            yield f"the record says {dtype} {shape}, the value is {kept.dtype} {kept.sizes}"
            return
    if output.numel:
        yield from _of_elements(output, kept, expected)


def _of_elements(output: Output, kept: KeptOutput, expected: Any) -> Iterator[str]:
    import numpy as np

    actual = kept.array()
    if output.dtype == "bfloat16" and actual.dtype.kind == "u":
        return  # numpy alone cannot read it
    if output.first is not None:
        element = actual[output.first.index] if actual.ndim else actual[()]
        # A float32 is written with as many digits as reading it back as one takes.
        stated = np.array(output.first.actual).astype(actual.dtype)
        if not (element == stated or (element != element and stated != stated)):
            yield f"the record says {output.first.actual} at {output.first.index}, not {element}"
    if output.nonfinite == 0 and output.max_abs is not None:
        largest = _largest_error(actual, np.asarray(expected))
        if not math.isclose(largest, output.max_abs, rel_tol=_CLOSE, abs_tol=1e-300):
            yield f"the record says max_abs {output.max_abs}, but the value gives {largest}"


def _largest_error(actual: Any, expected: Any) -> float:
    """In blocks, so that an output larger than memory can be held against its record."""
    import numpy as np

    largest = 0.0
    pairs = np.nditer(
        [actual, expected], ["external_loop", "buffered", "zerosize_ok"], buffersize=_BLOCK
    )
    for a, e in pairs:
        if a.dtype.kind in "iu" and a.dtype.itemsize == 8:
            # As float64, large integers would lose their last bits.
            high, low = np.maximum(a, e), np.minimum(a, e)
            error = high.astype(np.uint64) - low.astype(np.uint64)
        else:
            error = np.abs(a.astype(np.float64) - e.astype(np.float64))
        largest = max(largest, float(error.max(initial=0)))
    return largest
