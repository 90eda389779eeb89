# SPDX-License-Identifier: BSD-3-Clause
"""Judges recorded cases with another tolerance, from their evidence alone.

A record holds no elements, but numbers that bound how many of them can lie outside another
tolerance: `mismatch_bounds` gives the least and the most. Where both lead to one verdict, that is
the verdict that a new comparison would give; elsewhere the evidence does not decide, and says so.
The symbols N, M and F are those of `bpte.run.evidence`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from bpte.run.evidence import (
    SLACK,
    TINY,
    UNCOMPARED,
    element_type,
    first_pair,
    is_finite_pair,
    is_outside,
    is_real,
    largest_expected,
)
from bpte.run.outcome import Verdict
from bpte.run.protocol_keys import Case, FirstMismatch, Output
from bpte.run.records import CaseKey, verdict_of

#: In place of a case that had passed and may not under the new tolerance.
NOT_DECIDED = "not_decided"


def mismatch_bounds(output: Output, rtol: float, atol: float) -> tuple[int, int] | None:
    """How many elements lie outside a tolerance: at least, and at most. None when the record lacks
    the counts. The record must be free of contradictions."""
    numel, before, nonfinite = output.numel, output.mismatches, output.nonfinite
    if numel is None or before is None or nonfinite is None:
        return None
    finite = numel - nonfinite
    pair = first_pair(output)
    first_outside = is_outside(pair, rtol, atol) if pair is not None else None
    first_is_finite = pair is not None and is_finite_pair(pair)
    # A pair with a NaN or an infinity is judged alike whatever the tolerance.
    least_nonfinite = max(0, before - finite, int(pair is not None and not first_is_finite))
    most_nonfinite = min(nonfinite, before)
    least_finite = int(first_is_finite and first_outside is True)
    least = least_nonfinite + max(least_finite, _least_outside(output, finite, rtol, atol))
    most = most_nonfinite + _most_outside(output, finite, rtol, atol)
    if is_wider(output, rtol, atol):
        most = min(most, before - int(first_outside is False))
    if is_tighter(output, rtol, atol):
        least = max(least, before)
    return least, most


def is_wider(output: Output, rtol: float, atol: float) -> bool:
    """Whether all that lay within the recorded tolerance lies within this one."""
    old_rtol, old_atol = output.rtol, output.atol
    if old_rtol is None or old_atol is None:
        return False
    return rtol >= old_rtol and atol >= old_atol and (rtol < math.inf or old_rtol == math.inf)


def is_tighter(output: Output, rtol: float, atol: float) -> bool:
    """Whether all that lay outside the recorded tolerance lies outside this one. (Within an rtol of
    infinity lies nothing but equality where 0 is expected, hence the last condition.)"""
    old_rtol, old_atol = output.rtol, output.atol
    if old_rtol is None or old_atol is None:
        return False
    return rtol <= old_rtol and atol <= old_atol and (old_rtol < math.inf or rtol == math.inf)


def _least_outside(output: Output, finite: int, rtol: float, atol: float) -> int:
    """From the mean and the largest error: were fewer outside, their sum could not be reached, as
    each inside adds at most atol + rtol * |expected|."""
    largest, mean = output.max_abs, output.mean_abs
    if largest is None or not math.isfinite(rtol) or not math.isfinite(atol):
        return 0
    if largest == math.inf:
        return 1  # an error beyond a double is outside of any tolerance
    inside = atol + (rtol * largest_expected(output) * (1 + SLACK) if rtol else 0.0)
    if not inside < largest:
        return 0
    if rtol == 0 and not _is_rounded(output, largest):
        least = 1
    else:
        least = int(largest > inside * (1 + SLACK))
    if mean is not None:
        more = finite * ((mean * (1 - SLACK) - inside) / (largest - inside)) * (1 - SLACK)
        least = max(least, math.ceil(more)) if 0 < more < math.inf else least
    return min(least, finite)


def _most_outside(output: Output, finite: int, rtol: float, atol: float) -> int:
    largest, mean, relative = output.max_abs, output.mean_abs, output.max_rel
    if largest is None or not math.isfinite(largest) or not math.isfinite(rtol):
        return finite
    most = finite
    if _is_inside(output, largest, relative, rtol, atol):
        most = 0
    if mean is not None and TINY < atol < math.inf:
        # Each one outside adds more than atol to the sum of errors.
        bound = mean * finite * (1 + SLACK) / atol
        most = math.floor(bound) if bound < most else most
    return most


def _is_inside(
    output: Output, largest: float, relative: float | None, rtol: float, atol: float
) -> bool:
    """Whether the largest errors alone show that no finite pair lies outside."""
    if largest == 0:
        return True
    if largest <= atol and not (_is_rounded(output, largest) and largest * (1 + SLACK) > atol):
        return True
    if relative is None or relative == 0 or not math.isfinite(relative):
        return False
    # An error is at most `largest` and at most relative * |expected|. Against a bound that grows
    # with |expected|, the worst case is where the two meet.
    meet = largest / relative
    if not (output.mismatches == 0 and output.atol is not None and output.atol <= atol):
        return False  # an element whose expected value is 0 has no relative error
    return largest * (1 + SLACK) <= atol + rtol * meet


def _is_rounded(output: Output, largest: float) -> bool:
    """Whether max_abs may be a rounded number: integers' differences are exact, 2^64 and all."""
    scalar_type = element_type(output)
    return largest >= 2.0**53 and (scalar_type is None or not is_real(scalar_type))


