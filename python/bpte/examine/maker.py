# SPDX-License-Identifier: BSD-3-Clause
"""Makes the cases of a program's methods, whose dynamic sizes are at their bounds and below."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from bpte.examine import inputs as made
from bpte.examine.inputs import Distribution
from bpte.format.rules import Place
from bpte.pack.cases import MethodTestCase, MethodTestSuite
from bpte.pack.tensors import PackError
from bpte.run.compare import Value

if TYPE_CHECKING:
    import numpy as np

    from bpte.program import MethodInfo, ProgramInfo

#: What stands for one input: how to draw it, or its value in every case.
InputSource: TypeAlias = Distribution | Value


@dataclass(frozen=True)
class Recipe:
    """How cases are made.

    `inputs`: what stands for an input that `given` does not name; `given`: by the inputs' numbers.
    `cases`: how many for each method. `method`: only this one.
    """

    inputs: Distribution
    given: Mapping[int, InputSource]
    seed: int
    cases: int
    method: str | None

    def as_strings(self) -> dict[str, str]:
        """For the metadata of a bundle."""
        facts = {"inputs": str(self.inputs), "seed": str(self.seed)}
        for number, source in sorted(self.given.items()):
            what = str(source) if isinstance(source, Distribution) else "given"
            facts[f"input{number}"] = what
        return facts


#: Dimensions that have one size: of which input, and which of its dimensions.
_Axis: TypeAlias = tuple[tuple[int, int], ...]

#: Says of each case of a suite whether it runs.
Runs: TypeAlias = Callable[[MethodTestSuite], Sequence[bool]]


class Maker:
    """Makes suites from what a program says of its methods."""

    def __init__(self, recipe: Recipe, runs: Runs) -> None:
        self._recipe = recipe
        self._runs = runs

    def suites(self, program: str | os.PathLike[str]) -> list[MethodTestSuite]:
        """One for each method. Raises ``PackError``, ``OSError``."""
        import numpy as np

        if self._recipe.cases < 1:
            raise PackError(f"{self._recipe.cases} cases: there must be one at least")
        suites = []
        for method in self._methods(_inspect(program)):
            for number in self._recipe.given:
                if number >= len(method.inputs):
                    raise PackError(
                        f"in{number}: it has {len(method.inputs)} inputs", method=method.name
                    )
            axes = self._axes(method) if self._recipe.cases > 1 else []
            # Each method has numbers of its own, whatever the others are.
            random = np.random.default_rng([self._recipe.seed, *method.name.encode()])
            cases = []
            for number in range(self._recipe.cases):
                sizes = _sizes(method, axes if number else [], random)
                cases.append(self._case(method, number, sizes, random))
            suites.append(MethodTestSuite(method.name, cases))
        return suites

    def _methods(self, info: ProgramInfo) -> Sequence[MethodInfo]:
        if self._recipe.method is None:
            return info.methods
        try:
            return [info.method(self._recipe.method)]
        except KeyError as error:
            raise PackError(str(error.args[0])) from None

    def _case(
        self,
        method: MethodInfo,
        number: int,
        sizes: Sequence[tuple[int, ...]],
        random: np.random.Generator,
    ) -> MethodTestCase:
        values: list[object] = []
        for index, info in enumerate(method.inputs):
            source = self._recipe.given.get(index, self._recipe.inputs)
            try:
                if isinstance(source, Distribution):
                    if info.dynamism == "dynamic_unbound":
                        raise PackError("its sizes have no bound: give its value")
                    values.append(made.draw(info, sizes[index], source, random))
                else:
                    values.append(source)
            except PackError as error:
                raise error.at(method.name, Place(case=number, input=index)) from None
        return MethodTestCase(values)

    def _axes(self, method: MethodInfo) -> list[_Axis]:
        """Dimensions that may be below their bounds. A program does not say which of a dynamic
        tensor's are, so each is tried: together with all that have the same bound, else alone."""
        free = [
            (index, dimension, bound)
            for index, info in enumerate(method.inputs)
            if info.kind == "tensor"
            and info.dynamism == "dynamic_bound"
            and isinstance(self._recipe.given.get(index, self._recipe.inputs), Distribution)
            for dimension, bound in enumerate(info.sizes or ())
            if bound > 1
        ]
        bounds = sorted({bound for _, _, bound in free})
        groups: list[_Axis] = [
            tuple((i, d) for i, d, other in free if other == bound) for bound in bounds
        ]
        alone: list[_Axis] = [((i, d),) for i, d, _ in free]
        probes = list(dict.fromkeys([*groups, *alone]))
        works = dict(zip(probes, self._try(method, probes), strict=True))
        axes = [group for group in groups if works[group]]
        taken = set(itertools.chain.from_iterable(axes))
        return axes + [axis for axis in alone if works[axis] and axis[0] not in taken]

    def _try(self, method: MethodInfo, probes: Sequence[_Axis]) -> Sequence[bool]:
        """Whether the method runs with one element less along each of these."""
        import numpy as np

        if not probes:
            return []
        random = np.random.default_rng(self._recipe.seed)
        cases = [
            self._case(method, number, _smaller(method, dict.fromkeys(axis, 1)), random)
            for number, axis in enumerate(probes)
        ]
        return self._runs(MethodTestSuite(method.name, cases))


def _inspect(program: str | os.PathLike[str]) -> ProgramInfo:
    from bpte.program import ProgramError, inspect

    try:
        return inspect(Path(program))
    except ProgramError as error:
        raise PackError(f"{program} is not a well-formed program: {error}") from None


def _smaller(method: MethodInfo, less: Mapping[tuple[int, int], int]) -> list[tuple[int, ...]]:
    """The sizes of the method's inputs, some of them less than their bounds."""
    return [
        tuple(size - less.get((index, d), 0) for d, size in enumerate(info.sizes or ()))
        for index, info in enumerate(method.inputs)
    ]


def _sizes(
    method: MethodInfo, axes: Sequence[_Axis], random: np.random.Generator
) -> list[tuple[int, ...]]:
    """Sizes at their bounds, but for those along the axes, which are below."""
    less: dict[tuple[int, int], int] = {}
    for axis in axes:
        index, dimension = axis[0]
        bound = (method.inputs[index].sizes or ())[dimension]
        shrink = int(random.integers(1, bound))
        less |= dict.fromkeys(axis, shrink)
    return _smaller(method, less)
