# SPDX-License-Identifier: BSD-3-Clause
"""Whether suites fit the methods of the program that they are bundled with."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from bpte.format.rules import Place
from bpte.format.scalar_type import dtype_name
from bpte.pack.program_source import BytesProgram, FileProgram, ProgramSource
from bpte.pack.tensors import PackError, TensorData
from bpte.program import pte_file

if TYPE_CHECKING:
    from bpte.pack.producer import PackedCase, PackedSuite
    from bpte.program import MethodInfo, ProgramInfo, ValueInfo

    Given = TensorData | int | float | bool

MODES = ("strict", "relayout", "skip")


def fit(
    program: ProgramSource, suites: list[PackedSuite], mode: str
) -> tuple[list[PackedSuite], list[str]]:
    """Holds the suites against the program. Gives them back, in the program's memory order when
    ``mode`` is "relayout", and notes. Raises ``PackError`` for the first that does not fit."""
    if mode not in MODES:
        raise PackError(f"unknown fit {mode!r}, there are {', '.join(MODES)}")
    if mode == "skip" or not suites:
        return suites, []
    head = program.head(pte_file.PROBE_SIZE)
    if not pte_file.is_program(head):
        return suites, [f"{program.name} has no identifier of ExecuTorch: packed unchecked"]
    info = _inspect(program, head)
    methods = {method.name: method for method in info.methods}
    fitted = []
    for suite in suites:
        method = methods.get(suite.method_name)
        if method is None:
            raise PackError(
                f"the program has no such method; it has {', '.join(methods) or 'none'}",
                method=suite.method_name,
            )
        cases = [
            _fit_case(method, number, case, mode) for number, case in enumerate(suite.test_cases)
        ]
        fitted.append(suite._replace(test_cases=cases))
    return fitted, []


def _inspect(program: ProgramSource, head: bytes) -> ProgramInfo:
    from bpte.program import ProgramError, inspect

    try:
        if isinstance(program, FileProgram) and program.is_whole:
            return inspect(program.name)
        if isinstance(program, BytesProgram):
            return inspect(program.view)
        # Only the FlatBuffer in front is looked at: the rest may stay away, as untouched pages.
        header = pte_file.extended_header(head)
        front = program.head(header["program_size"] if header else program.size)
        with mmap.mmap(-1, program.size) as image:
            image[: len(front)] = front
            return inspect(bytes(image) if header is None else image)
    except ProgramError as error:
        raise PackError(
            f"{program.name} is not a well-formed program: {error}. "
            "To pack it all the same, skip the fit"
        ) from None


def _fit_case(method: MethodInfo, number: int, case: PackedCase, mode: str) -> PackedCase:
    place = Place(case=number)
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


def value_text(info: ValueInfo) -> str:
    """Such as ``float32[<=8, 3]``."""
    if info.kind != "tensor":
        return info.kind
    sizes = info.sizes or ()
    bound = {"static": "", "dynamic_bound": "<="}.get(info.dynamism or "", "?")
    text = f"{_wanted_dtype(info)}[{', '.join(f'{bound}{size}' for size in sizes)}]"
    if info.dim_order and info.dim_order != tuple(range(len(sizes))):
        text += f" in order {list(info.dim_order)}"
    return text


def _wanted_dtype(info: ValueInfo) -> str:
    try:
        return dtype_name(info.scalar_type if info.scalar_type is not None else -1)
    except KeyError:
        return str(info.scalar_type_name).lower()


def _check_value(given: Given, wanted: ValueInfo) -> None:
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


def _in_order(given: Given, wanted: ValueInfo, mode: str) -> Given:
    if not isinstance(given, TensorData) or not wanted.dim_order:
        return given
    same = given.stated_as(wanted.dim_order)
    if same is not None:
        return same
    if mode == "relayout":
        return given.reordered(wanted.dim_order)
    raise PackError(
        f"its bytes lie in dim_order {list(given.dim_order)}, the program reads them in "
        f"{list(wanted.dim_order)}: bring it into that memory order "
        "(torch: to(memory_format=...); numpy: a transposed view of a copy), or pack with "
        'fit="relayout"'
    )
