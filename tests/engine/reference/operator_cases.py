# SPDX-License-Identifier: BSD-3-Clause
"""What the reference engine's operators are tried with: groups of small functions and inputs.

Each group becomes one program that computes all its cases, because exporting costs far more than
running.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

Tensors = tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class Case:
    name: str
    function: Callable[..., torch.Tensor | Tensors]
    inputs: Tensors


@dataclass
class Group:
    """Cases of one program. `dim_order` false: exported with the plain copy operators instead."""

    cases: list[Case] = field(default_factory=list)
    dim_order: bool = True
    keep: tuple[str, ...] = ()  # operators that to_edge is told not to decompose
    eager: bool = False  # compared with eager PyTorch, instead of ExecuTorch 1.5.1

    def add(
        self, name: str, function: Callable[..., torch.Tensor | Tensors], *inputs: torch.Tensor
    ) -> None:
        self.cases.append(Case(name, function, inputs))


def _randn(*shape: int) -> torch.Tensor:
    return torch.randn(shape)


def elementwise() -> Group:
    group = Group()
    unary: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "relu": torch.relu,
        "neg": torch.neg,
        "abs": torch.abs,
        "exp": torch.exp,
        "sin": torch.sin,
        "cos": torch.cos,
        "tanh": torch.tanh,
        "erf": torch.erf,
        "sigmoid": torch.sigmoid,
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "relu6": F.relu6,
        "hardtanh": lambda x: F.hardtanh(x, -0.4, 0.7),
        "clamp": lambda x: torch.clamp(x, -0.5, 0.25),
        "clamp_min": lambda x: torch.clamp(x, min=0.1),
        "clamp_max": lambda x: torch.clamp(x, max=-0.1),
        "leaky_relu": lambda x: F.leaky_relu(x, 0.3),
        "elu": lambda x: F.elu(x, 1.3),
        "hardswish": F.hardswish,
        "silu": F.silu,
        "square": lambda x: x**2,
        "cube": lambda x: x**3,
        "eq_scalar": lambda x: x == 0.0,
        "ne_scalar": lambda x: x != 0.0,
        "lt_scalar": lambda x: x < 0.1,
        "le_scalar": lambda x: x <= 0.1,
        "gt_scalar": lambda x: x > 0.1,
        "ge_scalar": lambda x: x >= 0.1,
        "logical_not": lambda x: torch.logical_not(x > 0.1),
    }
    positive: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "log": torch.log,
        "sqrt": torch.sqrt,
        "rsqrt": torch.rsqrt,
        "reciprocal": torch.reciprocal,
        "pow_real": lambda x: x**1.7,
    }
    shapes = [(2, 3, 4), (1, 2, 1, 3, 2)]
    for shape in shapes:
        x = _randn(*shape)
        x.view(-1)[0] = 0.0
        for name, function in unary.items():
            group.add(f"{name}{list(shape)}", function, x)
        for name, function in positive.items():
            group.add(f"{name}{list(shape)}", function, x.abs() + 0.1)
    group.add("relu[]", torch.relu, _randn())
    group.add("tanh_large", torch.tanh, torch.tensor([-100.0, -9.0, 9.0, 100.0]))
    group.add(
        "relu_nan", torch.relu, torch.tensor([float("nan"), -1.0, float("inf"), -float("inf")])
    )
    group.add(
        "clamp_nan", lambda x: torch.clamp(x, -1, 1), torch.tensor([float("nan"), float("inf")])
    )
    return group


def binary() -> Group:
    group = Group()
    functions: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
        "add": torch.add,
        "add_alpha": lambda a, b: torch.add(a, b, alpha=0.5),
        "sub": torch.sub,
        "sub_alpha": lambda a, b: torch.sub(a, b, alpha=2),
        "mul": torch.mul,
        "div": torch.div,
        "maximum": torch.maximum,
        "minimum": torch.minimum,
        "eq": torch.eq,
        "ne": torch.ne,
        "lt": torch.lt,
        "le": torch.le,
        "gt": torch.gt,
        "ge": torch.ge,
        "where": lambda a, b: torch.where(a > b, a, b),
    }
    shapes = [
        ((5,), (5,)),
        ((2, 3, 4), (2, 3, 4)),
        ((2, 3, 4), (4,)),
        ((3, 1), (1, 5)),
        ((2, 1, 4), (3, 1)),
        ((), (2, 2)),
        ((1, 4, 1, 2), (3, 1, 5, 1)),
    ]
    for a_shape, b_shape in shapes:
        a, b = _randn(*a_shape), _randn(*b_shape)
        for name, function in functions.items():
            if "alpha" in name and a_shape == ():
                continue  # beyond_executorch
            group.add(f"{name}{list(a_shape)}{list(b_shape)}", function, a, b)
        group.add(f"pow{list(a_shape)}{list(b_shape)}", torch.pow, a.abs() + 0.2, b)
    x = _randn(3, 4)
    nan = torch.tensor([float("nan"), 1.0, 2.0])
    group.add("maximum_nan", torch.maximum, nan, torch.tensor([0.0, float("nan"), 1.0]))
    group.add("minimum_nan", torch.minimum, nan, torch.tensor([0.0, float("nan"), 1.0]))
    for name, scalar_function in {
        "add_scalar": lambda x: torch.ops.aten.add.Scalar(x, 1.5, 2),
        "sub_scalar": lambda x: torch.ops.aten.sub.Scalar(x, 1.5, 2),
        "mul_scalar": lambda x: torch.ops.aten.mul.Scalar(x, -2.5),
        "div_scalar": lambda x: torch.ops.aten.div.Scalar(x, 3.0),
        "rsub": lambda x: 1.0 - x,
        "rdiv": lambda x: 1.0 / (x + 10.0),
        "where_broadcast": lambda x: torch.where(x[:1] > 0, x, x[:, :1]),
    }.items():
        group.add(name, scalar_function, x)
    return group


def integers() -> Group:
    """Compared with PyTorch, whose integers wrap around."""
    group = Group(eager=True)
    functions: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
        "add": torch.add,
        "add_alpha": lambda a, b: torch.add(a, b, alpha=-3),
        "sub": torch.sub,
        "sub_alpha": lambda a, b: torch.sub(a, b, alpha=2),
        "mul": torch.mul,
    }
    for dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        info = torch.iinfo(dtype)
        ends = torch.tensor([info.min, info.min + 1, 0, 1, info.max], dtype=dtype)
        some = torch.randint(-9 if info.min else 0, 9, (2, 1, 5)).to(dtype)
        group.add(f"abs_ends_{dtype}", torch.abs, ends)
        group.add(f"abs_{dtype}", torch.abs, some)
        for name, function in functions.items():
            group.add(f"{name}_ends_{dtype}", function, ends, ends.flip(0))
            group.add(f"{name}_broadcast_{dtype}", function, some, ends[:4].reshape(4, 1))
            group.add(f"{name}_rank0_{dtype}", function, ends[4], some)
    longs = torch.tensor([[-(2**40), 3], [2**62, -5]])
    group.add("sub_int32", torch.sub, longs, torch.tensor([7, -7], dtype=torch.int32))
    group.add("add_bool", torch.add, longs, torch.tensor([True, False]))
    for name, scalar_function in {
        "add_scalar": lambda x: torch.ops.aten.add.Scalar(x, 2**53 + 1, 3),
        "sub_scalar": lambda x: torch.ops.aten.sub.Scalar(x, 7, 2),
        "mul_scalar": lambda x: torch.ops.aten.mul.Scalar(x, -3),
        "rsub": lambda x: 9 - x,
    }.items():
        group.add(name, scalar_function, longs)
    return group


def matmul() -> Group:
    group = Group()
    for m, k, n in [(1, 1, 1), (3, 5, 2), (1, 17, 4), (6, 1, 6), (13, 8, 9)]:
        a, b = _randn(m, k), _randn(k, n)
        group.add(f"mm[{m},{k},{n}]", torch.mm, a, b)
        group.add(f"mm_transposed[{m},{k},{n}]", lambda a, b: torch.mm(a, b.t()), a, _randn(n, k))
        for start in [(n,), (m, n), (1, n), (m, 1), ()]:
            group.add(
                f"addmm{list(start)}[{m},{k},{n}]",
                lambda s, a, b: torch.addmm(s, a, b, beta=0.5, alpha=-1.5),
                _randn(*start),
                a,
                b,
            )
        group.add(f"bmm[{m},{k},{n}]", torch.bmm, _randn(3, m, k), _randn(3, k, n))
        group.add(f"linear[{m},{k},{n}]", F.linear, a, _randn(n, k), _randn(n))
        group.add(f"linear_no_bias[{m},{k},{n}]", F.linear, _randn(2, m, k), _randn(n, k))
    group.add("matmul_4d", torch.matmul, _randn(2, 3, 4, 5), _randn(2, 3, 5, 6))
    return group


def kept_linear() -> Group:
    group = Group(keep=("linear",))
    for m, k, n in [(1, 1, 1), (3, 5, 2), (6, 1, 6), (13, 8, 9)]:
        group.add(f"linear[{m},{k},{n}]", F.linear, _randn(m, k), _randn(n, k), _randn(n))
        group.add(f"linear_3d[{m},{k},{n}]", F.linear, _randn(2, m, k), _randn(n, k), _randn(n))
        group.add(f"linear_no_bias[{m},{k},{n}]", F.linear, _randn(m, k), _randn(n, k))
    return group


def convolution() -> Group:
    group = Group()
    settings = itertools.product(
        [(3, 3), (1, 1), (2, 4)],  # kernel
        [(1, 1), (2, 3)],  # stride
        [(0, 0), (1, 2)],  # padding
        [(1, 1), (2, 1)],  # dilation
        [(1, 4, 6), (2, 4, 6), (4, 4, 8), (6, 6, 6)],  # groups, channels in and out
    )
    for kernel, stride, padding, dilation, (groups, inputs, outputs) in settings:
        bias = _randn(outputs) if kernel != (1, 1) else None
        x, weight = _randn(2, inputs, 9, 8), _randn(outputs, inputs // groups, *kernel)
        name = f"conv2d_k{kernel}_s{stride}_p{padding}_d{dilation}_g{groups}"
        tail = (stride, padding, dilation, groups)
        if bias is None:
            group.add(name, lambda x, w, t=tail: F.conv2d(x, w, None, *t), x, weight)
        else:
            group.add(name, lambda x, w, b, t=tail: F.conv2d(x, w, b, *t), x, weight, bias)
    for kernel_1d, stride_1d, padding_1d, dilation_1d, groups_1d in itertools.product(
        [1, 3, 4], [1, 2], [0, 3], [1, 2], [1, 3]
    ):
        x, weight = _randn(2, 6, 11), _randn(3, 6 // groups_1d, kernel_1d)
        tail_1d = (stride_1d, padding_1d, dilation_1d, groups_1d)
        group.add(
            f"conv1d_k{kernel_1d}_s{stride_1d}_p{padding_1d}_d{dilation_1d}_g{groups_1d}",
            lambda x, w, b, t=tail_1d: F.conv1d(x, w, b, *t),
            x,
            weight,
            _randn(3),
        )
    group.add(
        "conv2d_same",
        lambda x, w: F.conv2d(x, w, padding="same"),
        _randn(1, 2, 5, 6),
        _randn(3, 2, 3, 3),
    )
    return group


def channels_last() -> Group:
    group = Group()
    last = torch.channels_last
    x = _randn(2, 4, 7, 6)
    weight, bias = _randn(6, 4, 3, 3), _randn(6)
    group.add("to_channels_last", lambda x: x.to(memory_format=last), x)
    group.add(
        "conv", lambda x, w, b: F.conv2d(x.to(memory_format=last), w, b, 2, 1), x, weight, bias
    )
    group.add(
        "conv_back",
        lambda x, w: F.conv2d(x.to(memory_format=last), w).contiguous(),
        x,
        weight,
    )
    group.add("relu", lambda x: torch.relu(x.to(memory_format=last)), x)
    group.add("max_pool", lambda x: F.max_pool2d(x.to(memory_format=last), 2), x)
    group.add("avg_pool", lambda x: F.avg_pool2d(x.to(memory_format=last), 3, 2, 1), x)
    group.add("mean", lambda x: x.to(memory_format=last).mean((2, 3)), x)
    group.add("add", lambda x: x.to(memory_format=last) + x.to(memory_format=last), x)
    return group


def beyond_executorch() -> Group:
    """What ExecuTorch 1.5.1 (its wheel's kernels) gets wrong or refuses."""
    group = Group(eager=True)
    last = torch.channels_last
    x = _randn(2, 4, 5, 3)
    # Joins the bytes as if they were in row-major order.
    group.add("cat", lambda x: torch.cat([x.to(memory_format=last)] * 2, 1), x)
    # Refused: "input tensors have different dim orders".
    group.add("softmax", lambda x: torch.softmax(x.to(memory_format=last), 1), x)
    # Scales the wrong operand when the first is the one that broadcasts.
    group.add("add_alpha", lambda a, b: torch.add(a, b, alpha=0.5), _randn(), _randn(2, 2))
    group.add("sub_alpha", lambda a, b: torch.sub(a, b, alpha=2), _randn(), _randn(2, 2))
    nan = _randn(1, 1, 4, 4)
    nan[0, 0, 1, 1] = float("nan")
    # Loses the NaN.
    group.add("max_pool2d_nan", lambda x: F.max_pool2d(x, 2), nan)
    return group


def pooling() -> Group:
    group = Group()
    for kernel, stride, padding, ceil in itertools.product(
        [2, 3, (2, 3)], [1, 2, (3, 2)], [0, 1], [False, True]
    ):
        x = _randn(2, 3, 8, 7)
        name = f"k{kernel}_s{stride}_p{padding}_ceil{ceil:d}"
        for dilation in [1, 2]:
            group.add(
                f"max_pool2d_{name}_d{dilation}",
                lambda x, t=(kernel, stride, padding, dilation, ceil): F.max_pool2d(
                    x, *t, return_indices=True
                ),
                x,
            )
        for include in [False, True]:
            group.add(
                f"avg_pool2d_{name}_include{include:d}",
                lambda x, t=(kernel, stride, padding, ceil, include): F.avg_pool2d(x, *t),
                x,
            )
        group.add(
            f"avg_pool2d_{name}_divisor",
            lambda x, t=(kernel, stride, padding, ceil, True, 5): F.avg_pool2d(x, *t),
            x,
        )
    group.add("max_pool2d_3d", lambda x: F.max_pool2d(x, 2), _randn(3, 6, 6))
    group.add("avg_pool2d_3d", lambda x: F.avg_pool2d(x, 2), _randn(3, 6, 6))
    low = torch.full((1, 1, 4, 4), -float("inf"))
    group.add("max_pool2d_inf", lambda x: F.max_pool2d(x, 2, return_indices=True), low)
    for size in [1, (2, 3), (4, 5), (8, 7), (3, 9)]:
        group.add(
            f"adaptive{size}", lambda x, s=size: F.adaptive_avg_pool2d(x, s), _randn(2, 3, 8, 7)
        )
    return group


def normalization() -> Group:
    group = Group()
    for shape in [(2, 3), (2, 3, 4), (1, 5, 2, 3), (2, 2, 2, 2, 2)]:
        c = shape[1]
        statistics = (_randn(c), torch.rand(c) + 0.1)
        group.add(
            f"batch_norm{list(shape)}",
            lambda x, m, v, w, b: F.batch_norm(x, m, v, w, b, eps=1e-3),
            _randn(*shape),
            *statistics,
            _randn(c),
            _randn(c),
        )
        group.add(
            f"batch_norm_plain{list(shape)}",
            lambda x, m, v: F.batch_norm(x, m, v),
            _randn(*shape),
            *statistics,
        )
        for count in range(1, len(shape)):
            tail = shape[-count:]
            group.add(
                f"layer_norm{list(shape)}{list(tail)}",
                lambda x, w, b, t=tail: F.layer_norm(x, t, w, b),
                _randn(*shape) * 3 + 1,
                _randn(*tail),
                _randn(*tail),
            )
        group.add(
            f"layer_norm_plain{list(shape)}",
            lambda x, t=shape[-1:]: F.layer_norm(x, t, eps=1e-2),
            _randn(*shape),
        )
        for dim in range(-1, len(shape)):
            group.add(
                f"softmax{list(shape)}{dim}",
                lambda x, d=dim: torch.softmax(x, d),
                5 * _randn(*shape),
            )
            group.add(
                f"log_softmax{list(shape)}{dim}",
                lambda x, d=dim: torch.log_softmax(x, d),
                5 * _randn(*shape),
            )
    infinite = _randn(2, 4)
    infinite[0, 1] = -float("inf")
    group.add("softmax_masked", lambda x: torch.softmax(x, -1), infinite)
    group.add("softmax_large", lambda x: torch.softmax(x, -1), torch.tensor([[1e4, 1e4 - 1, -1e4]]))
    return group


def reduction() -> Group:
    group = Group()
    for shape in [(6,), (3, 4), (2, 3, 4), (2, 3, 2, 5)]:
        dims: list[tuple[int, ...]] = [
            d
            for n in range(1, len(shape) + 1)
            for d in itertools.combinations(range(len(shape)), n)
        ]
        x = _randn(*shape)
        for dim, keep in itertools.product(dims, [False, True]):
            name = f"{list(shape)}{dim}keep{keep:d}"
            group.add(f"mean{name}", lambda x, d=dim, k=keep: x.mean(d, keepdim=k), x)
            group.add(f"sum{name}", lambda x, d=dim, k=keep: x.sum(d, keepdim=k), x)
            group.add(f"amax{name}", lambda x, d=dim, k=keep: x.amax(d, keepdim=k), x)
            group.add(f"amin{name}", lambda x, d=dim, k=keep: x.amin(d, keepdim=k), x)
        group.add(f"mean_all{list(shape)}", lambda x: x.mean(), x)
        group.add(f"sum_all{list(shape)}", lambda x: x.sum(), x)
        for dim_1d, keep in itertools.product(range(-1, len(shape)), [False, True]):
            group.add(
                f"any{list(shape)}{dim_1d}keep{keep:d}",
                lambda x, d=dim_1d, k=keep: torch.any(x > 1.0, d, keepdim=k),
                x,
            )
    nan = _randn(2, 3)
    nan[1, 1] = float("nan")
    group.add("amax_nan", lambda x: x.amax(1), nan)
    group.add("amin_nan", lambda x: x.amin(1), nan)
    return group


def copying() -> Group:
    group = Group()
    x = _randn(2, 3, 4, 5)
    longs = torch.arange(120).reshape(2, 3, 4, 5)
    bools = x > 0
    for name, values in {
        "float": x,
        "long": longs,
        "bool": bools,
        "char": longs.to(torch.int8),
    }.items():
        for order in [(0, 2, 3, 1), (3, 2, 1, 0), (1, 0, 2, 3), (0, 1, 3, 2)]:
            group.add(f"permute_{name}{order}", lambda x, o=order: x.permute(o), values)
        group.add(f"transpose_{name}", lambda x: x.transpose(1, -1), values)
        group.add(f"view_{name}", lambda x: x.permute(1, 0, 2, 3).reshape(6, -1), values)
        group.add(f"expand_{name}", lambda x: x[:, :1].expand(2, 7, -1, 5), values)
        group.add(f"expand_rank_{name}", lambda x: x[0, 0].expand(3, 2, 4, 5), values)
        group.add(f"unsqueeze_{name}", lambda x: x.permute(3, 2, 1, 0).unsqueeze(-2), values)
        group.add(f"squeeze_{name}", lambda x: x[:, 1:2].squeeze(1), values)
        group.add(f"squeeze_dims_{name}", lambda x: x[:1, 1:2, :, 2:3].squeeze((0, 1, 2)), values)
        for dim, index in [(0, 1), (2, -1), (3, 0)]:
            group.add(f"select_{name}{dim}", lambda x, d=dim, i=index: x.select(d, i), values)
        for at, where in {
            "head": (slice(None), slice(0, 2)),
            "step": (slice(None), slice(None), slice(0, None, 2), slice(1, 5, 3)),
            "tail": (slice(-1, None), slice(-2, None)),
            "beyond": (slice(None), slice(1, 100)),
        }.items():
            group.add(f"slice_{name}_{at}", lambda x, w=where: x[w], values)
        group.add(f"split_{name}", lambda x: torch.split(x, 2, 3), values)
        group.add(f"split_sizes_{name}", lambda x: torch.split(x, [1, 3, 1], -1), values)
        group.add(f"chunk_{name}", lambda x: torch.chunk(x, 2, 1), values)
        for dim in [0, 1, -1]:
            group.add(f"cat_{name}{dim}", lambda x, d=dim: torch.cat([x, x, x], d), values)
        group.add(f"stack_{name}", lambda x: torch.stack([x, x], 1), values)
        group.add(f"flatten_{name}", lambda x: torch.flatten(x, 1), values)
        group.add(f"clone_{name}", lambda x: x.permute(0, 2, 1, 3).clone(), values)
        group.add(f"contiguous_{name}", lambda x: x.transpose(0, 1).contiguous(), values)
        group.add(f"full_like_{name}", lambda x: torch.full_like(x, 1), values)
        group.add(f"pad_{name}", lambda x: F.pad(x, (1, 2, 0, 3, 2, 0), value=1), values)
    group.add("cat_empty", lambda x, e: torch.cat([e, x], 0), _randn(3), torch.empty(0))
    group.add("cat_shapes", lambda a, b: torch.cat([a, b], 1), _randn(2, 3, 2), _randn(2, 1, 2))
    group.add("t", lambda x: x.t(), _randn(3, 4))
    group.add("t_1d", lambda x: x.t(), _randn(3))
    group.add("full", lambda x: x + torch.full((2, 3), 0.5), _randn(2, 3))
    group.add("zeros", lambda x: torch.cat([x, torch.zeros(2, 3)]), _randn(2, 3))
    group.add("float_to_long", lambda x: x.to(torch.int64), 9 * _randn(3, 4))
    group.add("float_to_int", lambda x: x.to(torch.int32), 9 * _randn(3, 4))
    group.add("float_to_bool", lambda x: x.to(torch.bool), torch.tensor([0.0, 0.5, -1.0]))
    group.add("long_to_float", lambda x: x.to(torch.float32), torch.arange(-5, 9))
    group.add("int_to_long", lambda x: x.to(torch.int64), torch.arange(-5, 9, dtype=torch.int32))
    group.add("bool_to_float", lambda x: x.to(torch.float32), _randn(3, 4) > 0)
    group.add("copy_broadcast", lambda x, y: torch.ops.aten.copy(x, y), _randn(3, 4), _randn(4))
    for shape in [(5,), (2, 3), ()]:
        indices = torch.randint(0, 7, shape)
        group.add(f"embedding{list(shape)}", lambda w, i: F.embedding(i, w), _randn(7, 6), indices)
        group.add(
            f"embedding_int{list(shape)}",
            lambda w, i: F.embedding(i, w),
            _randn(7, 6),
            indices.to(torch.int32),
        )
    return group


def indexing() -> Group:
    """Compared with PyTorch."""
    group = Group(eager=True)
    x = _randn(3, 4, 5, 2)
    i, j = torch.tensor([2, 0, -1]), torch.tensor([[1], [-3]])
    for values in (x, (100 * x).to(torch.int8), x > 0, (9 * x).to(torch.int64)):
        for name, at in {
            "first": (i,),
            "matrix": (j,),
            "middle": (None, i),
            "last": (None, None, None, torch.tensor([1, 0, 0, 1])),
            "neighbours": (None, i, j),
            "apart": (i, None, j),
            "apart_late": (None, i, None, torch.tensor([1, 0, 1])),
            "all": (i, i, j, torch.tensor([1])),
            "rank0": (None, torch.tensor(2)),
            "int32": (None, i.to(torch.int32)),
            "empty": (None, torch.empty(0, dtype=torch.int64)),
        }.items():
            given = [index for index in at if index is not None]

            def take(x: torch.Tensor, *given: torch.Tensor, at: tuple = at) -> torch.Tensor:
                left = iter(given)
                indices = [None if index is None else next(left) for index in at]
                return torch.ops.aten.index.Tensor(x, indices)

            group.add(f"index_{values.dtype}_{name}", take, values, *given)
    last = torch.channels_last
    group.add("channels_last", lambda x, i: x.to(memory_format=last)[:, i], x, i)
    for start, end, step in ((0, 7, 1), (5, -5, -3), (-3, 4, 2), (2, 2, 1)):
        for dtype in (torch.int64, torch.int32, torch.float32):
            group.add(
                f"arange_{dtype}_{start}_{end}_{step}",
                lambda x, t=(start, end, step), d=dtype: (torch.arange(*t, dtype=d), x)[0],
                x,
            )
    group.add("arange_real", lambda x: torch.arange(0.5, 2.0, 0.3) + x[0, 0, 0, 0], x)
    return group


def kept_padding() -> Group:
    group = Group(keep=("reflection_pad1d",))
    for shape, pads in (((1, 576), (0, 64)), ((2, 3, 7), (6, 2)), ((4, 5), (0, 0))):
        x = _randn(*shape)
        group.add(f"reflect_{shape}", lambda x, p=pads: F.pad(x, p, mode="reflect"), x)
    return group


def plain_copies() -> Group:
    group = Group(dim_order=False)
    x = _randn(2, 3, 4)
    group.add("clone", lambda x: x.permute(2, 0, 1).clone(), x)
    group.add("to_copy", lambda x: x.to(torch.int64), 9 * x)
    return group


def quantization() -> Group:
    group = Group()
    ops = torch.ops.quantized_decomposed
    settings = [
        (torch.int8, 0.05, 3, -128, 127),
        (torch.int8, 0.013, -20, -127, 127),
        (torch.uint8, 0.1, 128, 0, 255),
        (torch.uint8, 0.021, 0, 3, 250),
    ]
    for dtype, scale, zero, low, high in settings:
        x = 3 * _randn(2, 5, 7)
        x.view(-1)[:4] = torch.tensor([1e9, -1e9, scale * 0.5, scale * 1.5])
        tail = (scale, zero, low, high, dtype)
        group.add(f"quantize{tail}", lambda x, t=tail: ops.quantize_per_tensor(x, *t), x)
        group.add(
            f"quantize_and_back{tail}",
            lambda x, t=tail: ops.dequantize_per_tensor(ops.quantize_per_tensor(x, *t), *t),
            x,
        )
        levels = torch.randint(low, high + 1, (3, 4)).to(dtype)
        group.add(f"dequantize{tail}", lambda q, t=tail: ops.dequantize_per_tensor(q, *t), levels)
    bias = torch.randint(-(2**20), 2**20, (5,), dtype=torch.int32)
    tail = (2.0**-12, 0, -(2**31), 2**31 - 1, torch.int32)
    group.add("dequantize_bias", lambda q, t=tail: ops.dequantize_per_tensor(q, *t), bias)
    for name, dtype, axis, zeros in (
        ("weights", torch.int8, 0, torch.int64),
        ("last_axis", torch.uint8, 3, torch.int64),
        ("narrow_zero_points", torch.int8, 1, torch.int32),
        ("biases", torch.int32, 0, torch.int64),
    ):
        shape = (5,) if dtype == torch.int32 else (3, 2, 4, 5)
        low, high = (-100, 100) if dtype == torch.int32 else (_least(dtype), _least(dtype) + 255)
        channels = shape[axis]
        scales = torch.rand(channels) + 0.01
        offsets = torch.arange(channels).to(zeros) * 3 - 2
        group.add(
            f"dequantize_channels_{name}",
            lambda q, s, z, t=(axis, low, high, dtype): ops.dequantize_per_channel(q, s, z, *t),
            torch.randint(low, high + 1, shape).to(dtype),
            scales,
            offsets,
        )
    return group


def _least(dtype: torch.dtype) -> int:
    return torch.iinfo(dtype).min


GROUPS: dict[str, Callable[[], Group]] = {
    "elementwise": elementwise,
    "binary": binary,
    "integers": integers,
    "matmul": matmul,
    "kept_linear": kept_linear,
    "convolution": convolution,
    "channels_last": channels_last,
    "beyond_executorch": beyond_executorch,
    "pooling": pooling,
    "normalization": normalization,
    "reduction": reduction,
    "copying": copying,
    "indexing": indexing,
    "kept_padding": kept_padding,
    "plain_copies": plain_copies,
    "quantization": quantization,
}
