# SPDX-License-Identifier: BSD-3-Clause
"""The suites and cases of an opened bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bpte.format import metadata
from bpte.format.metadata import Value
from bpte.format.rules import BundleError, Rule
from bpte.format.tolerance import Tolerance
from bpte.format.trace import Instruction, TraceValue


class TestCase:
    """One test case of an opened bundle."""

    __test__ = False  # not a test of pytest's

    def __init__(
        self,
        read: Callable[[Value], Any],
        suite: TestSuite,
        info: metadata.Case,
        inherited: list[Tolerance],
    ) -> None:
        """``read`` gives the array or scalar that the metadata describes. ``inherited``: the
        tolerances that hold when the case states none."""
        self._read = read
        self._suite = suite
        self._inherited = inherited
        self.info = info
        """What the metadata says: dtypes, sizes, where payloads lie."""

    @property
    def name(self) -> str:
        """Empty when the file gives none."""
        return self.info.name

    @property
    def inputs(self) -> list[Any]:
        """Numpy arrays, which are views into the file, and scalars."""
        return [self._read(value) for value in self.info.inputs]

    @property
    def expected_outputs(self) -> list[Any]:
        """As ``inputs``; empty when the case is only run."""
        return [self._read(value) for value in self.info.expected_outputs]

    @property
    def tolerances(self) -> list[Tolerance]:
        """What the case states itself: none, one for all outputs, or one for each."""
        return self.info.tolerances

    def tolerance(self, output: int) -> Tolerance:
        """The tolerance of this output: the case's (of a step: its own, else its case's), else the
        suite's, else one without stated members."""
        if not 0 <= output < len(self.info.expected_outputs):
            raise BundleError(Rule.NO_SUCH_ITEM, value=output)
        stated = self.info.tolerances or self._inherited
        if not stated:
            return Tolerance()
        return stated[0] if len(stated) == 1 else stated[output]

    @property
    def steps(self) -> list[TestCase]:
        """Run one after another, without the method being loaded again. A case with steps has no
        values of its own."""
        inherited = self.info.tolerances or self._inherited
        return [TestCase(self._read, self._suite, step, inherited) for step in self.info.steps]

    def at(self, step: int | None) -> TestCase:
        """What a record is about: the case itself (None), or its step of this index. Raises
        ``IndexError``."""
        return self if step is None else self.steps[step]

    @property
    def carries(self) -> Sequence[metadata.Carry]:
        """Of a step: which outputs of the step before become which inputs of this one."""
        return self.info.carries

    @property
    def labels(self) -> Sequence[int]:
        """The class of all samples, or of each."""
        return self.info.labels

    @property
    def stored_trace(self) -> Iterator[tuple[Instruction, int, Value]]:
        """What the instructions gave, as the metadata says it: instruction, output, value."""
        traced = self._suite.traced_method
        for index, output, value in self.info.trace:
            assert traced is not None  # a trace without one is refused
            yield traced.instructions[index], output, value

    @property
    def trace(self) -> list[TraceValue]:
        """What the instructions gave, in the order of execution; arrays are views into the
        file."""
        return [
            TraceValue(instruction, output, self._read(value))
            for instruction, output, value in self.stored_trace
        ]


class TestSuite:
    """The test cases of one method of an opened bundle."""

    __test__ = False

    def __init__(self, read: Callable[[Value], Any], info: metadata.Suite) -> None:
        self.method_name = info.method_name
        self.tolerances = info.tolerances
        """What the cases inherit that state none."""
        self.metrics = info.metrics
        """What is measured over all cases."""
        self.traced_method = info.traced_method
        """What the cases' traces refer to; ``None`` when it is not stated."""
        self.test_cases = [TestCase(read, self, case, info.tolerances) for case in info.test_cases]
