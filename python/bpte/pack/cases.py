# SPDX-License-Identifier: BSD-3-Clause
"""Test suites in two forms: as callers make them, and as the writers take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bpte.format.metadata import Carry
from bpte.format.metric import Metric
from bpte.format.tensor_data import TensorData
from bpte.format.tolerance import Tolerance
from bpte.format.trace import TracedMethod, TraceValue
from bpte.pack.tensors import PackError, flatten

Tolerances = Tolerance | Sequence[Tolerance] | None

Carries = Mapping[int, int] | Sequence[tuple[int, int]]
"""Outputs of the step before to inputs of this one."""

PackedValue = TensorData | int | float | bool


class MethodTestCase:
    """One run of a method: its inputs and, if the results are to be judged, the expected outputs.

    Tensors may be numpy arrays or torch tensors of any memory layout; scalars int, float or bool.
    Nested lists, tuples and dicts are flattened. ``tolerances``: one for all outputs or one per
    expected output; ``None`` inherits the suite's.

    Or several runs, one after another, without the method being loaded again: ``steps``, each a
    ``MethodTestCase``. ``carry`` says which outputs of a step become which inputs of the next, such
    as ``{1: 0}``; a step may state its own. A carried input may be ``None`` in the steps after the
    first: its value is then the expected output of the step before.

    ``labels``: the class, or one for each sample, for the suite's metrics. ``trace``: what the
    method's instructions gave.
    """

    def __init__(
        self,
        inputs: object = (),
        expected_outputs: object = None,
        *,
        name: str = "",
        tolerances: Tolerances = None,
        steps: Sequence[MethodTestCase] = (),
        carry: Carries | None = None,
        labels: object = (),
        trace: Sequence[TraceValue] = (),
    ) -> None:
        self.inputs: list[object] = flatten(inputs)
        self.expected_outputs: list[object] = (
            [] if expected_outputs is None else flatten(expected_outputs)
        )
        self.name = name
        self.tolerances = tolerances
        self.steps = list(steps)
        self.carry = carry
        self.labels = labels
        self.trace = trace


@dataclass
class MethodTestSuite:
    """All test cases of one method, and the tolerances for the cases that state none.

    ``metrics`` are measured over all cases. ``traced_method`` says who computed the cases' traces,
    if there are any.
    """

    method_name: str
    test_cases: Sequence[MethodTestCase] = field(default_factory=list)
    tolerances: Tolerances = None
    metrics: Sequence[Metric] = ()
    traced_method: TracedMethod | None = None


class PackedTraceValue(NamedTuple):
    instruction: int
    """Index into the suite's ``traced_method.instructions``."""
    output: int
    value: PackedValue


class PackedCase(NamedTuple):
    """A case whose values have been checked."""

    name: str
    inputs: list[PackedValue]
    expected_outputs: list[PackedValue]
    tolerances: list[Tolerance]
    steps: Sequence[PackedCase] = ()
    carries: Sequence[Carry] = ()
    labels: Sequence[int] = ()
    trace: Sequence[PackedTraceValue] = ()

    @property
    def runs(self) -> Sequence[PackedCase]:
        """What is executed: the steps, or the case itself."""
        return self.steps or (self,)


class PackedSuite(NamedTuple):
    method_name: str
    test_cases: list[PackedCase]
    tolerances: list[Tolerance]
    metrics: Sequence[Metric] = ()
    traced_method: TracedMethod | None = None


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
