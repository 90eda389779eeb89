# SPDX-License-Identifier: BSD-3-Clause
"""Judges budgets from a run's records: those that a command line states, and again those that the
target judged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bpte.format.budget import Budget
from bpte.run import budget_words
from bpte.run.outcome import Verdict
from bpte.run.protocol_keys import Begin, BudgetResult, Case, Resources
from bpte.run.records import CaseKey


def judge(
    budgets: Iterable[Budget],
    begin: Begin,
    cases: Sequence[Case],
    resources: Resources | None,
) -> tuple[BudgetResult, ...]:
    """Budgets that the bundle does not state: held against what the records say."""
    return tuple(_judge(budget, begin, cases, resources) for budget in budgets)


def _judge(
    budget: Budget, begin: Begin, cases: Sequence[Case], resources: Resources | None
) -> BudgetResult:
    result = BudgetResult(
        resource=budget.resource.name.lower(), limit=budget.limit, verdict=Verdict.ERROR
    )
    if result.resource in budget_words.TIMES:
        result = longest(result, begin, cases)
    elif resources is not None:
        result = replace(result, amount=getattr(resources, result.resource))
    return decided(result)


def longest(result: BudgetResult, begin: Begin, cases: Iterable[Case]) -> BudgetResult:
    """The budget with the longest time, and whose it was: the first of those that took it."""
    timed = [case for case in cases if case.time is not None]
    if not timed or begin.unit != budget_words.unit(result.resource):
        return result
    worst = max(timed, key=lambda case: case.time or 0)
    return replace(result, amount=worst.time, suite=worst.suite, case=worst.case, step=worst.step)


def decided(result: BudgetResult) -> BudgetResult:
    if result.amount is None:
        return replace(result, verdict=Verdict.ERROR, error="not_measured")
    kept = result.amount <= result.limit
    return replace(result, verdict=Verdict.PASS if kept else Verdict.FAIL, error=None)


@dataclass(frozen=True)
class Baseline:
    """An earlier run's times, and how much slower an execution may be: 0.05 for 5 %."""

    unit: str
    cases: tuple[Case, ...]
    slower: float


def against(baseline: Baseline, begin: Begin, cases: Sequence[Case]) -> tuple[BudgetResult, ...]:
    """A budget for each execution that the earlier run has a time of. Cases are matched by their
    place in the bundle."""
    found = {CaseKey.of(case): case for case in cases}
    results = []
    for base in baseline.cases:
        if base.time is None:
            continue
        case = found.get(CaseKey.of(base))
        comparable = case is not None and case.method == base.method and begin.unit == baseline.unit
        results.append(
            decided(
                BudgetResult(
                    resource=f"time_{baseline.unit}",
                    limit=math.floor(base.time * (1 + baseline.slower)),
                    method=base.method,
                    amount=case.time if comparable and case is not None else None,
                    suite=base.suite,
                    case=base.case,
                    step=base.step,
                    verdict=Verdict.ERROR,
                )
            )
        )
    return tuple(results)


class BudgetRecords:
    """The records of budgets as they arrive, held against the cases before them."""

    def __init__(self) -> None:
        self.budgets: list[BudgetResult] = []
        self.resources: Resources | None = None

    def take(self, budget: BudgetResult, begin: Begin, cases: Sequence[Case]) -> str | None:
        if any(known.budget == budget.budget for known in self.budgets):
            return f"budget {budget.budget} twice"
        if (implied := decided(budget)) != budget:
            return f"budget {budget.budget}: the verdict is {implied.verdict.value}"
        if budget.resource in budget_words.TIMES:
            mine = [c for c in cases if budget.method is None or c.method == budget.method]
            unknown = replace(budget, amount=None, suite=None, case=None, step=None)
            if decided(longest(unknown, begin, mine)) != budget:
                return f"budget {budget.budget}: its time is not the longest of the cases"
        self.budgets.append(budget)
        return None

    def take_resources(self, resources: Resources) -> str | None:
        if self.resources is not None:
            return "a second record of resources"
        self.resources = resources
        return None

    def at_end(self) -> str | None:
        """Bytes that a budget was judged by and that the record of resources contradicts. A stack
        or a plan that was measured after one method may have grown since."""
        for budget in self.budgets:
            if budget.amount is None or budget.resource in budget_words.TIMES:
                continue
            told = getattr(self.resources, budget.resource, None)
            grows = budget.method is not None and budget.resource in ("stack", "planned_memory")
            if told is None or (budget.amount > told if grows else budget.amount != told):
                return f"budget {budget.budget}: {budget.amount} bytes, the resources have {told}"
        return None
