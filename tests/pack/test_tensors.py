# SPDX-License-Identifier: BSD-3-Clause
"""What can be bundled, and in which memory order it is stored."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import bpte
from bpte.pack.tensors import PackError, TensorData, memory_order, normalise

IMAGE = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)


def stored(value: object) -> TensorData:
    data = normalise(value)
    assert isinstance(data, TensorData)
    return data


def content(value: object) -> bytes:
    return b"".join(map(bytes, stored(value).blocks()))


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1), (3, 2, 1, 0), (1, 0, 3, 2)])
def test_numpy_memory_order_is_kept(order: tuple[int, ...]) -> None:
    laid_out = np.ascontiguousarray(IMAGE.transpose(order))
    array = laid_out.transpose(np.argsort(order))
    assert np.array_equal(array, IMAGE)
    assert stored(array).dim_order == order
    assert stored(array).sizes == IMAGE.shape
    assert content(array) == laid_out.tobytes()


def test_what_is_not_dense_is_stored_row_major() -> None:
    for array in (
        *(IMAGE[:, ::2], IMAGE[::-1], IMAGE[..., 1:], IMAGE[..., 1:].transpose(0, 2, 3, 1)),
        np.broadcast_to(IMAGE[:1], IMAGE.shape),
    ):
        assert stored(array).dim_order == (0, 1, 2, 3)
        assert content(array) == array.tobytes()


def test_dimensions_of_size_1_leave_row_major_row_major() -> None:
    array = IMAGE[:1, :1]
    assert stored(np.ascontiguousarray(array)).dim_order == (0, 1, 2, 3)
    assert memory_order((1, 3, 4, 5), (60, 1, 15, 3)) == (0, 2, 3, 1)
    # One channel: both orders are the same bytes, and row-major is what is said.
    assert memory_order((1, 1, 4, 5), (20, 1, 5, 1)) == (0, 1, 2, 3)
    data = stored(np.zeros((1, 1, 4, 5)))
    restated = data.stated_as((0, 2, 3, 1))
    assert restated is not None and restated.dim_order == (0, 2, 3, 1)
    assert stored(IMAGE).stated_as((0, 2, 3, 1)) is None
    assert stored(np.zeros((0, 3))).stated_as((1, 0)) is not None


def test_reordered_is_the_same_tensor() -> None:
    for value in (IMAGE, IMAGE[:, ::2], IMAGE.astype(ml_dtypes.bfloat16)):
        again = stored(value).reordered((0, 2, 3, 1))
        assert again.dim_order == (0, 2, 3, 1)
        assert content(again) == value.transpose(0, 2, 3, 1).tobytes()
        assert np.array_equal(again.array(), value)


def test_big_endian_becomes_little_endian() -> None:
    array = np.arange(5, dtype=">i4")
    assert content(array) == array.astype("<i4").tobytes()


def test_large_arrays_go_out_in_blocks() -> None:
    array = np.arange(3 << 20, dtype=np.float32).reshape(3, 1 << 10, 1 << 10)
    for view in (array, array[:, ::2], array[::-1], array.transpose(2, 0, 1)[1:]):
        blocks = list(stored(view).blocks())
        assert max(memoryview(block).nbytes for block in blocks) <= 4 << 20
        assert b"".join(map(bytes, blocks)) == content(view)
        assert stored(view).same_bytes(stored(view.copy()))
    changed = array.copy()
    changed[2, 5, 7] += 1
    assert not stored(array).same_bytes(stored(changed))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        *((3, 3), (True, True), (0.5, 0.5), (np.int8(3), 3), (np.bool_(True), True)),
        *((np.float32(0.5), 0.5), (np.uint64(7), 7)),
    ],
)
def test_scalars(given: Any, wanted: Any) -> None:
    value = normalise(given)
    assert value == wanted and type(value) is type(wanted)


@pytest.mark.parametrize(
    "value",
    [
        *("text", None, b"bytes", 1 << 63, -(1 << 63) - 1, 1j, np.uint64((1 << 64) - 1), object()),
        *(np.array(["a"]), np.zeros(2, complex), np.zeros((1,) * 17), np.array([None])),
        np.empty((0, 1 << 31), np.uint8),
    ],
)
def test_what_cannot_be_bundled(value: object) -> None:
    with pytest.raises(PackError):
        normalise(value)


def test_the_error_names_method_case_and_input() -> None:
    case = bpte.MethodTestCase([IMAGE], ["text"])
    suite = bpte.MethodTestSuite("encode", [bpte.MethodTestCase([1]), case])
    with pytest.raises(PackError, match=r"method 'encode', case 1, output 0: a str cannot"):
        bpte.BundledProgram(b"p", [suite]).to_bytes()


def test_nested_values_are_flattened() -> None:
    case = bpte.MethodTestCase({"a": [1, (2, 3)], "b": IMAGE}, 4.0)
    assert case.inputs[:3] == [1, 2, 3] and case.inputs[3] is IMAGE
    assert case.expected_outputs == [4.0]


@pytest.mark.parametrize(
    "members",
    [
        *({"rtol": -1}, {"atol": float("nan")}, {"max_outlier_share": 1.5}, {"nan_policy": 3}),
        *({"min_sqnr_db": float("nan")}, {"max_outlier_share": float("nan")}),
    ],
    ids=str,
)
def test_tolerances_that_cannot_be(members: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        bpte.Tolerance(**members)


@pytest.mark.parametrize(
    "suites",
    [
        [bpte.MethodTestSuite("", [])],
        [bpte.MethodTestSuite("f", []), bpte.MethodTestSuite("f", [])],
        [bpte.MethodTestSuite("a\0b", [])],
        [bpte.MethodTestSuite("\ud800", [])],
        [bpte.MethodTestSuite("f", [bpte.MethodTestCase([], name="\0")])],
        [bpte.MethodTestSuite("f", [bpte.MethodTestCase([], [1, 2, 3])], [bpte.Tolerance()] * 2)],
        [bpte.MethodTestSuite("f", [bpte.MethodTestCase([], [1])], ["no"])],  # type: ignore[list-item]
    ],
)
def test_suites_that_cannot_be(suites: list[bpte.MethodTestSuite]) -> None:
    with pytest.raises(PackError):
        bpte.BundledProgram(b"p", suites).to_bytes()


def test_programs_that_cannot_be() -> None:
    with pytest.raises(PackError, match="empty"):
        bpte.BundledProgram(b"").to_bytes()
    with pytest.raises(TypeError):
        bpte.BundledProgram(3).to_bytes()
    with pytest.raises(FileNotFoundError):
        bpte.BundledProgram("no such file").to_bytes()
    with pytest.raises(PackError):
        bpte.BundledProgram()
    for alignment in (64, 100, 0, -128, 1 << 32):
        with pytest.raises(PackError, match="alignment"):
            bpte.BundledProgram(b"p").to_bytes(alignment=alignment)
