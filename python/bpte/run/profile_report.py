# SPDX-License-Identifier: BSD-3-Clause
"""The times of instructions, for people: by operator, by instruction, and what stepping costs."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from bpte.run import profile
from bpte.run.judge import Run
from bpte.run.profile import Profile, Row
from bpte.run.table import GAP, Column, fit
from bpte.text import printable

#: How many instructions are shown, the longest first.
SHOWN_ROWS = 20


def _time(value: float, unit: str) -> str:
    """Without its unit. What took nanoseconds is shown in microseconds."""
    return f"{value / 1e3:,.2f}" if unit == "ns" else f"{round(value):,}"


def _unit(unit: str) -> str:
    return "us" if unit == "ns" else printable(unit)


def _share(row: Row) -> str:
    return f"{100 * row.share:.1f} %"


def _table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    return ["", *(GAP.join(line).rstrip() for line in fit(columns, rows, width))]


def _operators(found: Profile, unit: str, width: int) -> list[str]:
    columns = (
        Column("operator", cut=1),
        Column("count", drop=1, right=True),
        Column(_unit(unit), right=True),
        Column("share", right=True),
    )
    rows = [
        (printable(row.name), str(row.count), _time(row.time, unit), _share(row))
        for row in found.operators
    ]
    return _table(columns, rows, width)


def _instructions(found: Profile, unit: str, width: int) -> list[str]:
    columns = (
        Column("instruction"),
        Column("operator", cut=1),
        Column(_unit(unit), right=True),
        Column("least", drop=2, right=True),
        Column("most", drop=1, right=True),
        Column("share", right=True),
    )
    longest = sorted(found.instructions, key=lambda row: -row.time)
    rows = []
    for row in longest[:SHOWN_ROWS]:
        assert row.place is not None  # it is no operator's
        chain = f"{row.place.chain}/" if row.place.chain else ""
        times = [_time(time, unit) for time in (row.time, min(row.times), max(row.times))]
        rows.append((f"{chain}{row.place.instruction}", printable(row.name), *times, _share(row)))
    lines = _table(columns, rows, width)
    if len(longest) > SHOWN_ROWS:
        lines.append(f"The {SHOWN_ROWS} longest of {len(longest)} are shown; --json has all.")
    return lines


def _whole(found: Profile, unit: str) -> str:
    cost = found.stepped - found.whole
    share = f" ({100 * cost / found.whole:+.1f} %)" if found.whole else ""
    return (
        f"In {_unit(unit)}: at once {_time(found.whole, unit)}, stepped through "
        f"{_time(found.stepped, unit)}: stepping and timing cost {_time(cost, unit)}{share}. "
        f"The instructions alone take {_time(found.total, unit)}."
    )


def paragraphs(run: Run, width: int) -> list[str]:
    """A table of operators and one of instructions for each suite that was profiled."""
    transcript = run.transcript
    begin = transcript.begin
    if begin is None or begin.profile is None:
        return []
    runs = "1 execution" if begin.profile == 1 else f"{begin.profile} executions"
    lines: list[str] = []
    for found in profile.profiles(transcript.times, transcript.executions, transcript.cases):
        lines += [""] if lines else []
        lines.append(f"times of {printable(found.method)}: medians over {runs} of each case")
        lines += _operators(found, begin.unit, width)
        lines += _instructions(found, begin.unit, width)
        lines += ["", *textwrap.wrap(_whole(found, begin.unit), width)]
    if lines and run.simulator == "qemu" and begin.unit == "ns":
        text = "QEMU's times are not a processor's; --count-instructions counts, where it can."
        lines += textwrap.wrap(text, width)
    return lines
