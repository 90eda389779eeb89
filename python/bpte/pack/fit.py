# SPDX-License-Identifier: BSD-3-Clause
"""Checks that suites fit the methods of the program that they are bundled with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bpte.format.rules import Place
from bpte.format.scalar_type import dtype_name
from bpte.format.tensor_data import TensorData
from bpte.pack import external
from bpte.pack.cases import PackedCase, PackedSuite, PackedValue
from bpte.pack.program_source import FileProgram, ProgramSource
from bpte.pack.tensors import PackError
from bpte.program import pte_file
from bpte.program.pte_file import value_text

if TYPE_CHECKING:
    from bpte.program import MethodInfo, ProgramInfo, ValueInfo

MODES = ("strict", "relayout", "outputs", "skip")


def fit(
    program: ProgramSource,
    suites: list[PackedSuite],
    weights: Mapping[str, ProgramSource],
    mode: str,
    *,
    outputs: bool = False,
) -> tuple[list[PackedSuite], list[str]]:
    """Compares the suites and the data files with the program, see ``BundledProgram.save``. Returns
    the suites, in the program's memory order if ``mode`` says so, and notes. ``outputs``: the
    expected outputs in any case. Raises ``PackError`` for the first that does not fit."""
    if mode not in MODES:
        raise PackError(f"unknown fit {mode!r}, there are {', '.join(MODES)}")
    if mode == "skip" or not suites:
        return suites, []
    head = program.head(pte_file.PROBE_SIZE)
    if not pte_file.is_program(head):
        return suites, [f"{program.name} has no identifier of ExecuTorch: packed unchecked"]
    try:
        info = _inspect(program, head)
    except PackError:
        if mode == "outputs":
            return suites, []
        raise
    methods = {method.name: method for method in info.methods}
    if mode != "outputs":
        external.check(info, external.entries(weights))
        suites = [_fit_suite(methods, suite, mode) for suite in suites]
    if outputs or mode != "strict":
        suites = [_order_outputs(methods.get(suite.method_name), suite) for suite in suites]
    return suites, []


def _fit_suite(methods: dict[str, MethodInfo], suite: PackedSuite, mode: str) -> PackedSuite:
    method = methods.get(suite.method_name)
    if method is None:
        raise PackError(
            f"the program has no such method; it has {', '.join(methods) or 'none'}",
            method=suite.method_name,
        )
    cases = []
    for number, case in enumerate(suite.test_cases):
        place = Place(case=number)
        if case.steps:
            steps = [
                _fit_case(method, place._replace(step=index), step, mode)
                for index, step in enumerate(case.steps)
            ]
            cases.append(case._replace(steps=steps))
        else:
            cases.append(_fit_case(method, place, case, mode))
    return suite._replace(test_cases=cases)


def require_program(path: str | os.PathLike[str]) -> None:
    """Raises ``PackError`` for a file that does not begin like an ExecuTorch program. The error
    says what the file is instead, if that is known."""
    source = FileProgram(path)
    try:
        head = source.head(pte_file.PROBE_SIZE)
    finally:
        source.close()
    if pte_file.is_program(head):
        return
    hint = ""
    if head[:2] == b"PK":
        hint = "; it is an archive, as torch.save and torch.export.save write: export it to a .pte"
    elif head[4:6] == b"BP":
        hint = "; it is a bundle already: 'bpte extract' takes the program out of it"
    elif head[4:6] == b"FT":
        hint = "; it is a data file (.ptd) of a program"
    raise PackError(
        f"{source.name} is not an ExecuTorch program: bytes 4-5 are not 'ET'{hint}. "
        "To pack it all the same, say --no-fit"
    )


def _inspect(program: ProgramSource, head: bytes) -> ProgramInfo:
    """Reads only the FlatBuffer at the front, into memory of its own, so that a file that changes
    meanwhile does no harm."""
    from bpte.program import ProgramError, inspect

    front = program.head(pte_file.program_size(head, program.size))
    try:
        return inspect(front, file_size=program.size)
    except ProgramError as error:
        raise PackError(
            f"{program.name} is not a well-formed program: {error}. "
            "To pack it all the same, skip the fit"
        ) from None


def _order_outputs(method: MethodInfo | None, suite: PackedSuite) -> PackedSuite:
    """The suite with its expected outputs in the memory order of the method's, where they have the
    same rank: ExecuTorch's verifier wants equal strides."""
    if method is None:
        return suite
    return suite._replace(test_cases=[_order_case(method, case) for case in suite.test_cases])


