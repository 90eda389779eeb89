# SPDX-License-Identifier: BSD-3-Clause
"""Reads test suites from a TOML file, or from words of the command line."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bpte.files import access, toml
from bpte.format.tolerance import NanPolicy, Tolerance
from bpte.pack.array_file import load_array
from bpte.pack.cases import MethodTestCase, MethodTestSuite
from bpte.pack.tensors import PackError


def load(path: str | os.PathLike[str]) -> tuple[list[MethodTestSuite], dict[str, str]]:
    """The suites and the metadata of a suite file. Raises ``PackError``, ``OSError``."""
    file = Path(path)
    try:
        content = toml.parse(access.read_input(path))
    except toml.TomlError as error:
        raise PackError(f"{path}: {error}") from None
    try:
        _known(content, {"suite", "metadata"}, "the file")
        suites = [
            _suite(file.parent, table, number)
            for number, table in enumerate(_list(content.get("suite", []), "suite"))
        ]
        metadata = content.get("metadata", {})
        if not isinstance(metadata, dict):
            raise PackError("metadata must be a table of texts")
    except PackError as error:
        raise PackError(f"{path}: {error}") from None
    return suites, metadata


def parse_case(words: Sequence[str]) -> MethodTestCase:
    """A case from ``in=a.npy,2 out=y.npy name=small``."""
    parts = dict(key_value("--case", word) for word in words)
    _known(parts, {"in", "out", "name"}, "--case")
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
        tolerance = _checked(lambda: Tolerance(rtol, atol), "--rtol, --atol")
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
    content = _table(table, where)
    _known(content, {"method", "case", "tolerance", "tolerances"}, where)
    method = content.get("method", "forward")
    if not isinstance(method, str):
        raise PackError(f"{where}: method must be a text")
    cases = [
        _case(folder, case, f"suite {method!r}, case {index}")
        for index, case in enumerate(_list(content.get("case", []), where))
    ]
    return MethodTestSuite(method, cases, _tolerances(content, where))


def _case(folder: Path, table: object, where: str) -> MethodTestCase:
    content = _table(table, where)
    _known(content, {"name", "inputs", "outputs", "tolerance", "tolerances"}, where)
    sides = [
        [
            _value(folder, value, f"{where}, {side} {index}")
            for index, value in enumerate(_list(content.get(side, []), f"{where}, {side}"))
        ]
        for side in ("inputs", "outputs")
    ]
    return MethodTestCase(
        sides[0], sides[1], name=content.get("name", ""), tolerances=_tolerances(content, where)
    )


def _tolerances(content: dict[str, Any], where: str) -> list[Tolerance]:
    if "tolerance" in content and "tolerances" in content:
        raise PackError(f"{where}: give either tolerance or tolerances")
    tables = (
        [content["tolerance"]]
        if "tolerance" in content
        else _list(content.get("tolerances", []), where)
    )
    return [_tolerance(_table(table, where), where) for table in tables]


def _tolerance(table: dict[str, Any], where: str) -> Tolerance:
    names = {"rtol", "atol", "max_outlier_share", "min_sqnr_db", "min_cosine"}
    _known(table, names | {"nan_policy", "not_compared"}, f"{where}, tolerance")
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
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            raise PackError(f"{where}: {name} must be a number")
        else:
            members[name] = _float(value, f"{where}: {name}")
    return _checked(lambda: Tolerance(**members), where)


def _float(value: float, where: str) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        digits = f"{math.log10(abs(value)):.0f}"
        raise PackError(f"{where} is out of range: about 10 to the power of {digits}") from None


def _checked(make: Callable[[], Tolerance], where: str) -> Tolerance:
    try:
        return make()
    except ValueError as error:
        raise PackError(f"{where}: {error}") from None


def _value(folder: Path, value: object, where: str) -> object:
    """Returns a scalar as it is, and the array of a named file."""
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        content: dict[str, Any] = {"file": value}
    else:
        content = _table(value, where)
        _known(content, {"file", "dtype", "dim_order"}, where)
        if not isinstance(content.get("file"), str):
            raise PackError(f"{where}: must name a file")
    dim_order = content.get("dim_order")
    if dim_order is not None and not all(type(d) is int for d in _list(dim_order, where)):
        raise PackError(f"{where}: dim_order must be a list of integers: {dim_order!r}")
    try:
        return load_array(folder, content["file"], content.get("dtype"), dim_order)
    except PackError as error:
        raise PackError(f"{where}: {error}") from None


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PackError(f"{where}: must be a table, not {type(value).__name__}")
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise PackError(f"{where}: must be a list, not {type(value).__name__}")
    return value


def _known(table: dict[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise PackError(f"{where}: unknown key {key!r}; there are {', '.join(sorted(known))}")
