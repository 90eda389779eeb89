# SPDX-License-Identifier: BSD-3-Clause
"""Test suites in two forms: as callers make them, and as the writers take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bpte.format.rules import Place
from bpte.format.tensor_data import TensorData
from bpte.format.tolerance import Tolerance
from bpte.pack.tensors import PackError, flatten, normalise

Tolerances = Tolerance | Sequence[Tolerance] | None

PackedValue = TensorData | int | float | bool


class MethodTestCase:
    """One run of a method: its inputs and, if the results are to be judged, the expected outputs.

    Tensors may be numpy arrays or torch tensors of any memory layout; scalars int, float or bool.
    Nested lists, tuples and dicts are flattened. ``tolerances``: one for all outputs or one per
    expected output; ``None`` inherits the suite's.
    """

    def __init__(
        self,
        inputs: object,
        expected_outputs: object = None,
        *,
        name: str = "",
        tolerances: Tolerances = None,
    ) -> None:
        self.inputs: list[object] = flatten(inputs)
        self.expected_outputs: list[object] = (
            [] if expected_outputs is None else flatten(expected_outputs)
        )
        self.name = name
        self.tolerances = tolerances


@dataclass
class MethodTestSuite:
    """All test cases of one method, and the tolerances for the cases that state none."""

    method_name: str
    test_cases: Sequence[MethodTestCase] = field(default_factory=list)
    tolerances: Tolerances = None


class PackedCase(NamedTuple):
    """A case whose values have been checked."""

    name: str
    inputs: list[PackedValue]
    expected_outputs: list[PackedValue]
    tolerances: list[Tolerance]


class PackedSuite(NamedTuple):
    method_name: str
    test_cases: list[PackedCase]
    tolerances: list[Tolerance]


def checked_text(what: str, text: object, *, empty: bool = False) -> str:
    if not isinstance(text, str):
        raise PackError(f"{what} must be a text, not {type(text).__name__}")
    if not text and not empty:
        raise PackError(f"{what} must not be empty")
    if "\0" in text:
        raise PackError(f"{what} must not hold a NUL: {text!r}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise PackError(f"{what} cannot be written as UTF-8: {text!r}") from None
    return text


def checked_strings(given: Mapping[str, str]) -> dict[str, str]:
    from bpte import __version__

    strings = {"producer": f"bpte {__version__}"}
    for key, value in given.items():
        strings[checked_text("a key of the metadata", key)] = checked_text(
            f"the metadata's {key!r}", value, empty=True
        )
    return dict(sorted(strings.items()))


def _tolerances(given: Tolerances) -> list[Tolerance]:
    tolerances = [given] if isinstance(given, Tolerance) else list(given or ())
    for tolerance in tolerances:
        if not isinstance(tolerance, Tolerance):
            raise PackError(f"a tolerance must be a Tolerance, not {type(tolerance).__name__}")
    return tolerances


def normalise_suites(suites: Sequence[MethodTestSuite]) -> list[PackedSuite]:
    packed: list[PackedSuite] = []
    methods: set[str] = set()
    for suite in suites:
        method = checked_text("a suite's method_name", suite.method_name)
        if method in methods:
            raise PackError("there are two suites for it", method=method)
        methods.add(method)
        inherited = _tolerances(suite.tolerances)
        cases = [
            _normalise_case(method, number, case, inherited)
            for number, case in enumerate(suite.test_cases)
        ]
        packed.append(PackedSuite(method, cases, inherited))
    return sorted(packed, key=lambda suite: suite.method_name)


def _normalise_case(
    method: str, number: int, case: MethodTestCase, inherited: list[Tolerance]
) -> PackedCase:
    place = Place(case=number)
    sides: list[list[PackedValue]] = []
    for side, given in (("input", case.inputs), ("output", case.expected_outputs)):
        values = []
        for index, value in enumerate(given):
            try:
                values.append(normalise(value))
            except PackError as error:
                raise error.at(method, place._replace(**{side: index})) from None
        sides.append(values)
    try:
        tolerances = _tolerances(case.tolerances)
        name = checked_text("the case's name", case.name, empty=True)
    except PackError as error:
        raise error.at(method, place) from None
    count = len(tolerances) or len(inherited)
    if count not in (0, 1, len(sides[1])):
        raise PackError(
            f"{count} tolerances for {len(sides[1])} expected outputs: give one, or one for each",
            method=method,
            place=place,
        )
    return PackedCase(name, sides[0], sides[1], tolerances)
