# SPDX-License-Identifier: BSD-3-Clause
"""Budgets as a command line states them, and what they came to, in words."""

from __future__ import annotations

import re

from bpte.format.budget import Budget, BudgetResource
from bpte.run import describe
from bpte.run.outcome import Verdict
from bpte.run.protocol_keys import BudgetResult, Resources
from bpte.run.records import CaseKey

_RESOURCES = {
    "time": BudgetResource.TIME_NS,
    "instructions": BudgetResource.TIME_INSTRUCTIONS,
    "cycles": BudgetResource.TIME_CYCLES,
    "arena": BudgetResource.PLANNED_MEMORY,
    "static": BudgetResource.STATIC_MEMORY,
    "stack": BudgetResource.STACK,
    "flash": BudgetResource.FLASH,
}
_DURATIONS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_SIZES = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_COUNTS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}
_LIMIT = re.compile(r"\s*(\w+)\s*<=\s*([0-9]+)(\.[0-9]+)?\s*([A-Za-z]*)\s*")


def parse(text: str) -> tuple[Budget, ...]:
    """``time<=25ms,arena<=64KiB,flash<=128KiB,instructions<=2.5M``. Raises ``ValueError``, which
    says what is wrong with which part."""
    return tuple(_parse(part) for part in text.split(","))


def _parse(text: str) -> Budget:
    match = _LIMIT.fullmatch(text)
    if match is None:
        raise ValueError(f"a budget is RESOURCE<=LIMIT, such as arena<=64KiB: {text.strip()!r}")
    name, whole, fraction, unit = match.groups()
    resource = _RESOURCES.get(name)
    if resource is None:
        raise ValueError(f"there is no resource {name!r}; there are {', '.join(_RESOURCES)}")
    if resource is BudgetResource.TIME_NS:
        units = _DURATIONS
    elif resource in (BudgetResource.TIME_CYCLES, BudgetResource.TIME_INSTRUCTIONS):
        units = _COUNTS
    else:
        units = _SIZES
    if unit not in units:
        known = ", ".join(filter(None, units))
        raise ValueError(f"{name} has a limit in {known}: {text.strip()!r}")
    digits = (fraction or ".0")[1:]
    # In integers, so that no limit is rounded up.
    limit = (int(whole + digits) * units[unit]) // 10 ** len(digits)
    return Budget(resource, limit)


# --- What they came to ----------------------------------------------------------------------------

#: The resources that are times, and what each is counted in.
TIMES = {"time_instructions": "instructions", "time_cycles": "cycles", "time_ns": "ns"}


def unit(resource: str) -> str:
    return TIMES.get(resource, "bytes")


def amount(count: int | None, resource: str) -> str:
    return "-" if count is None else f"{count:,} {unit(resource)}"


def name(budget: BudgetResult) -> str:
    """The resource, and the method that it is stated for."""
    text = budget.resource.replace("_", " ")
    return text if budget.method is None else f"{text} of {budget.method}"


def where(budget: BudgetResult) -> str:
    """Whose time it is; empty for memory."""
    if budget.case is None or budget.suite is None:
        return ""
    return f"case {describe.place(CaseKey(budget.suite, budget.case, budget.step))}"


def why(budget: BudgetResult) -> str:
    """Why it is not kept, in one line; empty when it is kept."""
    if budget.verdict is Verdict.PASS:
        return ""
    if budget.amount is None:
        measured = unit(budget.resource)
        what = f"no {measured} of an execution" if measured != "bytes" else "no such figure"
        return f"not measured by this target: it tells {what}"
    over = budget.amount - budget.limit
    place = f" ({place})" if (place := where(budget)) else ""
    return f"{amount(budget.amount, budget.resource)} exceed {budget.limit:,} by {over:,}{place}"


def memory(resources: Resources) -> str:
    """What a target took, for the report."""
    figures = [
        f"{key.replace('_', ' ')} {value:,}"
        for key, value in vars(resources).items()
        if value is not None
    ]
    return ", ".join(figures)
