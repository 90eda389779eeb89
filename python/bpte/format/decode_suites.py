# SPDX-License-Identifier: BSD-3-Clause
"""Reads suites, cases and steps from metadata that is not trusted."""

from __future__ import annotations

import struct
from typing import Any

from bpte.format import layout, schema
from bpte.format.decode_values import ValueWalk
from bpte.format.flatbuffer import Malformed, Reader
from bpte.format.header import Header
from bpte.format.metadata import Carry, Case, Suite, Tensor, TraceEntry, Value
from bpte.format.metric import MAX_CLASSES, MAX_LABELS, Metric, MetricKind
from bpte.format.rules import BundleError, Place, Rule
from bpte.format.tolerance import NanPolicy, Tolerance
from bpte.format.trace import Instruction, TracedMethod, TraceOrigin
from bpte.format.walk import BYTE, F64, U8

_ORIGINS = frozenset(TraceOrigin)

_LABEL = struct.Struct("<i")

_ANY_NUMBER = 1 << 32
"""More than any count or index."""

_APPENDED = slice(schema.CASE_STEPS, schema.CASE_TRACE + 1)
"""The fields of a case that BP08 has no place for."""


class SuiteWalk(ValueWalk):
    def __init__(self, reader: Reader, header: Header) -> None:
        super().__init__(reader, header)
        # Of the current suite.
        self._instructions = 0
        self._fewest_outputs = _ANY_NUMBER
        self._unlabelled = False

    def suites(self, elements: range) -> list[Suite]:
        if self.bp08 and len(elements) > layout.MAX_SUITES_BP08:
            raise self.fault(
                Rule.TOO_MANY_SUITES, elements.start, len(elements), layout.MAX_SUITES_BP08
            )
        suites: list[Suite] = []
        methods: set[str] = set()
        method = ""
        for index, element in enumerate(elements):
            self.place = Place(index)
            table = self.reader.table(element)
            fields = self.reader.fields(table)
            name = fields[schema.SUITE_METHOD_NAME]
            run = self.reader.string(name) if name else (0, 0)
            if not run[1]:
                raise self.fault(Rule.METHOD_NAME_MISSING, table)
            if self.bp08:
                method = self.text(run)
                if method in methods:
                    raise self.fault(Rule.DUPLICATE_SUITE, run[0])
                methods.add(method)
            else:
                method = self.key(run, index, method)
            suites.append(self._suite(table, fields, method))
        return suites

    def _suite(self, table: int, fields: list[int], method: str) -> Suite:
        cases = fields[schema.SUITE_TEST_CASES]
        if not cases:
            raise self.fault(Rule.CASES_MISSING, table)
        case_elements = self.tables(cases)
        inherited = self._tolerances(fields[schema.SUITE_TOLERANCES])
        metrics = fields[schema.SUITE_METRICS]
        traced = fields[schema.SUITE_TRACED_METHOD]
        traced_method = self._traced_method(traced) if traced and not self.bp08 else None
        self._instructions = len(traced_method.instructions) if traced_method else 0
        self._fewest_outputs = _ANY_NUMBER
        self._unlabelled = False
        place = self.place
        test_cases = []
        for number, case in enumerate(case_elements):
            self.place = place._replace(case=number)
            test_cases.append(self._case(self.reader.table(case), len(inherited)))
        self.place = place
        if self.bp08 and (metrics or traced):
            raise self.fault(Rule.NOT_IN_BP08, table)
        return Suite(
            method, test_cases, inherited, self._metrics(metrics) if metrics else (), traced_method
        )

    def _tolerances(self, field: int) -> list[Tolerance]:
        if not field:
            return []
        reader = self.reader
        tolerances = []
        place = self.place
        for index, element in enumerate(self.tables(field)):
            self.place = place._replace(output=index)
            table = reader.table(element)
            fields = reader.fields(table)

            def stated(field: int, fields: list[int] = fields) -> float | None:
                number: float | None = reader.scalar(fields[field], F64, None)
                return number

            share = stated(schema.TOLERANCE_MAX_OUTLIER_SHARE)
            policy: int = reader.scalar(fields[schema.TOLERANCE_NAN_POLICY], BYTE, 0)
            not_compared = reader.scalar(fields[schema.TOLERANCE_NOT_COMPARED], U8, 0) != 0
            try:
                tolerances.append(
                    Tolerance(
                        rtol=stated(schema.TOLERANCE_RTOL),
                        atol=stated(schema.TOLERANCE_ATOL),
                        max_outlier_share=0.0 if share is None else share,
                        min_sqnr_db=stated(schema.TOLERANCE_MIN_SQNR_DB),
                        min_cosine=stated(schema.TOLERANCE_MIN_COSINE),
                        nan_policy=NanPolicy(policy),
                        not_compared=not_compared,
                    )
                )
            except ValueError as error:
                raise self.fault(Rule.TOLERANCE_VALUE, table, detail=str(error)) from None
        self.place = place
        return tolerances

    def _case(
        self, table: int, inherited: int, *, step: bool = False, before: Case | None = None
    ) -> Case:
        """A case, or a ``step`` and the one before it. ``inherited``: how many tolerances hold for
        one that states none."""
        reader = self.reader
        fields = reader.fields(table)
        inputs = fields[schema.CASE_INPUTS]
        outputs = fields[schema.CASE_EXPECTED_OUTPUTS]
        name = fields[schema.CASE_NAME]
        if not inputs:
            raise self.fault(Rule.INPUTS_MISSING, table)
        input_elements = self.tables(inputs)
        if not outputs:
            raise self.fault(Rule.OUTPUTS_MISSING, table)
        output_elements = self.tables(outputs)
        text = self.text(reader.string(name)) if name else ""
        own = self._tolerances(fields[schema.CASE_TOLERANCES])
        count = len(own) or inherited
        steps_field = fields[schema.CASE_STEPS]
        steps = self.tables(steps_field) if steps_field and not self.bp08 else range(0)
        if steps:
            if step:
                raise self.fault(Rule.NESTED_STEPS, table)
            if input_elements or output_elements:
                raise self.fault(Rule.STEP_VALUES, table)
        elif count > 1 and count != len(output_elements):
            raise self.fault(Rule.TOLERANCE_COUNT, table, count, len(output_elements))
        sides, segment = self._sides(input_elements, output_elements)
        case = Case(text, sides[0], sides[1], own, segment)
        if self.bp08:
            if any(fields[_APPENDED]):
                raise self.fault(Rule.NOT_IN_BP08, table)
        elif any(fields[_APPENDED]):
            case = self._parts(table, fields, case, steps, count, before)
        if not steps:
            self._fewest_outputs = min(self._fewest_outputs, len(sides[1]))
            self._unlabelled |= not case.labels
        return case

    def _sides(self, inputs: range, outputs: range) -> tuple[list[list[Value]], int | None]:
        """Inputs and expected outputs, and the segment that their tensors lie in."""
        segment: int | None = None
        sides: list[list[Value]] = []
        for side, elements in (("input", inputs), ("output", outputs)):
            values: list[Value] = []
            for index, element in enumerate(elements):
                try:
                    value = self.value(self.reader.table(element), segment)
                except (BundleError, Malformed) as error:
                    self.place = self.place._replace(**{side: index})
                    if isinstance(error, BundleError):
                        error.place = self.place
                    raise
                if isinstance(value, Tensor):
                    segment = value.segment
                values.append(value)
            sides.append(values)
        return sides, segment

    def _parts(
        self,
        table: int,
        fields: list[int],
        case: Case,
        steps: range,
        inherited: int,
        before: Case | None,
    ) -> Case:
        """The case with what not every case has."""
        carries, labels, trace = fields[schema.CASE_CARRIES :][:3]
        if steps:
            case = case._replace(steps=self._steps(steps, inherited))
        if carries:
            case = case._replace(carries=self._carries(carries, case, before))
        if labels:
            case = case._replace(labels=self._labels(table, labels, bool(steps)))
        if trace:
            elements = self.tables(trace)
            if elements and steps:
                raise self.fault(Rule.STEP_VALUES, table)
            case = case._replace(trace=self._trace(elements, case.segment))
        return case

    def _steps(self, elements: range, inherited: int) -> list[Case]:
        steps: list[Case] = []
        place = self.place
        for number, element in enumerate(elements):
            self.place = place._replace(step=number)
            before = steps[-1] if steps else None
            table = self.reader.table(element)
            steps.append(self._case(table, inherited, step=True, before=before))
        self.place = place
        return steps

    def _items(self, field: int, item: struct.Struct) -> range:
        """The positions of the elements of a vector of structs or numbers in a case."""
        first, count = self.reader.vector(field, item.size, 4)
        self.reach(first, layout.REACH_OF_ITEM * count)
        return range(first, first + count * item.size, item.size)

    def _carries(self, field: int, case: Case, before: Case | None) -> list[Carry]:
        carries: list[Carry] = []
        for at in self._items(field, schema.CARRY):
            carry = Carry._make(schema.CARRY.unpack_from(self.reader.data, at))
            if before is None:
                raise self.fault(Rule.CARRY_FIRST_STEP, at)
            if carry.input >= len(case.inputs):
                raise self.fault(Rule.CARRY_INDEX, at, carry.input, len(case.inputs))
            if carries and carry.input <= carries[-1].input:
                raise self.fault(Rule.CARRY_ORDER, at, carry.input, carries[-1].input)
            if carry.output >= len(before.expected_outputs):
                raise self.fault(Rule.CARRY_INDEX, at, carry.output, len(before.expected_outputs))
            given, taken = before.expected_outputs[carry.output], case.inputs[carry.input]
            if not alike(given, taken):
                raise self.fault(Rule.CARRY_MISMATCH, at)
            carries.append(carry)
        return carries

    def _labels(self, table: int, field: int, has_steps: bool) -> list[int]:
        positions = self._items(field, _LABEL)
        if positions and has_steps:
            raise self.fault(Rule.STEP_VALUES, table)
        if len(positions) > MAX_LABELS:
            raise self.fault(Rule.LABEL_COUNT, table, len(positions), MAX_LABELS)
        labels = []
        for at in positions:
            label: int = _LABEL.unpack_from(self.reader.data, at)[0]
            if not 0 <= label < MAX_CLASSES:
                raise self.fault(Rule.LABEL_VALUE, at, label)
            labels.append(label)
        return labels

    # ---- Traces

    def _trace(self, elements: range, case_segment: int | None) -> list[TraceEntry]:
        entries = []
        segment: int | None = None
        self.foreign_segment = case_segment
        for element in elements:
            table = self.reader.table(element)
            fields = self.reader.fields(table)
            instruction = self.number(fields[schema.TRACE_VALUE_INSTRUCTION])
            if instruction >= self._instructions:
                raise self.fault(Rule.TRACE_INSTRUCTION, table, instruction, self._instructions)
            output = self.number(fields[schema.TRACE_VALUE_OUTPUT])
            field = fields[schema.TRACE_VALUE_VALUE]
            if not field:
                raise self.fault(Rule.VALUE_MISSING, table, 0)
            value = self.value(self.reader.table(field), segment)
            if isinstance(value, Tensor):
                segment = value.segment
            entries.append(TraceEntry(instruction, output, value))
        self.foreign_segment = None
        return entries

    def _traced_method(self, field: int) -> TracedMethod:
        reader = self.reader
        table = reader.table(field)
        fields = reader.fields(table)
        crc32 = self.number(fields[schema.TRACED_METHOD_PROGRAM_CRC32])
        if crc32 != self.program_crc32:
            raise self.fault(Rule.TRACE_PROGRAM, table, crc32, self.program_crc32)
        origin: int = reader.scalar(fields[schema.TRACED_METHOD_ORIGIN], BYTE, 0)
        if origin not in _ORIGINS:
            raise self.fault(Rule.TRACE_ORIGIN, table, origin)
        listed = fields[schema.TRACED_METHOD_INSTRUCTIONS]
        instructions: list[Instruction] = []
        last = (-1, -1, -1)
        for element in self.tables(listed) if listed else ():
            at = reader.table(element)
            fields = reader.fields(at)
            chain = self.number(fields[schema.INSTRUCTION_CHAIN])
            index = self.number(fields[schema.INSTRUCTION_INDEX])
            field = fields[schema.INSTRUCTION_OPERATION]
            operation = self.number(field) if field else None
            order = Instruction(chain, index, operation).order
            if order <= last:
                raise self.fault(Rule.INSTRUCTION_ORDER, at)
            last = order
            texts = map(self.optional_text, fields[schema.INSTRUCTION_OPERATOR_NAME :][:4])
            instructions.append(Instruction(chain, index, operation, *texts))
        return TracedMethod(TraceOrigin(origin), instructions, crc32)

    # ---- Metrics

    def _metrics(self, field: int) -> list[Metric]:
        metrics = []
        for element in self.tables(field):
            table = self.reader.table(element)
            metric = self._metric(table, self.reader.fields(table))
            if metric.kind.wants_labels:
                if self._unlabelled:
                    raise self.fault(Rule.LABELS_MISSING, table)
            elif metric.output >= self._fewest_outputs:
                raise self.fault(Rule.METRIC_OUTPUT, table, metric.output, self._fewest_outputs)
            metrics.append(metric)
        return metrics

    def _metric(self, table: int, fields: list[int]) -> Metric:
        def real(field: int, default: float | None) -> Any:
            return self.reader.scalar(fields[field], F64, default)

        kind: int = self.reader.scalar(fields[schema.METRIC_KIND], BYTE, 0)
        facts = {
            "output": self.number(fields[schema.METRIC_OUTPUT]),
            "minimum": real(schema.METRIC_MINIMUM, None),
            "maximum": real(schema.METRIC_MAXIMUM, None),
            "k": self.number(fields[schema.METRIC_K], 1),
            "classes": self.number(fields[schema.METRIC_CLASSES]),
            "score": self.number(fields[schema.METRIC_SCORE]),
            "bins": self.number(fields[schema.METRIC_BINS], MAX_CLASSES),
            "low": real(schema.METRIC_LOW, 0.0),
            "high": real(schema.METRIC_HIGH, 1.0),
        }
        try:
            return Metric(MetricKind(kind), **facts)
        except ValueError as error:
            raise self.fault(Rule.METRIC_VALUE, table, detail=str(error)) from None


def alike(one: Value, other: Value) -> bool:
    """Whether the values agree in all but their elements."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one[:3] == other[:3]
    return type(one) is type(other)
