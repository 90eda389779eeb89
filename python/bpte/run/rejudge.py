# SPDX-License-Identifier: BSD-3-Clause
"""Judges recorded cases with another tolerance, from their evidence alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bpte.run.outcome import Verdict
from bpte.run.protocol import Case, Output


def rejudge_output(
    output: Output, rtol: float | None = None, atol: float | None = None
) -> Output | None:
    """The verdict with another tolerance, from the evidence alone; None when it does not decide.

    It decides for a pass when the largest errors bound every element, or when the new tolerance is
    nowhere tighter than one that passed; for a fail when it is nowhere wider than one that failed.
    Kind, dtype, shape and the floors for SQNR and cosine similarity are not the tolerance's: such
    a failure stays one.
    """
    if output.verdict is Verdict.NOT_COMPARED or output.reason in (
        "kind",
        "dtype",
        "shape",
        "sqnr",
        "cosine",
    ):
        return output
    new_rtol = output.rtol if rtol is None else rtol
    new_atol = output.atol if atol is None else atol
    if new_rtol is None or new_atol is None:
        return None
    judged = replace(output, rtol=new_rtol, atol=new_atol)
    wider = (
        output.rtol is not None
        and output.atol is not None
        and new_rtol >= output.rtol
        and new_atol >= output.atol
    )
    if wider and output.verdict is Verdict.PASS:
        # Elements inside stay inside. (Their number may shrink; it is not known to.)
        return judged
    bounded = output.nonfinite == 0 and output.max_abs is not None and output.max_abs <= new_atol
    if bounded:
        return replace(judged, verdict=Verdict.PASS, reason=None, mismatches=0, first=None)
    tighter = (
        output.rtol is not None
        and output.atol is not None
        and new_rtol <= output.rtol
        and new_atol <= output.atol
    )
    if tighter and output.verdict is Verdict.FAIL:
        # Elements outside stay outside. The first that was is so under this tolerance as well.
        return judged
    # How many elements may lie outside is not in the record: one known to does not decide.
    return None


@dataclass(frozen=True)
class Rejudged:
    """Cases judged again; those undecided for want of evidence keep their old verdict."""

    cases: tuple[Case, ...]
    undecided: tuple[tuple[int, int], ...]


def rejudge(
    cases: Iterable[Case], rtol: float | None = None, atol: float | None = None
) -> Rejudged:
    """Judges recorded cases with another tolerance, without running them again."""
    judged: list[Case] = []
    undecided: list[tuple[int, int]] = []
    for case in cases:
        outputs = [rejudge_output(output, rtol, atol) for output in case.outputs]
        known = tuple(output for output in outputs if output is not None)
        if case.verdict in (Verdict.ERROR, Verdict.UNJUDGED):
            judged.append(case)
        elif len(known) != len(outputs):
            judged.append(case)
            undecided.append((case.suite, case.case))
        else:
            failed = any(output.verdict is Verdict.FAIL for output in known)
            judged.append(
                replace(case, verdict=Verdict.FAIL if failed else Verdict.PASS, outputs=known)
            )
    return Rejudged(tuple(judged), tuple(undecided))
