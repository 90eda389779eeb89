# SPDX-License-Identifier: BSD-3-Clause
"""What Vela 5.1.0 compiles wrongly, as patterns of a graph's operators.

A graph in which a pattern occurs may be compiled rightly: it depends on sizes and options. So a
pattern explains a difference that was found, or a refusal where Vela reads past a tensor's end, and
excuses nothing before. docs/ethos-u.md has the table of the defects, and a seed of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tosa_graph import Graph, Operator
from vela import Options

SHAPES = {"RESHAPE"}  # bytes stay where they are
FUSED = {"RESCALE", "CLAMP", "TABLE"}  # part of the operation before
PLACES = {"CONCAT", "PAD", "TILE"}  # write into a part of a larger tensor
ACTIVATIONS = {"CLAMP", "TABLE"}


class Patterns:
    """The operators of a graph, and which defects they could meet under these options."""

    def __init__(self, graph: Graph, options: Options) -> None:
        self.operators = graph.operators
        self.chains = "Grouping" not in options.disabled  # Ethos-U85
        self._maker = {operator.result.name: operator for operator in graph.operators}

    def before(self, operator: Operator, through: set[str]) -> Iterator[Operator]:
        """What makes the operands, with `through` and what makes the operands of those."""
        for operand in operator.operands:
            maker = self._maker.get(operand.name)
            if maker is not None:
                yield maker
                if maker.name in through:
                    yield from self.before(maker, through)

    def behind(self, operator: Operator, through: set[str]) -> Iterator[Operator]:
        """As `before`, the other way."""
        for other in self.operators:
            if operator.result.name in (operand.name for operand in other.operands):
                yield other
                if other.name in through:
                    yield from self.behind(other, through)

    def named(self, names: set[str]) -> Iterator[Operator]:
        return (operator for operator in self.operators if operator.name in names)

    def multiplied_depthwise(self) -> bool:
        """It is split, and loses its offset in the larger tensor that it reads or writes."""
        return any(
            operator.operands[1].shape[3] > 1
            and (
                any(other.name == "SLICE" for other in self.before(operator, FUSED | SHAPES))
                or any(other.name in PLACES for other in self.behind(operator, FUSED | SHAPES))
            )
            for operator in self.named({"DEPTHWISE_CONV2D"})
        )

    def wide_chain_into_a_part(self) -> bool:
        """ABS or CLZ ends a chain of 32 bits, whose result takes the strides of a smaller one."""
        return self.chains and any(
            other.name in PLACES
            for operator in self.named({"ABS", "CLZ"})
            if operator.result.dtype == "INT32"
            and any(o.result.dtype == "INT32" for o in self.before(operator, set()))
            for other in self.behind(operator, FUSED)
        )

    def activation_behind_a_reversal(self) -> bool:
        """It is dropped, or the one before the reversal is."""
        return any(
            other.name in ACTIVATIONS
            for operator in self.named({"REVERSE"})
            for other in self.behind(operator, SHAPES)
        )

    def activations_around_transpositions(self) -> bool:
        """One of the two is dropped."""
        through = SHAPES | {"TRANSPOSE"}
        return any(
            any(other.name in ACTIVATIONS for other in self.before(operator, through))
            and any(other.name in ACTIVATIONS for other in self.behind(operator, through))
            for operator in self.named({"TRANSPOSE"})
        )

    def table_between_transpositions(self) -> bool:
        through = SHAPES | {"TRANSPOSE"}
        return any(
            any(other.name == "TRANSPOSE" for other in self.before(operator, through))
            and any(other.name == "TRANSPOSE" for other in self.behind(operator, through))
            for operator in self.named({"TABLE"})
        )

    def wide_behind_a_resized_image(self) -> bool:
        """Reads bytes as words."""
        return any(
            other.name == "RESCALE" and other.result.dtype == "INT32"
            for operator in self.named({"RESIZE"})
            if operator.result.dtype in ("INT8", "INT16")  # as of the nearest pixel
            for other in self.behind(operator, SHAPES)
        )


#: For each family: the row of the page's table, and how its networks are known.
DEFECTS: dict[str, dict[str, Callable[[Patterns], bool]]] = {
    "u55": {
        "32 bits behind a resized image": Patterns.wide_behind_a_resized_image,
        "a table between transpositions": Patterns.table_between_transpositions,
    },
    "u65": {},
    "u85": {
        "a depthwise with a multiplier in a part of a tensor": Patterns.multiplied_depthwise,
        "a chain of 32 bits into a part of a tensor": Patterns.wide_chain_into_a_part,
        "a clamp or table behind a reversal": Patterns.activation_behind_a_reversal,
        "clamps or tables around transpositions": Patterns.activations_around_transpositions,
    },
}


def known_defect(graph: Graph, options: Options) -> str:
    """Which defect of Vela's explains that what it made of the graph is wrong, or ""."""
    patterns = Patterns(graph, options)
    for name, applies in DEFECTS[options.family].items():
        if applies(patterns):
            return name
    return ""
