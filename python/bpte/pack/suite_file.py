# SPDX-License-Identifier: BSD-3-Clause
"""Reads test suites from a TOML file, or from words of the command line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bpte.files import access, toml
from bpte.format.budget import Budget
from bpte.format.tensor_data import TensorData
from bpte.format.tolerance import NanPolicy, Tolerance
from bpte.pack import suite_facts
from bpte.pack.array_file import load_array
from bpte.pack.cases import MethodTestCase, MethodTestSuite
from bpte.pack.suite_facts import as_float, as_list, as_table, checked, known
from bpte.pack.tensors import PackError


class SuiteFile(NamedTuple):
    """What a suite file holds."""

    suites: list[MethodTestSuite]
    metadata: dict[str, str]
    budgets: list[Budget]
    weights: dict[str, Path]
    """Data files (``.ptd``) by their names."""


EMPTY = SuiteFile([], {}, [], {})


def load(path: str | os.PathLike[str]) -> SuiteFile:
    """Reads a suite file. Raises ``PackError``, ``OSError``."""
    file = Path(path)
    try:
        content = toml.parse(access.read_input(path))
    except toml.TomlError as error:
        raise PackError(f"{path}: {error}") from None
    try:
        known(content, {"suite", "metadata", "budget", "weights"}, "the file")
        suites = [
            _suite(file.parent, table, number)
            for number, table in enumerate(as_list(content.get("suite", []), "suite"))
        ]
        metadata = content.get("metadata", {})
        if not isinstance(metadata, dict):
            raise PackError("metadata must be a table of texts")
        budgets = [
            suite_facts.budget(as_table(table, f"budget {number}"), f"budget {number}")
            for number, table in enumerate(as_list(content.get("budget", []), "budget"))
        ]
        weights = as_list(content.get("weights", []), "weights")
        if not all(isinstance(name, str) for name in weights):
            raise PackError("weights must be a list of file names")
        files = weights_of([file.parent / name for name in weights])
    except PackError as error:
        raise PackError(f"{path}: {error}") from None
    return SuiteFile(suites, metadata, budgets, files)


def weights_of(paths: Sequence[Path]) -> dict[str, Path]:
    """Data files by their names. Raises ``PackError`` when two have one name."""
    files: dict[str, Path] = {}
    for path in paths:
        if files.setdefault(path.name, path) is not path:
            raise PackError(f"two data files are named {path.name!r}")
    return files


def parse_case(words: Sequence[str]) -> MethodTestCase:
    """A case from ``in=a.npy,2 out=y.npy name=small``."""
    parts = dict(key_value("--case", word) for word in words)
    known(parts, {"in", "out", "name"}, "--case")
    inputs, outputs = (
        [parse_value(text, "--case") for text in parts[side].split(",") if text]
        if side in parts
        else None
        for side in ("in", "out")
    )
    return MethodTestCase(inputs or [], outputs, name=parts.get("name", ""))


def parse_value(text: str, where: str) -> object:
    """An array of ``a.npy`` or ``arrays.npz:x``, or a scalar. Raises ``PackError``, ``OSError``."""
    return _value(Path(), _scalar(text), where)


def key_value(option: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise PackError(f"{option} {text}: must be KEY=VALUE")
    return key, value


def merge(
    suites: list[MethodTestSuite],
    method: str,
    cases: Sequence[MethodTestCase],
    rtol: float | None,
    atol: float | None,
) -> list[MethodTestSuite]:
    """The suites, with these cases added to that of ``method``."""
    if rtol is not None or atol is not None:
        tolerance = checked(lambda: Tolerance(rtol, atol), "--rtol, --atol")
        for case in cases:
            case.tolerances = tolerance
    for suite in suites:
        if suite.method_name == method:
            suite.test_cases = [*suite.test_cases, *cases]
            return suites
    return [*suites, MethodTestSuite(method, list(cases))]


def _scalar(text: str) -> object:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _suite(folder: Path, table: object, number: int) -> MethodTestSuite:
    where = f"suite {number}"
    content = as_table(table, where)
    known(
        content,
        {"method", "case", "rows", "tolerance", "tolerances", "labels", "metric", "metrics"},
        where,
    )
    method = content.get("method", "forward")
    if not isinstance(method, str):
        raise PackError(f"{where}: method must be a text")
    cases = [
        _case(folder, case, f"suite {method!r}, case {index}")
        for index, case in enumerate(as_list(content.get("case", []), where))
    ]
    if "rows" in content:
        cases += _rows(folder, content["rows"], f"suite {method!r}, rows")
    labels = content.get("labels")
    if labels is not None:
        _spread_labels(folder, labels, cases, where)
    metrics = suite_facts.metrics(content, where)
    return MethodTestSuite(method, cases, _tolerances(content, where), metrics)


def _rows(folder: Path, given: object, where: str) -> list[MethodTestCase]:
    """``rows = { inputs = ["x.npy"], outputs = ["y.npy"] }``: a case for each row of the arrays,
    without the first dimension."""
    table = as_table(given, where)
    known(table, {"inputs", "outputs"}, where)
    columns: dict[str, list[Any]] = {"inputs": [], "outputs": []}
    count = None
    for side, column in columns.items():
        for index, name in enumerate(as_list(table.get(side, []), f"{where}, {side}")):
            at = f"{where}, {side} {index}"
            value = _value(folder, name, at)
            array = value.array() if isinstance(value, TensorData) else None
            if array is None or array.ndim == 0:
                raise PackError(f"{at}: must name an array with a row for each case: {name!r}")
            if count not in (None, len(array)):
                raise PackError(f"{at}: {len(array)} rows, {count} before")
            count = len(array)
            column.append(array)
    return [
        MethodTestCase(
            [array[row] for array in columns["inputs"]],
            [array[row] for array in columns["outputs"]],
        )
        for row in range(count or 0)
    ]


def _spread_labels(folder: Path, name: object, cases: Sequence[MethodTestCase], where: str) -> None:
    """Gives each case its row of the labels' array: a number, or one for each sample."""
    if not isinstance(name, str):
        raise PackError(f"{where}: labels must name an array file, with a row for each case")
    data = load_array(folder, name)
    rows = data.array()
    if rows.ndim not in (1, 2) or rows.dtype.kind not in "iu" or len(rows) != len(cases):
        raise PackError(
            f"{where}: {name} holds {rows.dtype}{list(rows.shape)}; the labels of {len(cases)} "
            f"cases are integers of shape [{len(cases)}] or [{len(cases)}, samples]"
        )
    for case, row in zip(cases, rows, strict=True):
        if case.steps or suite_facts.is_stated(case.labels):
            raise PackError(f"{where}: labels for all cases, and a case with labels or steps")
        case.labels = row.tolist()


