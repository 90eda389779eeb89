# SPDX-License-Identifier: BSD-3-Clause
"""Inputs that are made: what is drawn for each type, and what is refused."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from bpte.examine import inputs
from bpte.examine.maker import Maker, Recipe
from bpte.format.scalar_type import ScalarType, dtype_name, largest_finite
from bpte.format.tensor_data import TensorData
from bpte.pack.cases import MethodTestSuite
from bpte.pack.tensors import PackError
from bpte.program import MethodInfo, ValueInfo
from bpte.run.compare import elements

FLOATS = tuple(t for t in ScalarType if largest_finite(t) is not None)
WIDE = [t for t in ScalarType if t not in (*FLOATS, ScalarType.BOOL, ScalarType.BYTE)]
WIDE.remove(ScalarType.CHAR)


def tensor(scalar_type: int, sizes: tuple[int, ...] = (40, 25), **more: Any) -> ValueInfo:
    facts: dict[str, Any] = {
        "scalar_type": int(scalar_type),
        "sizes": sizes,
        "dim_order": tuple(range(len(sizes))),
        "dynamism": "static",
    }
    return ValueInfo("tensor", **facts | more)


def draw(info: ValueInfo, how: str, seed: int = 1) -> Any:
    value = inputs.draw(info, info.sizes or (), inputs.parse(how), np.random.default_rng(seed))
    if isinstance(value, TensorData):
        assert (value.scalar_type, value.sizes) == (info.scalar_type, info.sizes)
        assert value.dim_order == info.dim_order
        return elements(value).reshape(value.sizes)
    return value


@pytest.mark.parametrize("scalar_type", ScalarType)
def test_zeros_ones_and_edges_are_of_every_type(scalar_type: ScalarType) -> None:
    info = tensor(scalar_type)
    assert not draw(info, "zeros").any()
    assert (draw(info, "ones") == 1).all()
    edges = draw(info, "edges")
    if scalar_type in FLOATS:
        dtype = getattr(ml_dtypes, dtype_name(scalar_type), None) or np.dtype(
            dtype_name(scalar_type)
        )
        limits = ml_dtypes.finfo(dtype)
        wanted = {0.0, 1.0, limits.max, limits.smallest_normal, limits.smallest_subnormal}
        assert {float(x) for x in np.abs(edges).reshape(-1)} == {float(x) for x in wanted}
        assert (edges < 0).any() and (edges > 0).any() and np.isfinite(edges).all()
    elif scalar_type is not ScalarType.BOOL:
        limits = np.iinfo(edges.dtype)
        wanted = {limits.min, limits.max, 0, 1} | ({-1} if limits.min else set())
        assert set(edges.reshape(-1).tolist()) == wanted


@pytest.mark.parametrize("scalar_type", FLOATS)
def test_real_numbers(scalar_type: ScalarType) -> None:
    info = tensor(scalar_type)
    uniform = draw(info, "uniform(-2,3)").astype(np.float64)
    assert -2 <= uniform.min() < -1.8 and 2.8 < uniform.max() <= 3
    assert draw(info, "uniform").min() >= 0 and draw(info, "uniform").max() <= 1
    normal = draw(info, "normal(5,0.5)").astype(np.float64)
    assert abs(normal.mean() - 5) < 0.1 and abs(normal.std() - 0.5) < 0.1
    whole = draw(info, "integers(-3,3)")
    assert set(whole.reshape(-1).tolist()) == set(range(-3, 4))
    special = draw(info, "nan")
    for kind in (np.isnan, np.isposinf, np.isneginf):
        assert 0.05 < kind(special).mean() < 0.25
    assert np.isfinite(special).mean() > 0.5


def test_bfloat16_is_rounded_as_its_own_package_does() -> None:
    info = tensor(ScalarType.BFLOAT16, (1000,))
    exact = np.random.default_rng(1).normal(0, 1, (1000,))
    wanted = exact.astype(np.float32).astype(ml_dtypes.bfloat16).astype(np.float32)
    assert np.array_equal(draw(info, "normal"), wanted)


@pytest.mark.parametrize("scalar_type", WIDE)
def test_wide_integers_want_a_range(scalar_type: ScalarType) -> None:
    info = tensor(scalar_type)
    for how in ("normal", "uniform", "nan"):
        with pytest.raises(PackError, match=r"so say which they can be: integers\(LOW,HIGH\)"):
            draw(info, how)
    assert set(draw(info, "integers(3,7)").reshape(-1).tolist()) == {3, 4, 5, 6, 7}


def test_narrow_integers_and_bools_have_all_their_values() -> None:
    for scalar_type in (ScalarType.BYTE, ScalarType.CHAR):
        assert len(set(draw(tensor(scalar_type, (200, 100)), "normal").reshape(-1).tolist())) == 256
        with pytest.raises(PackError, match=r"cannot hold all of integers\(-200,300\)"):
            draw(tensor(scalar_type), "integers(-200,300)")
    assert 0.4 < draw(tensor(ScalarType.BOOL), "normal").mean() < 0.6


def test_scalars() -> None:
    """A program is exported for the very scalars that it was shown."""
    for value in (2.5, 3, True):
        kind = {float: "double", int: "int", bool: "bool"}[type(value)]
        assert draw(ValueInfo(kind, value), "normal") == value
    with pytest.raises(PackError, match="wants a string here"):
        draw(ValueInfo("string"), "uniform")
    with pytest.raises(PackError, match="cannot carry this dtype"):
        draw(tensor(9), "uniform")


def test_a_seed_gives_the_same_values_in_the_programs_memory_order() -> None:
    plain = tensor(ScalarType.FLOAT, (2, 3, 4))
    turned = tensor(ScalarType.FLOAT, (2, 3, 4), dim_order=(2, 0, 1))
    assert np.array_equal(draw(plain, "normal"), draw(turned, "normal"))
    assert not np.array_equal(draw(plain, "normal"), draw(plain, "normal", seed=2))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gauss", "there is no distribution 'gauss'; there are uniform"),
        ("integers", r"say which, such as integers\(0,9\)"),
        ("zeros(1,2)", "zeros has no parameters"),
        ("uniform(1)", "there is no distribution"),
        ("uniform(1,0)", "its second parameter is too small"),
        ("normal(0,-1)", "its second parameter is too small"),
        ("uniform(0,inf)", "are not finite numbers"),
        ("integers(0,0.5)", "are not finite numbers"),
        ("integers(0,9223372036854775808)", "are not finite numbers"),
        ("", "there is no distribution"),
    ],
)
def test_what_is_no_distribution_is_refused(text: str, message: str) -> None:
    with pytest.raises(PackError, match=message):
        inputs.parse(text)


@pytest.mark.parametrize("text", ["uniform(-1.5,2)", "normal(0,1)", "integers(-3,8)", "edges"])
def test_a_distribution_is_written_as_it_is_read(text: str) -> None:
    assert inputs.parse(str(inputs.parse(text))) == inputs.parse(text)


# --- Sizes ----------------------------------------------------------------------------------------


def method(*values: ValueInfo) -> MethodInfo:
    return MethodInfo("forward", values, (), (), (), (), 0, {}, 0, {}, ())


def axes(info: MethodInfo, runs: Any) -> list[Any]:
    recipe = Recipe(inputs.parse("normal"), {}, 0, 2, None)

    def which(suite: MethodTestSuite) -> list[bool]:
        return [runs([tuple(value.sizes) for value in case.inputs]) for case in suite.test_cases]

    return Maker(recipe, which)._axes(info)


def test_which_sizes_may_be_below_their_bounds_is_tried() -> None:
    dynamic = {"dynamism": "dynamic_bound"}
    two = method(
        tensor(ScalarType.FLOAT, (8, 16), **dynamic), tensor(ScalarType.FLOAT, (8, 4), **dynamic)
    )
    # The batch is one size of both; what the layers want is not dynamic.
    found = axes(two, lambda s: s[0][0] == s[1][0] and s[0][1] == 16 and s[1][1] == 4)
    assert found == [((0, 0), (1, 0))]
    # Sizes with one bound may be two sizes.
    square = method(tensor(ScalarType.FLOAT, (8, 8), **dynamic))
    assert axes(square, lambda s: s[0][1] == 8) == [((0, 0),)]
    assert axes(square, lambda s: True) == [((0, 0), (0, 1))]
    assert axes(square, lambda s: False) == []
    assert axes(method(tensor(ScalarType.FLOAT, (8, 8))), lambda s: True) == []
    assert axes(method(tensor(ScalarType.FLOAT, (1, 1), **dynamic)), lambda s: True) == []
