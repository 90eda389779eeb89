# SPDX-License-Identifier: BSD-3-Clause
"""What a suite file says beside values: metrics, labels, carries and budgets; and how its tables
are looked at."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

from bpte.format.budget import Budget, BudgetResource
from bpte.format.metric import Metric, MetricKind
from bpte.pack.tensors import PackError

_Made = TypeVar("_Made")

_PARAMETERS = {"output", "minimum", "maximum", "classes", "score", "bins", "low", "high"}
_TOP_K = re.compile(r"top([1-9][0-9]*)")
_BOUND = re.compile(r"(>=|<=)(.*)")


def metrics(content: dict[str, Any], where: str) -> list[Metric]:
    """``metric = { top1 = ">= 0.95", confusion_matrix = { classes = 10 } }``, or ``metrics``: a
    list of such tables, when one kind is measured of several outputs."""
    if "metric" in content and "metrics" in content:
        raise PackError(f"{where}: give either metric or metrics")
    tables = [content["metric"]] if "metric" in content else content.get("metrics", [])
    found = []
    for table in as_list(tables, f"{where}, metrics"):
        for name, facts in as_table(table, f"{where}, metric").items():
            found.append(_metric(name, facts, f"{where}, metric {name}"))
    return found


def _metric(name: str, facts: object, where: str) -> Metric:
    members: dict[str, Any] = {}
    top_k = _TOP_K.fullmatch(name)
    if top_k is not None:
        kind, members["k"] = MetricKind.TOP_K_ACCURACY, int(top_k[1])
    else:
        kinds = {kind.name.lower(): kind for kind in MetricKind}
        del kinds["top_k_accuracy"]
        if name not in kinds:
            raise PackError(f"{where}: unknown; there are top1, top5, ..., {', '.join(kinds)}")
        kind = kinds[name]
    if isinstance(facts, str):
        members |= _bound(facts, where)
    elif facts is not True:  # true: reported, not judged
        table = as_table(facts, where)
        known(table, _PARAMETERS, where)
        for key, value in table.items():
            if key in ("minimum", "maximum", "low", "high"):
                members[key] = as_float(value, f"{where}: {key}")
            elif type(value) is int:
                members[key] = value
            else:
                raise PackError(f"{where}: {key} must be an integer")
    return checked(lambda: Metric(kind, **members), where)


def _bound(text: str, where: str) -> dict[str, float]:
    match = _BOUND.fullmatch(text.strip())
    try:
        if match is not None:
            return {"minimum" if match[1] == ">=" else "maximum": float(match[2])}
    except ValueError:
        pass
    raise PackError(f'{where}: must be ">= NUMBER", "<= NUMBER", true, or a table: {text!r}')


def labels(given: object, where: str) -> list[int]:
    """A class, or a list of them."""
    listed: list[Any] = given if isinstance(given, list) else [given]
    for label in listed:
        if type(label) is not int:
            raise PackError(f"{where}: labels must be integers: {label!r}")
    return listed


def is_stated(given: object) -> bool:
    return given not in ((), [])


def carry(given: object, where: str) -> list[tuple[int, int]]:
    """``carry = { 1 = 0 }``: output 1 of the step before becomes input 0."""
    pairs = []
    for output, into in as_table(given, f"{where}, carry").items():
        if not output.isdecimal() or not output.isascii() or type(into) is not int:
            raise PackError(f"{where}: carry must be {{ OUTPUT = INPUT, ... }}, by their indices")
        pairs.append((int(output), into))
    return pairs


def budget(table: dict[str, Any], where: str) -> Budget:
    """``{ resource = "flash", limit = 131072, method = "forward", target = "corstone-300" }``"""
    known(table, {"resource", "limit", "method", "target"}, where)
    resources = {resource.name.lower(): resource for resource in BudgetResource}
    resource = table.get("resource")
    if not isinstance(resource, str) or resource not in resources:
        raise PackError(f"{where}: resource must be one of {', '.join(resources)}")
    if type(table.get("limit")) is not int:
        raise PackError(f"{where}: limit must be an integer")
    for name in ("method", "target"):
        if not isinstance(table.get(name, ""), str):
            raise PackError(f"{where}: {name} must be a text")
    return checked(
        lambda: Budget(
            resources[resource], table["limit"], table.get("method"), table.get("target")
        ),
        where,
    )


# ---- Tables


def as_float(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PackError(f"{where} must be a number")
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        digits = f"{math.log10(abs(value)):.0f}"
        raise PackError(f"{where} is out of range: about 10 to the power of {digits}") from None


def checked(make: Callable[[], _Made], where: str) -> _Made:
    try:
        return make()
    except ValueError as error:
        raise PackError(f"{where}: {error}") from None


def as_table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PackError(f"{where}: must be a table, not {type(value).__name__}")
    return value


def as_list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise PackError(f"{where}: must be a list, not {type(value).__name__}")
    return value


def known(table: dict[str, Any], keys: set[str], where: str) -> None:
    for key in table:
        if key not in keys:
            raise PackError(f"{where}: unknown key {key!r}; there are {', '.join(sorted(keys))}")
