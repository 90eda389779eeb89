# SPDX-License-Identifier: BSD-3-Clause
"""What a bundle says of an expected output, and whether a record is about that output.

A target that judges with tolerances of its own, or reports another tensor, says nothing about the
bundle, however green it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bpte.format.metadata import Tensor, Value
from bpte.format.scalar_type import ScalarType, default_bounds, dtype_name
from bpte.format.tolerance import Tolerance
from bpte.run.protocol_keys import Output


@dataclass(frozen=True)
class ExpectedOutput:
    """The facts of an expected output that its record repeats.

    `dtype` and `shape` are None for a scalar. `rtol` and `atol` are those that hold: the file's, or
    the defaults of the dtype.
    """

    kind: str
    dtype: str | None
    shape: tuple[int, ...] | None
    rtol: float
    atol: float
    max_outlier_share: float
    min_sqnr_db: float | None
    min_cosine: float | None
    not_compared: bool


def expected_output(value: Value, tolerance: Tolerance) -> ExpectedOutput:
    dtype = shape = None
    if isinstance(value, Tensor):
        kind, scalar_type = "tensor", ScalarType(value.scalar_type)
        dtype, shape = dtype_name(scalar_type), tuple(value.sizes)
    elif isinstance(value, bool):
        kind, scalar_type = "bool", ScalarType.BOOL
    elif isinstance(value, int):
        kind, scalar_type = "int", ScalarType.LONG
    else:
        kind, scalar_type = "double", ScalarType.DOUBLE
    rtol, atol = default_bounds(scalar_type)
    return ExpectedOutput(
        kind=kind,
        dtype=dtype,
        shape=shape,
        rtol=rtol if tolerance.rtol is None else tolerance.rtol,
        atol=atol if tolerance.atol is None else tolerance.atol,
        max_outlier_share=tolerance.max_outlier_share,
        min_sqnr_db=tolerance.min_sqnr_db,
        min_cosine=tolerance.min_cosine,
        not_compared=tolerance.not_compared,
    )


def differences(
    output: Output, expected: ExpectedOutput, rtol: float | None, atol: float | None
) -> Iterator[str]:
    """What a record says otherwise, in words. `rtol` and `atol` are what the target was asked for
    in place of the file's; None: nothing."""
    for name in ("kind", "dtype", "shape"):
        if (reported := getattr(output, name)) != (wanted := getattr(expected, name)):
            yield f"{name} {_word(reported)}, the file's is {_word(wanted)}"
    if (output.verdict == "not_compared") != expected.not_compared:
        verb = "is" if expected.not_compared else "is not"
        yield f"verdict {output.verdict.value}, but by the file it {verb} excluded from comparison"
    if output.numel is None:  # kind, dtype or shape differed: nothing was compared
        return
    for name, asked in (("rtol", rtol), ("atol", atol)):
        reported = getattr(output, name)
        if asked is not None and reported != asked:
            yield f"judged with {name} {_word(reported)}, asked for was {asked}"
        elif asked is None and reported != (wanted := getattr(expected, name)):
            yield f"judged with {name} {_word(reported)}, the file's is {wanted}"
    if output.max_outlier_share is None:  # such a record states neither share nor floors
        return
    for name in ("max_outlier_share", "min_sqnr_db", "min_cosine"):
        if (reported := getattr(output, name)) != (wanted := getattr(expected, name)):
            yield f"judged with {name} {_word(reported)}, the file's is {_word(wanted)}"


def _word(value: object) -> str:
    if isinstance(value, tuple):
        return str(list(value))
    return "none" if value is None else str(value)