_CASE_KEYS = {"name", "inputs", "outputs", "tolerance", "tolerances", "labels"}


def _case(folder: Path, table: object, where: str) -> MethodTestCase:
    content = as_table(table, where)
    if "step" not in content:
        known(content, _CASE_KEYS | {"step", "carry"}, where)
        if "carry" in content:
            raise PackError(f"{where}: carry is for a case with steps")
        return _run(folder, content, where)
    known(content, {"name", "tolerance", "tolerances", "step", "carry"}, where)
    carry = suite_facts.carry(content.get("carry", {}), where)
    steps: list[MethodTestCase] = []
    for number, step in enumerate(as_list(content["step"], f"{where}, step")):
        at = f"{where}, step {number}"
        table = as_table(step, at)
        known(table, _CASE_KEYS | {"carry"}, at)
        run = _run(folder, table, at)
        carried = carry if number else []
        if "carry" in table:
            run.carry = carried = suite_facts.carry(table["carry"], at)
        # The carried inputs are left out: MethodTestCase takes them as None.
        if number and len(run.inputs) + len(carried) == len(steps[0].inputs):
            for _, into in sorted(carried, key=lambda pair: pair[1]):
                run.inputs.insert(into, None)
        steps.append(run)
    return MethodTestCase(
        name=content.get("name", ""),
        tolerances=_tolerances(content, where),
        steps=steps,
        carry=carry,
    )


def _run(folder: Path, content: dict[str, Any], where: str) -> MethodTestCase:
    """A case or step with values."""
    sides = [
        [
            _value(folder, value, f"{where}, {side} {index}")
            for index, value in enumerate(as_list(content.get(side, []), f"{where}, {side}"))
        ]
        for side in ("inputs", "outputs")
    ]
    return MethodTestCase(
        sides[0],
        sides[1],
        name=content.get("name", ""),
        tolerances=_tolerances(content, where),
        labels=suite_facts.labels(content.get("labels", []), where),
    )


def _tolerances(content: dict[str, Any], where: str) -> list[Tolerance]:
    if "tolerance" in content and "tolerances" in content:
        raise PackError(f"{where}: give either tolerance or tolerances")
    tables = (
        [content["tolerance"]]
        if "tolerance" in content
        else as_list(content.get("tolerances", []), where)
    )
    return [_tolerance(as_table(table, where), where) for table in tables]


def _tolerance(table: dict[str, Any], where: str) -> Tolerance:
    names = {"rtol", "atol", "max_outlier_share", "min_sqnr_db", "min_cosine"}
    known(table, names | {"nan_policy", "not_compared"}, f"{where}, tolerance")
    members: dict[str, Any] = {}
    for name, value in table.items():
        if name == "nan_policy":
            policies = {policy.name.lower(): policy for policy in NanPolicy}
            if not isinstance(value, str) or value not in policies:
                raise PackError(f"{where}: nan_policy must be one of {', '.join(policies)}")
            members[name] = policies[value]
        elif name == "not_compared":
            if not isinstance(value, bool):
                raise PackError(f"{where}: not_compared must be true or false")
            members[name] = value
        else:
            members[name] = as_float(value, f"{where}: {name}")
    return checked(lambda: Tolerance(**members), where)


def _value(folder: Path, value: object, where: str) -> object:
    """Returns a scalar as it is, and the array of a named file."""
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        content: dict[str, Any] = {"file": value}
    else:
        content = as_table(value, where)
        known(content, {"file", "dtype", "dim_order"}, where)
        if not isinstance(content.get("file"), str):
            raise PackError(f"{where}: must name a file")
    dim_order = content.get("dim_order")
    if dim_order is not None and not all(type(d) is int for d in as_list(dim_order, where)):
        raise PackError(f"{where}: dim_order must be a list of integers: {dim_order!r}")
    try:
        return load_array(folder, content["file"], content.get("dtype"), dim_order)
    except PackError as error:
        raise PackError(f"{where}: {error}") from None