def _share(output: Output) -> tuple[float, float, bool]:
    """The share of elements that may lie outside, at least and at most, and whether the upper end
    belongs to it. Records of protocol 1 do not state it; their verdict bounds it."""
    if output.max_outlier_share is not None:
        return output.max_outlier_share, output.max_outlier_share, True
    used = (output.mismatches or 0) / (output.numel or 1)
    return (0.0, used, False) if output.reason == "elements" else (used, 1.0, True)


def _broken_floor(output: Output) -> str | None:
    """The reason of a failure at a floor, which no tolerance changes."""
    for reason, value, floor in (
        ("sqnr", output.sqnr_db, output.min_sqnr_db),
        ("cosine", output.cosine, output.min_cosine),
    ):
        if output.reason == reason or (value is not None and floor is not None and value < floor):
            return reason
    return None


def _floors_are_known(output: Output) -> bool:
    """Whether the record shows that the floors hold. An output that failed before they were checked
    says nothing of them in a record of protocol 1, which does not state them."""
    return output.reason != "elements" or output.max_outlier_share is not None


def rejudge_output(
    output: Output, rtol: float | None = None, atol: float | None = None
) -> Output | None:
    """The verdict with another tolerance, from the evidence alone; None when it does not decide.

    Kind, dtype, shape and the floors for SQNR and cosine similarity are not the tolerance's: such
    a failure stays one.
    """
    if output.reason in UNCOMPARED:
        return output
    new_rtol = output.rtol if rtol is None else rtol
    new_atol = output.atol if atol is None else atol
    if new_rtol is None or new_atol is None or output.numel is None:
        return None
    bounds = mismatch_bounds(output, new_rtol, new_atol)
    if bounds is None:
        return None
    least, most = bounds
    judged = replace(
        output,
        rtol=new_rtol,
        atol=new_atol,
        mismatches=least if least == most else None,
        first=_first_still(output, bounds, new_rtol, new_atol),
    )
    if output.verdict is Verdict.NOT_COMPARED:
        return judged
    low_share, high_share, closed = _share(output)
    numel = output.numel or 1
    if least and (least / numel > high_share or (not closed and least / numel >= high_share)):
        return replace(judged, verdict=Verdict.FAIL, reason="elements")
    if reason := _broken_floor(output):
        return replace(judged, verdict=Verdict.FAIL, reason=reason)
    if (most and not most / numel <= low_share) or not _floors_are_known(output):
        return None
    return replace(judged, verdict=Verdict.PASS, reason=None)


def _first_still(
    output: Output, bounds: tuple[int, int], rtol: float, atol: float
) -> FirstMismatch | None:
    """The first mismatch, where it is the first under the new tolerance, too: where no element
    before it can have come to lie outside."""
    pair = first_pair(output)
    if pair is None or is_outside(pair, rtol, atol) is not True:
        return None
    same = is_tighter(output, rtol, atol) and bounds == (output.mismatches, output.mismatches)
    return output.first if same or is_wider(output, rtol, atol) else None


#: Gives an output of a case another verdict; None: that cannot be decided.
Again: TypeAlias = Callable[[Case, int], Output | None]


@dataclass(frozen=True)
class Rejudged:
    """Cases judged again, and which of them the evidence does not decide.

    Of these, one that had failed keeps its verdict; one that had passed is an error, as it is not
    known to pass any more.
    """

    cases: tuple[Case, ...]
    undecided: tuple[CaseKey, ...]


def rejudge(
    cases: Iterable[Case],
    rtol: float | None = None,
    atol: float | None = None,
    again: Again | None = None,
) -> Rejudged:
    """Judges recorded cases with another tolerance, without running them again. `again` judges an
    output, by its number in its case, where more is known of it than its record."""
    judged: list[Case] = []
    undecided: list[CaseKey] = []
    for case in cases:
        outputs = [
            again(case, number) if again is not None else rejudge_output(output, rtol, atol)
            for number, output in enumerate(case.outputs)
        ]
        known = tuple(output for output in outputs if output is not None)
        if case.verdict in (Verdict.ERROR, Verdict.UNJUDGED):
            judged.append(case)
        elif len(known) == len(outputs):
            verdict = verdict_of(known, case.trace)
            judged.append(replace(case, verdict=verdict, outputs=known))
        elif any(output.verdict is Verdict.FAIL for output in known):
            kept = zip(outputs, case.outputs, strict=True)
            merged = tuple(new if new is not None else old for new, old in kept)
            judged.append(replace(case, verdict=Verdict.FAIL, outputs=merged))
        else:
            undecided.append(CaseKey.of(case))
            judged.append(_undecided(case, rtol, atol))
    return Rejudged(tuple(judged), tuple(undecided))


def _undecided(case: Case, rtol: float | None, atol: float | None) -> Case:
    if case.verdict is Verdict.FAIL:
        return case
    stated = ", ".join(
        f"{name} {value:g}" for name, value in (("rtol", rtol), ("atol", atol)) if value is not None
    )
    message = f"the evidence does not show whether it passes with {stated}; run it again"
    return replace(case, verdict=Verdict.ERROR, error=NOT_DECIDED, message=message)
