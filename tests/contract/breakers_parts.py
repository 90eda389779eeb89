# SPDX-License-Identifier: BSD-3-Clause
"""Breakers of the parts that not every bundle has: steps, carries, labels, metrics, traces,
budgets, and the roles of named data. `breakers.py` says what a breaker is, and loads this module.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from breakers import (
    ACCEPTED,
    BP08,
    BP09,
    CASES,
    DIM_ORDER,
    FLOAT32,
    INPUTS,
    INT,
    METADATA,
    METHOD,
    NAME,
    NAMED_DATA,
    OUTPUTS,
    PAYLOAD,
    RTOL,
    SCALAR_TYPE,
    SIZES,
    SUITES,
    TENSOR,
    TOLERANCES,
    Accepted,
    Model,
    Node,
    Scalar,
    Segment,
    String,
    Table,
    Tables,
    Vector,
    _breaks,
    _drop,
    _malformed,
    _poke,
    _vector,
    ints,
    payload,
)

# Numbers of schema/bpte.fbs, from where breakers.py stops.
STEPS, CARRIES, LABELS, TRACE = range(4, 8)
METRICS, TRACED_METHOD = range(3, 5)
BUDGETS = 7
KEY, SEGMENT, ROLE, FILE_NAME = range(4)
KIND, OUTPUT, MINIMUM, MAXIMUM, K, CLASSES, SCORE, BINS, LOW, HIGH = range(10)
PROGRAM_CRC32, ORIGIN, INSTRUCTIONS = range(3)
CHAIN, INDEX, OPERATION, OPERATOR_NAME, NODE, MODULE_PATH, SOURCE = range(7)
TRACE_INSTRUCTION, TRACE_OUTPUT, TRACE_VALUE = range(3)
RESOURCE, LIMIT, BUDGET_SUITE, TARGET = range(4)
NONE, PTD, GRAPH = range(3)
(
    TOP_K_ACCURACY,
    ARGMAX_AGREEMENT,
    MEAN_ABSOLUTE_ERROR,
    MEAN_SQUARED_ERROR,
    SQNR_DB,
    COSINE,
    ROC_AUC,
    CONFUSION_MATRIX,
) = range(8)
WANTS_OUTPUTS = (ARGMAX_AGREEMENT, MEAN_ABSOLUTE_ERROR, MEAN_SQUARED_ERROR, SQNR_DB, COSINE)
WANTS_LABELS = (TOP_K_ACCURACY, ROC_AUC, CONFUSION_MATRIX)

FEATURE_STEPS, FEATURE_METRICS, FEATURE_BUDGETS = 1, 2, 4
ALL_FEATURES = FEATURE_STEPS | FEATURE_METRICS | FEATURE_BUDGETS
NAN, INFINITY = float("nan"), float("inf")


def carries(*pairs: tuple[int, int]) -> Vector:
    """Of (output, input)."""
    return Vector(b"".join(struct.pack("<II", *pair) for pair in pairs), 8, 4)


def floats(first: float) -> bytes:
    return struct.pack("<6f", *(first + i for i in range(6)))


class Parts:
    """The model's bundle with a bit of every part.

    The suite "generate" has a second case, of three steps: each takes a tensor, a state and an
    integer, and gives a tensor, a state and an integer; state and integer are carried. The suite
    "forward" has labels, a metric of each kind, and a trace of its first case. There are two
    budgets, external weights, and a graph.
    """

    def __init__(self, m: Model) -> None:
        self.m = m
        self.state_order = (1, 0)
        self.steps = [self._step(number) for number in range(3)]
        for step in self.steps[1:]:
            step.fields[CARRIES] = carries((1, 1), (2, 2))
        self.sequence = Table({INPUTS: Tables([]), OUTPUTS: Tables([]), STEPS: Tables(self.steps)})
        m.suites[1].fields[CASES] = Tables([m.cases[2], self.sequence])

        m.cases[0].fields[LABELS] = ints(1)
        m.cases[1].fields[LABELS] = ints(0, 1)
        self.metrics = [Table({KIND: Scalar("b", kind)}) for kind in range(8)]
        self.metrics[TOP_K_ACCURACY].fields |= {
            MINIMUM: Scalar("d", 0.5),
            K: Scalar("I", 3),
        }
        self.metrics[MEAN_ABSOLUTE_ERROR].fields |= {
            OUTPUT: Scalar("I", 1),
            MAXIMUM: Scalar("d", 0.25),
        }
        self.metrics[ROC_AUC].fields |= {
            SCORE: Scalar("I", 1),
            BINS: Scalar("I", 64),
            LOW: Scalar("d", -1.0),
            HIGH: Scalar("d", 1.5),
        }
        self.metrics[CONFUSION_MATRIX].fields[CLASSES] = Scalar("I", 2)
        m.suites[0].fields[METRICS] = Tables(self.metrics)

        self.instructions = [
            self._instruction(0, 0, operator_name="aten::addmm.out", source="model.py:41"),
            self._instruction(0, 2),
            self._instruction(0, 2, 0, node="conv", module_path="classifier.1"),
            self._instruction(0, 2, 7),
            self._instruction(1, 0),
        ]
        self.traced = Table(
            {
                PROGRAM_CRC32: Scalar("I", zlib.crc32(m.program_bytes)),
                ORIGIN: Scalar("b", 1),
                INSTRUCTIONS: Tables(self.instructions),
            }
        )
        m.suites[0].fields[TRACED_METHOD] = self.traced
        self.trace = [self._entry(0, 0, 0.0), self._entry(3, 1, 8.0), self._entry(0, 0, 2.0)]
        m.cases[0].fields[TRACE] = Tables(self.trace)
        self.trace_segment = len(m.segments)
        for place, entry in enumerate(self.trace):
            self.tensor_of(entry).fields[PAYLOAD] = payload(32 * place, 24, self.trace_segment)
        content = b"".join(floats(first) + bytes(8) for first in (0.0, 8.0, 2.0))
        m.segments.append(Segment(content))

        self.budgets = [
            Table({RESOURCE: Scalar("b", 6), LIMIT: Scalar("Q", 1 << 17)}),
            Table(
                {
                    LIMIT: Scalar("Q", (1 << 64) - 1),
                    BUDGET_SUITE: Scalar("I", 1),
                    TARGET: String(b"corstone-300"),
                }
            ),
        ]
        m.root.fields[BUDGETS] = Tables(self.budgets)

        self.weights_segment = len(m.segments)
        m.segments.append(Segment(b"\0\0\0\0FT01 and more", 16))
        self.graph = Table(
            {KEY: String(b"tosa"), SEGMENT: Scalar("I", 0), ROLE: Scalar("b", GRAPH)}
        )
        self.weights = Table(
            {
                KEY: String(b"w"),
                SEGMENT: Scalar("I", self.weights_segment),
                ROLE: Scalar("b", PTD),
                FILE_NAME: String("gewichte für alle.ptd".encode()),
            }
        )
        if m.bp09:
            m.root.fields[NAMED_DATA] = Tables([self.graph, self.weights, m.named])
        m.header["required_features"] = ALL_FEATURES

    def _step(self, number: int) -> Table:
        m = self.m
        segment = len(m.segments)
        contents = [struct.pack("<2f", number, -number), floats(number), floats(number + 1)]
        m.segments.append(Segment(b"".join(content.ljust(32, b"\0") for content in contents)))
        given, state, after = (
            m.tensor(FLOAT32, (2,), (0,), contents[0], segment, 0),
            m.tensor(FLOAT32, (2, 3), self.state_order, contents[1], segment, 32),
            m.tensor(FLOAT32, (2, 3), self.state_order, contents[2], segment, 64),
        )
        inputs = [m.value(TENSOR, given), m.value(TENSOR, state)]
        inputs.append(m.value(INT, Table({0: Scalar("q", number)})))
        outputs = [m.value(TENSOR, given), m.value(TENSOR, after)]
        outputs.append(m.value(INT, Table({0: Scalar("q", number + 1)})))
        name = String(f"step {number}".encode())
        return Table({INPUTS: Tables(inputs), OUTPUTS: Tables(outputs), NAME: name})

    @staticmethod
    def _instruction(chain: int, index: int, operation: int | None = None, **texts: str) -> Table:
        table = Table({CHAIN: Scalar("I", chain), INDEX: Scalar("I", index)})
        if operation is not None:
            table.fields[OPERATION] = Scalar("I", operation)
        for name, text in texts.items():
            number = {
                "operator_name": OPERATOR_NAME,
                "node": NODE,
                "module_path": MODULE_PATH,
                "source": SOURCE,
            }[name]
            table.fields[number] = String(text.encode())
        return table

    def _entry(self, instruction: int, output: int, first: float) -> Table:
        tensor = self.m.tensor(FLOAT32, (2, 3), (0, 1), floats(first), 0, 0)
        return Table(
            {
                TRACE_INSTRUCTION: Scalar("I", instruction),
                TRACE_OUTPUT: Scalar("I", output),
                TRACE_VALUE: self.m.value(TENSOR, tensor),
            }
        )

    @staticmethod
    def tensor_of(entry: Table) -> Table:
        value = entry.fields[TRACE_VALUE]
        assert isinstance(value, Table)
        tensor = value.fields[1]
        assert isinstance(tensor, Table)
        return tensor

    def values(self, step: int, side: int) -> list[Table]:
        vector = self.steps[step].fields[side]
        assert isinstance(vector, Tables)
        return vector.items

    def tensor(self, step: int, side: int, index: int) -> Table:
        tensor = self.values(step, side)[index].fields[1]
        assert isinstance(tensor, Table)
        return tensor


Change = Callable[[Parts], None]


def _damages(rule: str, name: str | None = None, **place: int) -> Callable[[Change], Change]:
    """Registers a breaker whose bundle has all parts."""

    def register(change: Change) -> Change:
        label = name or change.__name__

        def on_model(m: Model) -> None:
            change(Parts(m))

        _breaks(rule, label, BP09, **place)(on_model)
        return change

    return register


def _accepts(change: Change) -> Change:
    name = change.__name__.strip("_").replace("_", "-")
    ACCEPTED.append(Accepted(name, BP09, lambda m: change(Parts(m))))
    return change


def _field(get: Callable[[Parts], Table], number: int, node: Node) -> Change:
    def change(p: Parts) -> None:
        get(p).fields[number] = node

    return change


# --- Steps and carries ---------------------------------------------------------------------------

SEQUENCE = {"suite": 1, "case": 1}


@_damages("step_values", **SEQUENCE)
def _sequence_with_an_input(p: Parts) -> None:
    p.sequence.fields[INPUTS] = p.m.cases[2].fields[INPUTS]


@_damages("step_values", **SEQUENCE)
def _sequence_with_an_expected_output(p: Parts) -> None:
    p.sequence.fields[OUTPUTS] = p.m.cases[2].fields[OUTPUTS]


@_damages("step_values", **SEQUENCE)
def _sequence_with_a_label(p: Parts) -> None:
    p.sequence.fields[LABELS] = ints(0)


@_damages("step_values", **SEQUENCE)
def _sequence_with_a_trace(p: Parts) -> None:
    p.sequence.fields[TRACE] = Tables([p.trace[0]])


@_damages("inputs_missing", **SEQUENCE)
def _sequence_without_inputs_field(p: Parts) -> None:
    _drop(p.m, p.sequence, INPUTS)


@_damages("outputs_missing", **SEQUENCE, step=2)
def _step_without_outputs_field(p: Parts) -> None:
    _drop(p.m, p.steps[2], OUTPUTS)


@_damages("nested_steps", **SEQUENCE, step=1)
def _step_with_a_step(p: Parts) -> None:
    p.steps[1].fields[STEPS] = Tables([p.m.cases[2]])


@_damages("carry_first_step", **SEQUENCE, step=0)
def _carry_into_the_first_step(p: Parts) -> None:
    p.steps[0].fields[CARRIES] = carries((1, 1))


@_damages("carry_first_step", **SEQUENCE)
def _carry_into_a_sequence(p: Parts) -> None:
    p.sequence.fields[CARRIES] = carries((1, 1))


@_damages("carry_first_step", suite=0, case=1)
def _carry_into_a_case(p: Parts) -> None:
    p.m.cases[1].fields[CARRIES] = carries((1, 1))


for _name, _pairs in {
    "input-past-the-last": [(1, 3)],
    "input-largest": [(1, 0xFFFFFFFF)],
    "output-past-the-last": [(3, 1)],
    "output-largest": [(0xFFFFFFFF, 1)],
    "second-input-past-the-last": [(1, 1), (2, 3)],
}.items():
    _damages("carry_index", f"carry-{_name}", **SEQUENCE, step=2)(
        _field(lambda p: p.steps[2], CARRIES, carries(*_pairs))
    )


@_damages("carry_index", **SEQUENCE, step=1)
def _carry_from_a_step_that_only_runs(p: Parts) -> None:
    p.steps[0].fields[OUTPUTS] = Tables([])


_damages("carry_order", "carries-swapped", **SEQUENCE, step=1)(
    _field(lambda p: p.steps[1], CARRIES, carries((2, 2), (1, 1)))
)
_damages("carry_order", "carry-twice", **SEQUENCE, step=1)(
    _field(lambda p: p.steps[1], CARRIES, carries((1, 1), (1, 1)))
)
_damages("carry_mismatch", "carry-int-into-tensor", **SEQUENCE, step=1)(
    _field(lambda p: p.steps[1], CARRIES, carries((2, 1)))
)
_damages("carry_mismatch", "carry-tensor-into-int", **SEQUENCE, step=1)(
    _field(lambda p: p.steps[1], CARRIES, carries((1, 2)))
)
_damages("carry_mismatch", "carry-of-another-rank", **SEQUENCE, step=1)(
    _field(lambda p: p.steps[1], CARRIES, carries((0, 1)))
)


@_damages("carry_mismatch", **SEQUENCE, step=2)
def _carry_int_into_bool(p: Parts) -> None:
    p.values(2, INPUTS)[2] = p.m.value(3, Table({0: Scalar("B", 1)}))


@_damages("carry_mismatch", **SEQUENCE, step=2)
def _carry_of_another_type(p: Parts) -> None:
    p.tensor(2, INPUTS, 1).fields[SCALAR_TYPE] = Scalar("b", 3)


@_damages("carry_mismatch", **SEQUENCE, step=2)
def _carry_of_another_shape(p: Parts) -> None:
    p.tensor(2, INPUTS, 1).fields[SIZES] = ints(3, 2)


@_damages("carry_mismatch", **SEQUENCE, step=2)
def _carry_of_another_order(p: Parts) -> None:
    p.tensor(2, INPUTS, 1).fields[DIM_ORDER] = Vector(b"\0\1")


@_damages("tolerance_count", **SEQUENCE, step=0)
def _two_tolerances_for_steps_of_three_outputs(p: Parts) -> None:
    p.sequence.fields[TOLERANCES] = Tables([p.m.tolerance] * 2)


@_damages("tolerance_count", **SEQUENCE, step=1)
def _step_with_two_tolerances(p: Parts) -> None:
    p.steps[1].fields[TOLERANCES] = Tables([p.m.tolerance] * 2)


@_damages("tolerance_value", **SEQUENCE, step=1, output=0)
def _tolerance_of_a_step(p: Parts) -> None:
    bad = Table({RTOL: Scalar("d", -1.0)})
    p.steps[1].fields[TOLERANCES] = Tables([bad])


@_damages("text_encoding", **SEQUENCE, step=2)
def _name_of_a_step(p: Parts) -> None:
    p.steps[2].fields[NAME] = String(b"\xff")


@_damages("payload_segment", **SEQUENCE, step=1, output=1)
def _output_of_a_step_in_another_segment(p: Parts) -> None:
    p.tensor(1, OUTPUTS, 1).fields[PAYLOAD] = payload(0, 24, 1)


@_damages("value_missing", **SEQUENCE, step=1, input=2)
def _input_of_a_step_without_type(p: Parts) -> None:
    p.values(1, INPUTS)[2].fields[0] = Scalar("B", 0)


# --- Labels and metrics --------------------------------------------------------------------------

_damages("label_count", "257-labels", suite=0, case=1)(
    _field(lambda p: p.m.cases[1], LABELS, ints(*[1] * 257))
)
for _name, _labels in {
    "minus-1": (0, -1),
    "1024": (1024,),
    "smallest": (-(1 << 31), 0),
    "largest": (0, 0, (1 << 31) - 1),
}.items():
    _damages("label_value", f"label-{_name}", suite=0, case=0)(
        _field(lambda p: p.m.cases[0], LABELS, ints(*_labels))
    )
    _damages("label_value", f"label-{_name}-of-a-step", **SEQUENCE, step=1)(
        _field(lambda p: p.steps[1], LABELS, ints(*_labels))
    )

for _name, _kind, _number, _node in (
    ("kind-8", 0, KIND, Scalar("b", 8)),
    ("kind-minus-1", 3, KIND, Scalar("b", -1)),
    ("minimum-nan", SQNR_DB, MINIMUM, Scalar("d", NAN)),
    ("maximum-nan", COSINE, MAXIMUM, Scalar("d", NAN)),
    ("k-0", TOP_K_ACCURACY, K, Scalar("I", 0)),
    ("k-1025", TOP_K_ACCURACY, K, Scalar("I", 1025)),
    ("k-largest-of-another-kind", COSINE, K, Scalar("I", 0xFFFFFFFF)),
    ("bins-0", ROC_AUC, BINS, Scalar("I", 0)),
    ("bins-1025", ROC_AUC, BINS, Scalar("I", 1025)),
    ("classes-1025", CONFUSION_MATRIX, CLASSES, Scalar("I", 1025)),
    ("classes-of-another-kind", TOP_K_ACCURACY, CLASSES, Scalar("I", 1025)),
    ("classes-0", CONFUSION_MATRIX, CLASSES, Scalar("I", 0)),
    ("low-nan", ROC_AUC, LOW, Scalar("d", NAN)),
    ("low-infinite", ROC_AUC, LOW, Scalar("d", -INFINITY)),
    ("low-equals-high", ROC_AUC, LOW, Scalar("d", 1.5)),
    ("low-above-high", ROC_AUC, LOW, Scalar("d", 2.0)),
    ("high-nan", ROC_AUC, HIGH, Scalar("d", NAN)),
    ("high-infinite", ROC_AUC, HIGH, Scalar("d", INFINITY)),
    ("confusion-with-minimum", CONFUSION_MATRIX, MINIMUM, Scalar("d", 0.0)),
    ("confusion-with-maximum", CONFUSION_MATRIX, MAXIMUM, Scalar("d", 0.0)),
):

    def _metric(p: Parts, kind: int = _kind, number: int = _number, node: Node = _node) -> None:
        p.metrics[kind].fields[number] = node

    _damages("metric_value", f"metric-{_name}", suite=0)(_metric)


@_damages("metric_value", suite=0)
def _confusion_of_absent_classes(p: Parts) -> None:
    _drop(p.m, p.metrics[CONFUSION_MATRIX], CLASSES)


for _kind in WANTS_OUTPUTS:

    def _output_not_there(p: Parts, kind: int = _kind) -> None:
        p.metrics[kind].fields[OUTPUT] = Scalar("I", 2)

    def _case_that_only_runs(p: Parts, kind: int = _kind) -> None:
        p.m.suites[0].fields[METRICS] = Tables([Table({KIND: Scalar("b", kind)})])
        p.m.cases[1].fields[OUTPUTS] = Tables([])

    def _step_with_fewer_outputs(p: Parts, kind: int = _kind) -> None:
        metric = Table({KIND: Scalar("b", kind), OUTPUT: Scalar("I", 1)})
        p.m.suites[1].fields[CASES] = Tables([p.sequence])
        p.m.suites[1].fields[METRICS] = Tables([metric])
        _drop(p.m, p.steps[2], CARRIES)
        p.steps[2].fields[OUTPUTS] = Tables(p.values(2, OUTPUTS)[:1])

    _damages("metric_output", f"metric-{_kind}-output-not-there", suite=0)(_output_not_there)
    _damages("metric_output", f"metric-{_kind}-case-only-runs", suite=0)(_case_that_only_runs)
    _damages("metric_output", f"metric-{_kind}-step-has-fewer", suite=1)(_step_with_fewer_outputs)

for _kind in WANTS_LABELS:

    def _only(p: Parts, suite: int, kind: int) -> None:
        metric = Table({KIND: Scalar("b", kind), CLASSES: Scalar("I", 2)})
        p.m.suites[suite].fields[METRICS] = Tables([metric])

    def _case_without_labels(p: Parts, kind: int = _kind) -> None:
        _only(p, 0, kind)
        _drop(p.m, p.m.cases[1], LABELS)

    def _case_with_no_label(p: Parts, kind: int = _kind) -> None:
        _only(p, 0, kind)
        p.m.cases[0].fields[LABELS] = ints()

    def _step_without_labels(p: Parts, kind: int = _kind) -> None:
        _only(p, 1, kind)
        for labelled in (p.m.cases[2], p.steps[0], p.steps[1]):
            labelled.fields[LABELS] = ints(0)

    _damages("labels_missing", f"metric-{_kind}-case-without-labels", suite=0)(_case_without_labels)
    _damages("labels_missing", f"metric-{_kind}-labels-empty", suite=0)(_case_with_no_label)
    _damages("labels_missing", f"metric-{_kind}-step-without-labels", suite=1)(_step_without_labels)


# --- Traces --------------------------------------------------------------------------------------

for _name, _order in {
    "swapped": (1, 0, 2, 3, 4),
    "twice": (0, 1, 1, 2, 3, 4),
    "operation-twice": (0, 1, 2, 2, 3, 4),
    "operation-first": (0, 2, 1, 3, 4),
    "chains-swapped": (4, 0, 1, 2, 3),
}.items():

    def _instructions(p: Parts, order: tuple[int, ...] = _order) -> None:
        p.traced.fields[INSTRUCTIONS] = Tables([p.instructions[i] for i in order])

    _damages("instruction_order", f"instructions-{_name}", suite=0)(_instructions)

_damages("trace_origin", "origin-4", suite=0)(_field(lambda p: p.traced, ORIGIN, Scalar("b", 4)))
_damages("trace_origin", "origin-minus-1", suite=0)(
    _field(lambda p: p.traced, ORIGIN, Scalar("b", -1))
)
_damages("trace_program", "program-crc-another", suite=0)(
    _field(lambda p: p.traced, PROGRAM_CRC32, Scalar("I", 1))
)


@_damages("trace_program", suite=0)
def _program_crc_absent(p: Parts) -> None:
    _drop(p.m, p.traced, PROGRAM_CRC32)


_damages("trace_instruction", "trace-past-the-instructions", suite=0, case=0)(
    _field(lambda p: p.trace[1], TRACE_INSTRUCTION, Scalar("I", 5))
)
_damages("trace_instruction", "trace-of-the-largest", suite=0, case=0)(
    _field(lambda p: p.trace[0], TRACE_INSTRUCTION, Scalar("I", 0xFFFFFFFF))
)


@_damages("trace_instruction", suite=0, case=0)
def _trace_without_a_traced_method(p: Parts) -> None:
    _drop(p.m, p.m.suites[0], TRACED_METHOD)


@_damages("trace_instruction", suite=0, case=0)
def _trace_without_instructions(p: Parts) -> None:
    _drop(p.m, p.traced, INSTRUCTIONS)


@_damages("trace_instruction", **SEQUENCE, step=2)
def _trace_of_a_step_of_another_suite(p: Parts) -> None:
    p.steps[2].fields[TRACE] = Tables(p.trace)


def _own_segment(p: Parts, number: int, size: int = 24) -> None:
    """Of one value of the trace."""
    p.tensor_of(p.trace[number]).fields[PAYLOAD] = payload(0, size, 1)


@_damages("trace_segment", suite=0, case=0, segment=1)
def _trace_in_the_segment_of_the_case(p: Parts) -> None:
    for number in range(3):
        _own_segment(p, number)


@_damages("payload_segment", suite=0, case=0, segment=1)
def _trace_in_two_segments(p: Parts) -> None:
    _own_segment(p, 2)


@_damages("trace_segment", suite=0, case=0, segment=1)
def _trace_shares_a_value_with_the_case(p: Parts) -> None:
    p.trace[0].fields[TRACE_VALUE] = p.m.values(0)[0]


@_damages("trace_segment", suite=1, case=1, step=1)
def _trace_of_a_step_in_its_segment(p: Parts) -> None:
    p.m.suites[1].fields[TRACED_METHOD] = p.traced
    entry = Table({TRACE_VALUE: p.values(1, INPUTS)[1]})
    p.steps[1].fields[TRACE] = Tables([entry])


@_damages("value_missing", suite=0, case=0)
def _trace_without_a_value(p: Parts) -> None:
    _drop(p.m, p.trace[1], TRACE_VALUE)


@_damages("value_missing", suite=0, case=0)
def _trace_with_a_value_of_no_type(p: Parts) -> None:
    p.trace[1].fields[TRACE_VALUE] = Table()


for _rule, _name, _number, _node in (
    ("scalar_type", "type", SCALAR_TYPE, Scalar("b", 12)),
    ("negative_size", "size", SIZES, ints(-2, 3)),
    ("dim_order", "order", DIM_ORDER, Vector(b"\0\0")),
    ("payload_size", "shape", SIZES, ints(2, 4)),
):

    def _traced_tensor(p: Parts, number: int = _number, node: Node = _node) -> None:
        p.tensor_of(p.trace[2]).fields[number] = node

    _damages(_rule, f"trace-{_name}", suite=0, case=0)(_traced_tensor)


@_damages("payload_bounds", suite=0, case=0)
def _trace_past_its_segment(p: Parts) -> None:
    place = payload(96, 24, p.trace_segment)
    p.tensor_of(p.trace[2]).fields[PAYLOAD] = place


# --- Budgets and named data ----------------------------------------------------------------------

for _name, _number, _node in (
    ("resource-7", RESOURCE, Scalar("b", 7)),
    ("resource-minus-1", RESOURCE, Scalar("b", -1)),
    ("limit-0", LIMIT, Scalar("Q", 0)),
    ("suite-past-the-list", BUDGET_SUITE, Scalar("I", 2)),
    ("suite-largest", BUDGET_SUITE, Scalar("I", 0xFFFFFFFF)),
):
    _damages("budget_value", f"budget-{_name}")(_field(lambda p: p.budgets[1], _number, _node))


@_damages("budget_value")
def _budget_limit_absent(p: Parts) -> None:
    _drop(p.m, p.budgets[0], LIMIT)


_damages("named_data_role", "role-3")(_field(lambda p: p.graph, ROLE, Scalar("b", 3)))
_damages("named_data_role", "role-minus-1")(_field(lambda p: p.weights, ROLE, Scalar("b", -1)))
for _name, _text in {
    "empty": b"",
    "dot": b".",
    "dot-dot": b"..",
    "slash": b"/etc/passwd",
    "slash-inside": b"a/b.ptd",
    "backslash": b"..\\b.ptd",
    "colon": b"c:b.ptd",
    "newline": b"a\nb",
    "escape": b"\x1b[2J",
    "delete": b"a\x7f",
}.items():
    _damages("file_name", f"file-name-{_name}")(
        _field(lambda p: p.weights, FILE_NAME, String(_text))
    )
    _damages("file_name", f"file-name-of-a-graph-{_name}")(
        _field(lambda p: p.graph, FILE_NAME, String(_text))
    )


@_damages("file_name")
def _ptd_without_a_file_name(p: Parts) -> None:
    _drop(p.m, p.weights, FILE_NAME)


@_damages("ptd_alignment")
def _ptd_aligned_to_8(p: Parts) -> None:
    p.m.segments[p.weights_segment].alignment = 8


# --- Texts ---------------------------------------------------------------------------------------

for _name, _bytes in {"nul": b"a\0b", "ff": b"\xff", "cut-short": b"abc\xe2\x82"}.items():
    for _number, _label in (
        (OPERATOR_NAME, "operator"),
        (NODE, "node"),
        (MODULE_PATH, "module-path"),
        (SOURCE, "source"),
    ):
        _damages("text_encoding", f"{_label}-{_name}", suite=0)(
            _field(lambda p: p.instructions[1], _number, String(_bytes))
        )
    _damages("text_encoding", f"target-{_name}")(
        _field(lambda p: p.budgets[0], TARGET, String(_bytes))
    )
    _damages("text_encoding", f"file-name-{_name}")(
        _field(lambda p: p.weights, FILE_NAME, String(_bytes))
    )


# --- Features ------------------------------------------------------------------------------------

for _feature in range(ALL_FEATURES):

    def _features(p: Parts, bits: int = _feature) -> None:
        p.m.header["required_features"] = bits

    _damages("feature_bits", f"features-{_feature}-of-7")(_features)

for _bit in range(3):

    def _unused(m: Model, bit: int = _bit) -> None:
        m.header["required_features"] = 1 << bit

    _breaks("feature_bits", f"feature-{_bit}-not-used", BP09)(_unused)


def _without_entries(m: Model) -> None:
    """Every vector of a part is there, and empty."""
    for case in m.cases:
        case.fields |= {STEPS: Tables([]), CARRIES: carries(), LABELS: ints(), TRACE: Tables([])}
    for suite in m.suites:
        suite.fields[METRICS] = Tables([])
    m.suites[0].fields[TRACED_METHOD] = Table(
        {PROGRAM_CRC32: Scalar("I", zlib.crc32(m.program_bytes)), INSTRUCTIONS: Tables([])}
    )
    m.root.fields[BUDGETS] = Tables([])


@_breaks("feature_bits", formats=BP09)
def _features_of_empty_vectors(m: Model) -> None:
    _without_entries(m)
    m.header["required_features"] = ALL_FEATURES


ACCEPTED.append(Accepted("parts-without-entries", BP09, _without_entries))


# --- What BP08 has no place for ------------------------------------------------------------------

for _name, _number, _node in (
    ("steps", STEPS, Tables([])),
    ("carries", CARRIES, carries()),
    ("labels", LABELS, ints(1)),
    ("trace", TRACE, Tables([])),
):

    def _in_case(m: Model, number: int = _number, node: Node = _node) -> None:
        m.cases[1].fields[number] = node

    _breaks("not_in_bp08", f"{_name}-in-bp08", BP08, suite=0, case=1)(_in_case)

for _name, _number, _node in (
    ("metrics", METRICS, Tables([Table()])),
    ("traced-method", TRACED_METHOD, Table()),
):

    def _in_suite(m: Model, number: int = _number, node: Node = _node) -> None:
        m.suites[1].fields[number] = node

    _breaks("not_in_bp08", f"{_name}-in-bp08", BP08, suite=1)(_in_suite)


@_breaks("not_in_bp08", formats=BP08)
def _budgets_in_bp08(m: Model) -> None:
    m.root.fields[BUDGETS] = Tables([])


# --- FlatBuffers, and the work of a walk ---------------------------------------------------------


def _part_malformed(name: str, format: str, where: Callable[[Parts], Node], value: int) -> None:
    def change(m: Model) -> None:
        node = where(Parts(m))
        _poke(format, _vector(lambda _: node), value)(m)

    _malformed(name, change, BP09)


for _label, _where in {
    "steps": lambda p: p.sequence.fields[STEPS],
    "carries": lambda p: p.steps[1].fields[CARRIES],
    "labels": lambda p: p.m.cases[0].fields[LABELS],
    "trace": lambda p: p.m.cases[0].fields[TRACE],
    "metrics": lambda p: p.m.suites[0].fields[METRICS],
    "instructions": lambda p: p.traced.fields[INSTRUCTIONS],
    "budgets": lambda p: p.m.root.fields[BUDGETS],
    "file-name": lambda p: p.weights.fields[FILE_NAME],
    "operator": lambda p: p.instructions[0].fields[OPERATOR_NAME],
}.items():
    for _count in (0xFFFFFFFF, 0x40000000, 0x1FFFFFFF, 100_000):
        _part_malformed(f"{_label}-count-{_count:#x}", "I", _where, _count)

for _label, _where in {
    "traced-method": lambda p: p.traced,
    "metric": lambda p: p.metrics[2],
    "instruction": lambda p: p.instructions[3],
    "trace-entry": lambda p: p.trace[1],
    "budget": lambda p: p.budgets[1],
    "step": lambda p: p.steps[1],
}.items():
    _part_malformed(f"{_label}-vtable-far-away", "i", _where, 1 << 30)


def _many_cases(case: Table, count: int = 400) -> Change:
    """One case, as often as a vector likes."""

    def change(p: Parts) -> None:
        p.m.suites[0].fields.pop(METRICS)
        p.m.root.fields[SUITES] = Tables([*p.m.suites, suite])
        p.m.header["required_features"] = FEATURE_STEPS | FEATURE_BUDGETS

    suite = Table({METHOD: String(b"m"), CASES: Tables([case] * count)})
    return change


_damages("table_sharing", "shared-labels")(
    _many_cases(Table({INPUTS: Tables([]), OUTPUTS: Tables([]), LABELS: ints(*[1] * 256)}))
)


@_damages("table_sharing", suite=2)
def _shared_carries(p: Parts) -> None:
    m = p.m
    scalars = Tables([m.value(INT, Table())] * 100)
    pairs = carries(*((i, i) for i in range(100)))
    step = Table({INPUTS: scalars, OUTPUTS: scalars, CARRIES: pairs})
    first = Table({INPUTS: scalars, OUTPUTS: scalars})
    steps = Tables([first, *[step] * 400])
    case = Table({INPUTS: Tables([]), OUTPUTS: Tables([]), STEPS: steps})
    m.root.fields[SUITES] = Tables(
        [*m.suites, Table({METHOD: String(b"m"), CASES: Tables([case])})]
    )


@_damages("table_sharing", suite=0)
def _shared_trace(p: Parts) -> None:
    entry = Table({TRACE_VALUE: p.m.value(INT, Table())})
    case = p.m.cases[0]
    case.fields[TRACE] = Tables([entry] * 200)
    p.m.suites[0].fields[CASES] = Tables([case] * 200)


@_damages("table_sharing", suite=1, case=2)
def _shared_steps(p: Parts) -> None:
    p.sequence.fields[STEPS] = Tables([p.m.cases[2]] * 200)
    p.m.suites[1].fields[CASES] = Tables([p.m.cases[2], *[p.sequence] * 200])


@_damages("table_sharing", suite=0)
def _shared_text_of_instructions(p: Parts) -> None:
    text = String(b"x" * 1000)
    p.traced.fields[INSTRUCTIONS] = Tables(
        [Table({INDEX: Scalar("I", index), SOURCE: text}) for index in range(200)]
    )


@_damages("table_sharing")
def _shared_metrics(p: Parts) -> None:
    metrics = Tables([Table({KIND: Scalar("b", MEAN_SQUARED_ERROR)})] * 500)
    p.m.suites[0].fields[METRICS] = metrics
    suites = [
        Table({METHOD: String(f"m{number:03}".encode()), CASES: Tables([]), METRICS: metrics})
        for number in range(500)
    ]
    p.m.root.fields[SUITES] = Tables(suites)
    p.budgets[1].fields[BUDGET_SUITE] = Scalar("I", 0)


# --- Odd, and right ------------------------------------------------------------------------------


@_accepts
def _every_part(p: Parts) -> None:
    pass


@_accepts
def _steps_alone(p: Parts) -> None:
    p.m.suites[0].fields.pop(METRICS)
    p.m.root.fields.pop(BUDGETS)
    p.m.header["required_features"] = FEATURE_STEPS


@_accepts
def _metrics_of_a_suite_without_cases(p: Parts) -> None:
    p.m.suites[0].fields[CASES] = Tables([])


@_accepts
def _metrics_of_steps(p: Parts) -> None:
    p.m.suites[1].fields[CASES] = Tables([p.sequence])
    p.m.suites[1].fields[METRICS] = p.m.suites[0].fields[METRICS]
    labels = ints(*range(0, 1024, 4))
    for step in p.steps:
        step.fields[LABELS] = labels


@_accepts
def _traces_of_steps(p: Parts) -> None:
    p.m.suites[1].fields[TRACED_METHOD] = p.traced
    for step in p.steps:
        step.fields[TRACE] = Tables(p.trace)


@_accepts
def _trace_in_the_segment_of_another_case(p: Parts) -> None:
    for entry in p.trace:
        p.tensor_of(entry).fields[PAYLOAD] = payload(0, 24, 2)


@_accepts
def _trace_of_scalars_for_a_case_of_scalars(p: Parts) -> None:
    m = p.m
    m.suites[1].fields[TRACED_METHOD] = p.traced
    value = m.value(INT, Table())
    m.cases[2].fields[TRACE] = Tables([Table({TRACE_VALUE: value})] * 3)


@_accepts
def _steps_share_tables_and_segment(p: Parts) -> None:
    _drop(p.m, p.steps[1], CARRIES)
    p.sequence.fields[STEPS] = Tables([p.steps[1]] * 3)


@_accepts
def _sequence_of_one_step(p: Parts) -> None:
    p.sequence.fields[STEPS] = Tables(p.steps[:1])


@_accepts
def _tolerances_of_a_sequence(p: Parts) -> None:
    p.sequence.fields[TOLERANCES] = Tables([p.m.tolerance] * 3)
    p.steps[1].fields[TOLERANCES] = Tables([p.m.suite_tolerance])


@_accepts
def _most_labels_and_largest_parameters(p: Parts) -> None:
    p.m.cases[0].fields[LABELS] = ints(*[1023] * 256)
    p.metrics[TOP_K_ACCURACY].fields[K] = Scalar("I", 1024)
    p.metrics[ROC_AUC].fields[BINS] = Scalar("I", 1024)
    p.metrics[CONFUSION_MATRIX].fields[CLASSES] = Scalar("I", 1024)
    p.metrics[SQNR_DB].fields[MINIMUM] = Scalar("d", -INFINITY)
    p.metrics[SQNR_DB].fields[MAXIMUM] = Scalar("d", INFINITY)


@_accepts
def _named_data_of_no_role_with_a_file_name(p: Parts) -> None:
    p.m.named.fields |= {ROLE: Scalar("b", NONE), FILE_NAME: String(b"...")}
    p.graph.fields[FILE_NAME] = String(b"-rf")


@_accepts
def _largest_operation(p: Parts) -> None:
    p.instructions[3].fields[OPERATION] = Scalar("I", 0xFFFFFFFF)


@_accepts
def _empty_target_and_texts(p: Parts) -> None:
    p.budgets[1].fields[TARGET] = String(b"")
    for number in (OPERATOR_NAME, NODE, MODULE_PATH, SOURCE):
        p.instructions[0].fields[number] = String(b"")
    p.m.root.fields.pop(METADATA)