def _order_case(method: MethodInfo, case: PackedCase) -> PackedCase:
    if case.steps:
        return case._replace(steps=[_order_case(method, step) for step in case.steps])
    if len(case.expected_outputs) != len(method.outputs):
        return case
    pairs = zip(case.expected_outputs, method.outputs, strict=True)
    return case._replace(expected_outputs=[_relaid(*pair) for pair in pairs])


def _relaid(given: PackedValue, wanted: ValueInfo) -> PackedValue:
    order = wanted.dim_order
    if not isinstance(given, TensorData) or not order or len(order) != len(given.sizes):
        return given
    return given.reordered(order)


def _fit_case(method: MethodInfo, place: Place, case: PackedCase, mode: str) -> PackedCase:
    if len(case.inputs) != len(method.inputs):
        raise PackError(
            f"{len(case.inputs)} inputs, the method takes {_list(method.inputs)}",
            method=method.name,
            place=place,
        )
    if case.expected_outputs and len(case.expected_outputs) != len(method.outputs):
        raise PackError(
            f"{len(case.expected_outputs)} expected outputs, the method gives "
            f"{_list(method.outputs)}",
            method=method.name,
            place=place,
        )
    inputs = []
    for index, (given, wanted) in enumerate(zip(case.inputs, method.inputs, strict=True)):
        try:
            _check_value(given, wanted)
            inputs.append(_in_order(given, wanted, mode))
        except PackError as error:
            raise error.at(method.name, place._replace(input=index)) from None
    for index, given in enumerate(case.expected_outputs):
        try:
            _check_value(given, method.outputs[index])
        except PackError as error:
            raise error.at(method.name, place._replace(output=index)) from None
    return case._replace(inputs=inputs)


def _list(values: tuple[ValueInfo, ...]) -> str:
    return f"{len(values)}: {', '.join(value_text(value) for value in values) or 'none'}"


def _check_value(given: PackedValue, wanted: ValueInfo) -> None:
    kind = (
        "tensor"
        if isinstance(given, TensorData)
        else {bool: "bool", int: "int", float: "double"}[type(given)]
    )
    if kind != wanted.kind:
        raise PackError(
            f"{'an' if kind == 'int' else 'a'} {kind}, the program has {value_text(wanted)}"
        )
    if not isinstance(given, TensorData):
        return
    what = f"{dtype_name(given.scalar_type)}{list(given.sizes)}"
    if given.scalar_type != wanted.scalar_type:
        raise PackError(f"{what}, the program has {value_text(wanted)}: another dtype")
    sizes = wanted.sizes or ()
    if len(given.sizes) != len(sizes):
        raise PackError(f"{what}, the program has {value_text(wanted)}: another rank")
    if wanted.dynamism == "static" and given.sizes != sizes:
        raise PackError(f"{what}, the program has {value_text(wanted)}: another shape")
    if wanted.dynamism == "dynamic_bound" and any(
        size > bound for size, bound in zip(given.sizes, sizes, strict=True)
    ):
        raise PackError(f"{what}, the program has {value_text(wanted)}: larger than its bound")


def _in_order(given: PackedValue, wanted: ValueInfo, mode: str) -> PackedValue:
    if not isinstance(given, TensorData) or not wanted.dim_order:
        return given
    same = given.stated_as(wanted.dim_order)
    if same is not None:
        return same
    if mode == "relayout":
        return _relaid(given, wanted)
    raise PackError(
        f"its bytes lie in dim_order {list(given.dim_order)}, the program reads them in "
        f"{list(wanted.dim_order)}: bring it into that memory order "
        "(torch: to(memory_format=...); numpy: a transposed view of a copy), or pack with "
        'fit="relayout"'
    )
