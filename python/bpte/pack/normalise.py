# SPDX-License-Identifier: BSD-3-Clause
"""Checks suites as callers make them, and turns them into what the writers take."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from bpte.format.budget import Budget
from bpte.format.metadata import Carry
from bpte.format.metric import MAX_CLASSES, MAX_LABELS, Metric
from bpte.format.rules import Place
from bpte.format.scalar_type import dtype_name
from bpte.format.tensor_data import TensorData
from bpte.format.tolerance import Tolerance
from bpte.format.trace import Instruction, TracedMethod, TraceOrigin, TraceValue
from bpte.pack.cases import (
    Carries,
    MethodTestCase,
    MethodTestSuite,
    PackedCase,
    PackedSuite,
    PackedTraceValue,
    PackedValue,
    Tolerances,
    checked_text,
)
from bpte.pack.tensors import PackError, flatten, normalise


def normalise_suites(suites: Sequence[MethodTestSuite]) -> list[PackedSuite]:
    """The suites in the order of their methods. Raises ``PackError``."""
    packed: list[PackedSuite] = []
    methods: set[str] = set()
    for suite in suites:
        method = checked_text("a suite's method_name", suite.method_name)
        if method in methods:
            raise PackError("there are two suites for it", method=method)
        methods.add(method)
        try:
            packed.append(_Suite(method, suite).packed(suite))
        except PackError as error:
            if error.method is not None:
                raise
            raise PackError(error.what, method=method) from None
    return sorted(packed, key=lambda suite: suite.method_name)


def checked_budgets(budgets: Sequence[Budget], suites: Sequence[PackedSuite]) -> list[Budget]:
    methods = {suite.method_name for suite in suites}
    for budget in budgets:
        if not isinstance(budget, Budget):
            raise PackError(f"a budget must be a Budget, not {type(budget).__name__}")
        if budget.method is not None and budget.method not in methods:
            raise PackError("a budget is for it, but there is no suite", method=budget.method)
        if budget.target is not None:
            checked_text("a budget's target", budget.target)
    return list(budgets)


def settled(suites: list[PackedSuite]) -> list[PackedSuite]:
    """The suites with each carried output in the memory order of the input that takes it. Raises
    ``PackError`` for a carry between values that differ in more than that."""
    return [
        suite._replace(
            test_cases=[
                _settled_case(suite.method_name, Place(case=number), case) if case.steps else case
                for number, case in enumerate(suite.test_cases)
            ]
        )
        for suite in suites
    ]


def _settled_case(method: str, place: Place, case: PackedCase) -> PackedCase:
    steps = list(case.steps)
    for number in range(1, len(steps)):
        outputs = list(steps[number - 1].expected_outputs)
        for output, into in steps[number].carries:
            taken = steps[number].inputs[into]
            given = outputs[output]
            if (
                isinstance(given, TensorData)
                and isinstance(taken, TensorData)
                and len(given.sizes) == len(taken.sizes)
            ):
                outputs[output] = given = given.reordered(taken.dim_order)
            if _kind(given) != _kind(taken):
                raise PackError(
                    f"output {output} of the step before is {_words(given)}, input {into} is "
                    f"{_words(taken)}: only alike values can be carried",
                    method=method,
                    place=place._replace(step=number),
                )
        steps[number - 1] = steps[number - 1]._replace(expected_outputs=outputs)
    return case._replace(steps=steps)


def _kind(value: PackedValue) -> tuple[object, ...]:
    if isinstance(value, TensorData):
        return value.scalar_type, value.sizes, value.dim_order
    return (type(value),)


def _words(value: PackedValue) -> str:
    if isinstance(value, TensorData):
        order = "" if value.dim_order == tuple(range(len(value.sizes))) else " in another order"
        return f"{dtype_name(value.scalar_type)}{list(value.sizes)}{order}"
    return {bool: "a bool", int: "an int", float: "a double"}[type(value)]


def _tolerances(given: Tolerances) -> list[Tolerance]:
    tolerances = [given] if isinstance(given, Tolerance) else list(given or ())
    for tolerance in tolerances:
        if not isinstance(tolerance, Tolerance):
            raise PackError(f"a tolerance must be a Tolerance, not {type(tolerance).__name__}")
    return tolerances


class _Suite:
    """Normalises the cases of one suite."""

    def __init__(self, method: str, suite: MethodTestSuite) -> None:
        self.method = method
        self.inherited = _tolerances(suite.tolerances)
        self.traced = _Traced(suite)

    def packed(self, suite: MethodTestSuite) -> PackedSuite:
        cases = [
            self._sequence(Place(case=number), case)
            if case.steps
            else self._run(Place(case=number), case, case.inputs, self.inherited)
            for number, case in enumerate(suite.test_cases)
        ]
        metrics = [self._metric(metric, cases) for metric in suite.metrics]
        return PackedSuite(self.method, cases, self.inherited, metrics, self.traced.method)

    def _run(
        self,
        place: Place,
        case: MethodTestCase,
        inputs: Sequence[object],
        inherited: Sequence[Tolerance],
    ) -> PackedCase:
        """A case or step with values of its own."""
        sides: list[list[PackedValue]] = []
        for side, given in (("input", inputs), ("output", case.expected_outputs)):
            values = []
            for index, value in enumerate(given):
                try:
                    values.append(normalise(value))
                except PackError as error:
                    raise error.at(self.method, place._replace(**{side: index})) from None
            sides.append(values)
        try:
            if case.carry and place.step is None:
                raise PackError("a carry needs a step before: give the case steps")
            tolerances = _tolerances(case.tolerances)
            name = checked_text("the case's name", case.name, empty=True)
            labels = _labels(case.labels)
            trace = [self.traced.entry(entry) for entry in case.trace]
        except PackError as error:
            raise error.at(self.method, place) from None
        count = len(tolerances) or len(inherited)
        if count not in (0, 1, len(sides[1])):
            raise PackError(
                f"{count} tolerances for {len(sides[1])} expected outputs: give one, or one for "
                "each",
                method=self.method,
                place=place,
            )
        return PackedCase(name, sides[0], sides[1], tolerances, labels=labels, trace=trace)

    def _sequence(self, place: Place, case: MethodTestCase) -> PackedCase:
        try:
            for what, given in (
                ("inputs", case.inputs),
                ("expected outputs", case.expected_outputs),
                ("labels", _labels(case.labels)),
                ("a trace", case.trace),
            ):
                if given:
                    raise PackError(f"a case with steps has no {what} of its own: give its steps")
            tolerances = _tolerances(case.tolerances)
            name = checked_text("the case's name", case.name, empty=True)
        except PackError as error:
            raise error.at(self.method, place) from None
        steps: list[PackedCase] = []
        for number, step in enumerate(case.steps):
            at = place._replace(step=number)
            try:
                if step.steps:
                    raise PackError("a step cannot have steps")
                carry = step.carry if step.carry is not None or number == 0 else case.carry
                carries = checked_carries(carry)
                inputs = _with_carried(step.inputs, carries, steps)
            except PackError as error:
                raise error.at(self.method, at) from None
            packed = self._run(at, step, inputs, tolerances or self.inherited)
            steps.append(packed._replace(carries=carries))
        return PackedCase(name, [], [], tolerances, steps=steps)

    def _metric(self, metric: Metric, cases: Sequence[PackedCase]) -> Metric:
        if not isinstance(metric, Metric):
            raise PackError(f"a metric must be a Metric, not {type(metric).__name__}")
        what = metric.kind.name.lower()
        for number, case in enumerate(cases):
            for index, run in enumerate(case.runs):
                place = Place(case=number, step=index if case.steps else None)
                problem = ""
                if metric.kind.wants_labels:
                    problem = "" if run.labels else f"the metric {what} needs labels"
                elif metric.output >= len(run.expected_outputs):
                    problem = (
                        f"the metric {what} compares with expected output {metric.output}, there "
                        f"are {len(run.expected_outputs)}"
                    )
                if problem:
                    raise PackError(problem, method=self.method, place=place)
        return metric


def _labels(given: object) -> list[int]:
    tolist = getattr(given, "tolist", None)  # numpy's and torch's
    labels = flatten(tolist() if tolist is not None else given)
    if len(labels) > MAX_LABELS:
        raise PackError(f"{len(labels)} labels, at most {MAX_LABELS}")
    checked = []
    for label in labels:
        if isinstance(label, bool) or not isinstance(label, int) or not 0 <= label < MAX_CLASSES:
            raise PackError(f"a label must be an integer from 0 to {MAX_CLASSES - 1}: {label!r}")
        checked.append(label)
    return checked


# ---- Steps


def checked_carries(given: Carries | None) -> list[Carry]:
    """What a step states, by its inputs. Raises ``PackError``."""
    pairs = given.items() if isinstance(given, Mapping) else given or ()
    carries = []
    for pair in pairs:
        if len(pair) != 2 or any(type(index) is not int or index < 0 for index in pair):
            raise PackError(f"a carry is the index of an output and of an input, not {pair!r}")
        carries.append(Carry(*pair))
    carries.sort(key=lambda carry: carry.input)
    for one, other in itertools.pairwise(carries):
        if one.input == other.input:
            raise PackError(f"two outputs are carried into input {one.input}")
    return carries


def _with_carried(
    given: Sequence[object], carries: Sequence[Carry], before: Sequence[PackedCase]
) -> list[object]:
    """The inputs of a step, with the carried ones that are ``None`` filled in."""
    inputs = list(given)
    if not carries:
        return inputs
    if not before:
        raise PackError("the first step has no step before it that carries into it")
    outputs = before[-1].expected_outputs
    for output, into in carries:
        if into >= len(inputs):
            raise PackError(f"a carry into input {into}, there are {len(inputs)}")
        if output >= len(outputs):
            raise PackError(
                f"a carry from output {output}, the step before has {len(outputs)} expected outputs"
            )
        if inputs[into] is None:
            inputs[into] = outputs[output]
    return inputs


# ---- Traces


class _Traced:
    """Collects the instructions that the traces of a suite name."""

    def __init__(self, suite: MethodTestSuite) -> None:
        self.method: TracedMethod | None = None
        self._index: dict[tuple[int, int, int], int] = {}
        given = suite.traced_method
        if given is None:
            return
        known: dict[tuple[int, int, int], Instruction] = {}
        listed = list(given.instructions)
        for case in suite.test_cases:
            for run in case.steps or (case,):
                listed += [entry.instruction for entry in run.trace]
        for instruction in listed:
            other = known.setdefault(instruction.order, instruction)
            if other is not instruction and other != instruction:
                raise PackError(f"{other} and {instruction} are one instruction")
        instructions = [_checked(known[order]) for order in sorted(known)]
        self.method = TracedMethod(TraceOrigin(given.origin), instructions, given.program_crc32)
        self._index = {instruction.order: i for i, instruction in enumerate(instructions)}

    def entry(self, given: TraceValue) -> PackedTraceValue:
        if self.method is None:
            raise PackError("a trace needs its suite's traced_method, which says who computed it")
        _u32("the output of a traced instruction", given.output)
        index = self._index[given.instruction.order]
        return PackedTraceValue(index, given.output, normalise(given.value))


def _checked(instruction: Instruction) -> Instruction:
    for number in (instruction.chain, instruction.index, instruction.operation or 0):
        _u32("a number of an instruction", number)
    for text in (
        instruction.operator_name,
        instruction.node,
        instruction.module_path,
        instruction.source,
    ):
        if text is not None:
            checked_text("a text of an instruction", text, empty=True)
    return instruction


def _u32(what: str, number: int) -> None:
    if type(number) is not int or not 0 <= number < 1 << 32:
        raise PackError(f"{what} must be from 0 to {(1 << 32) - 1}: {number!r}")
