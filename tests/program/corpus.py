# SPDX-License-Identifier: BSD-3-Clause
"""More than 600 small programs: operators x dtypes x shapes x control flow x delegates x methods.

    python tests/program/corpus.py export DIR [--part I/N]
    python tests/program/corpus.py check DIR

``export`` writes one ``.pte`` per case (by ExecuTorch, untouched) and the inputs of the methods;
``check`` holds this package's serializer against ExecuTorch's on all of them. Nothing of it is
committed: the tests export a few cases anew (see ``SMOKE``).
"""

from __future__ import annotations

import argparse
import itertools
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

F32, F64, F16, BF16 = torch.float32, torch.float64, torch.float16, torch.bfloat16
I8, U8, I16, I32, I64, BOOL = (
    torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64, torch.bool,
)  # fmt: skip


class Call(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any) -> Any:
        return self.function(*args)


@dataclass
class Method:
    module: nn.Module
    inputs: tuple[Any, ...]
    dynamic: Any = None


@dataclass
class Case:
    """``delegate``: lower to XNNPACK. ``config``: arguments of ExecutorchBackendConfig."""

    name: str
    methods: Callable[[], dict[str, Method]]
    delegate: bool = False
    config: dict[str, Any] = field(default_factory=dict)


def words(text: str) -> list[str]:
    return text.split()


def tensor(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    if dtype.is_floating_point:
        return (torch.rand(shape) + 0.25).to(dtype)
    if dtype is BOOL:
        return torch.rand(shape) > 0.5
    return torch.randint(1, 5, shape).to(dtype)


def one(
    function: Callable[..., Any], *inputs: Callable[[], Any], dynamic: Any = None
) -> Callable[[], dict[str, Method]]:
    def make() -> dict[str, Method]:
        module = function if isinstance(function, nn.Module) else Call(function)
        return {"forward": Method(module.eval(), tuple(make() for make in inputs), dynamic)}

    return make


def of(dtype: torch.dtype, *shape: int) -> Callable[[], torch.Tensor]:
    return lambda: tensor(dtype, *shape)


UNARY: dict[str, Callable[[torch.Tensor], Any]] = {
    name: getattr(torch, name)
    for name in words(
        "abs acos asin atan ceil cos cosh erf exp expm1 floor isinf isnan log log10 log1p log2 "
        "neg reciprocal relu round rsqrt sigmoid sign sin sinh sqrt tan tanh trunc clone"
    )
} | {
    "gelu": functional.gelu,
    "silu": functional.silu,
    "softmax": lambda x: torch.softmax(x, -1),
    "log_softmax": lambda x: torch.log_softmax(x, 0),
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.1),
    "elu": functional.elu,
    "hardtanh": lambda x: functional.hardtanh(x, -0.5, 0.5),
    "clamp": lambda x: torch.clamp(x, 0.3, 0.8),
    "pow": lambda x: x**2.5,
    "double": lambda x: x + x,
    "plus_scalar": lambda x: x + 1.5,
    "to_int": lambda x: x.to(I32),
    "fill": lambda x: torch.full_like(x, -0.0) + x,
    "infinity": lambda x: torch.clamp(x, float("-inf"), float("inf")),
}
BINARY: dict[str, Callable[[torch.Tensor, torch.Tensor], Any]] = {
    name: getattr(torch, name)
    for name in [
        "add",
        "sub",
        "mul",
        "div",
        "maximum",
        "minimum",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "fmod",
        "remainder",
        "atan2",
        "pow",
    ]
} | {
    "where": lambda a, b: torch.where(a > b, a, b),
    "addcmul": lambda a, b: torch.addcmul(a, a, b, value=2),
    "floor_divide": lambda a, b: torch.div(a, b, rounding_mode="floor"),
    "alpha": lambda a, b: torch.add(a, b, alpha=2),
}
INTEGER = {
    "bitwise_and": torch.bitwise_and,
    "bitwise_or": torch.bitwise_or,
    "bitwise_xor": torch.bitwise_xor,
    "mul": torch.mul,
    "sub": torch.sub,
    "eq": torch.eq,
}
REDUCE: dict[str, Callable[[torch.Tensor, int, bool], Any]] = {
    "sum": lambda x, d, k: torch.sum(x, d, keepdim=k),
    "mean": lambda x, d, k: torch.mean(x, d, keepdim=k),
    "amax": lambda x, d, k: torch.amax(x, d, keepdim=k),
    "amin": lambda x, d, k: torch.amin(x, d, keepdim=k),
    "argmax": lambda x, d, k: torch.argmax(x, d, keepdim=k),
    "var": lambda x, d, k: torch.var(x, d, keepdim=k),
    "max": lambda x, d, k: tuple(torch.max(x, d, keepdim=k)),
    "any": lambda x, d, k: torch.any(x, d, keepdim=k),
    "prod": lambda x, d, k: torch.prod(x, d, keepdim=k),
    "cumsum": lambda x, d, k: torch.cumsum(x, d),
}
SHAPE: dict[str, Callable[[torch.Tensor], Any]] = {
    "view": lambda x: x.view(-1),
    "reshape": lambda x: x.reshape(2, -1) * 2,
    "permute": lambda x: x.permute(2, 0, 1),
    "transpose": lambda x: x.transpose(0, 1),
    "cat": lambda x: torch.cat([x, x + 1, x], 1),
    "stack": lambda x: torch.stack([x, x * 2]),
    "split": lambda x: torch.split(x, 2, 1),
    "chunk": lambda x: torch.chunk(x, 2, -1)[1],
    "unbind": lambda x: torch.unbind(x, 0)[0],
    "slice": lambda x: x[:, 1:3, ::2],
    "select": lambda x: x[0],
    "expand": lambda x: x[:1].expand(3, -1, -1),
    "repeat": lambda x: x.repeat(1, 2, 1),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "squeeze": lambda x: x[:1].squeeze(0),
    "flip": lambda x: x.flip(0, 2),
    "roll": lambda x: x.roll(1, 1),
    "tril": lambda x: x.tril(),
    "pad": lambda x: functional.pad(x, (1, 2)),
    "index": lambda x: x[torch.tensor([1, 0])],
    "index_select": lambda x: torch.index_select(x, 1, torch.tensor([0, 2])),
    "gather": lambda x: torch.gather(x, 1, torch.zeros(2, 1, 4, dtype=I64)),
    "scatter": lambda x: torch.scatter(x, 1, torch.zeros(2, 1, 4, dtype=I64), 9),
    "masked_fill": lambda x: x.masked_fill(x > 1, 0),
    "topk": lambda x: tuple(torch.topk(x, 2)),
    "sort": lambda x: torch.sort(x, -1)[0],
    "zeros": lambda x: x + torch.zeros(4, dtype=x.dtype),
    "arange": lambda x: x + torch.arange(4),
    "meshgrid": lambda x: torch.meshgrid(x[0, 0], x[0, 1], indexing="ij"),
    "bmm": lambda x: torch.bmm(x, x.transpose(1, 2)),
}


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class Sines(nn.Module):
    """Two linear layers with an operator between them that no backend takes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.sin(self.first(x)))


class Counter(nn.Module):
    def __init__(self, dtype: torch.dtype, size: int) -> None:
        super().__init__()
        self.register_buffer("count", tensor(dtype, size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count.add_(x)
        return self.count * 2


class Cache(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("cache", torch.zeros(8, 4))

    def forward(self, x: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        self.cache.index_put_((at,), x)
        return self.cache.sum(0)


def layers() -> dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]]:
    image, sequence, row = (1, 3, 8, 8), (2, 5, 8), (2, 8)
    result: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
        "linear": (lambda: nn.Linear(8, 4), row),
        "linear_no_bias": (lambda: nn.Linear(8, 4, bias=False), row),
        "bilinear_mlp": (lambda: nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2)), row),
        "conv1d": (lambda: nn.Conv1d(5, 4, 3), sequence),
        "conv2d": (lambda: nn.Conv2d(3, 4, 3), image),
        "conv2d_stride": (lambda: nn.Conv2d(3, 6, 3, 2, 1), image),
        "conv2d_dilated": (lambda: nn.Conv2d(3, 3, 3, dilation=2), image),
        "conv2d_depthwise": (lambda: nn.Conv2d(3, 6, 3, groups=3), image),
        "conv_transpose": (lambda: nn.ConvTranspose2d(3, 2, 3), image),
        "batch_norm": (lambda: nn.BatchNorm2d(3), image),
        "layer_norm": (lambda: nn.LayerNorm(8), sequence),
        "group_norm": (lambda: nn.GroupNorm(3, 3), image),
        "rms_norm": (lambda: nn.RMSNorm(8), sequence),
        "max_pool": (lambda: nn.MaxPool2d(2), image),
        "avg_pool": (lambda: nn.AvgPool2d(3, 1, 1), image),
        "adaptive_pool": (lambda: nn.AdaptiveAvgPool2d(1), image),
        "upsample": (lambda: nn.Upsample(scale_factor=2), image),
        "bilinear": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), image),
        "pixel_shuffle": (lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.PixelShuffle(2)), image),
        "flatten": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), image),
        "dropout": (lambda: nn.Sequential(nn.Dropout(), nn.Linear(8, 3)), row),
        "attention": (Attention, sequence),
        "encoder": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), sequence),
        "residual": (Residual, image),
        "deep": (lambda: nn.Sequential(*(nn.Linear(8, 8) for _ in range(20))), row),
        "reflection_pad": (lambda: nn.ReflectionPad2d(1), image),
    }  # fmt: skip
    for name in words("ReLU6 Hardswish Hardsigmoid Softplus Mish GELU SiLU PReLU LogSigmoid ELU"):
        result[name.lower()] = (getattr(nn, name), row)
    return result


def cond(x: torch.Tensor) -> torch.Tensor:
    return torch.cond(x.sum() > 2, lambda t: t + 1, lambda t: t.sin(), (x,))


def nested(x: torch.Tensor) -> torch.Tensor:
    def inner(t: torch.Tensor) -> torch.Tensor:
        return torch.cond(t.max() > 1, lambda u: u * 2, lambda u: u / 2, (t,))

    return torch.cond(x.sum() > 2, inner, lambda t: t.neg(), (x,))


def mapped(x: torch.Tensor) -> torch.Tensor:
    from functorch.experimental.control_flow import map as control_map

    return control_map(lambda row, y: row * y + 1, x, x[0] * 1)


def two_conds(x: torch.Tensor) -> torch.Tensor:
    return cond(cond(x) * 2)


SCALARS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "int": (lambda x, n: x * n, (3,)),
    "float": (lambda x, s: x * s, (2.5,)),
    "bool": (lambda x, b: x + 1 if b else x, (True,)),
    "none": (lambda x, n: x if n is None else x + n, (None,)),
    "two": (lambda x, a, b: x * a + b, (2, 0.5)),
    "text": (lambda x, s: x.sin() if s == "sin" else x, ("sin",)),
    "out_int": (lambda x: (x, 7), ()),
    "out_float": (lambda x: (x * 2, 1.5, -1.0), ()),
    "out_none": (lambda x: (x, None, True), ()),
    "out_dict": (lambda x: {"a": x + 1, "b": [x, x * 2]}, ()),
    "out_input": (lambda x: x, ()),
    "out_constant": (lambda x: (x, torch.tensor([1.0, 2.0])), ()),
}
CONFIGS: dict[str, dict[str, Any]] = {
    "stacktrace": {"emit_stacktrace": True},
    "inline_delegates": {"extract_delegate_segments": False},
    "page": {"segment_alignment": 4096},
    "constants_64": {"constant_tensor_alignment": 64},
    "constants_1024": {"constant_tensor_alignment": 1024},
    "delegates_256": {"delegate_alignment": 256, "extract_delegate_segments": False},
    "no_planning_of_inputs": {"planning": (False, True)},
    "no_planning": {"planning": (False, False)},
    "external": {"external_constants": True},
}
DYNAMIC: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "add": (lambda: Call(lambda x: x + 1), (3, 4)),
    "linear": (lambda: nn.Linear(4, 2), (3, 4)),
    "softmax": (lambda: nn.Softmax(-1), (3, 4)),
    "cat": (lambda: Call(lambda x: torch.cat([x, x])), (3, 4)),
    "sum": (lambda: Call(lambda x: x.sum(0)), (3, 4)),
    "view": (lambda: Call(lambda x: x.view(x.shape[0] * 4)), (3, 4)),
    "norm": (lambda: nn.LayerNorm(4), (3, 4)),
    "conv": (lambda: nn.Conv2d(3, 2, 3), (3, 3, 6, 6)),
    "cond": (lambda: Call(cond), (3, 4)),
    "attention": (Attention, (3, 5, 8)),
    "size": (lambda: Call(lambda x: (x, x.shape[0] + 1)), (3, 4)),
    "expand": (lambda: Call(lambda x: x + torch.ones(x.shape[0], 1)), (3, 4)),
}


def cases() -> Iterator[Case]:
    """All cases, in an order that mixes nothing: a slice of it is a slice of the kinds."""
    dynamic_shapes = list(itertools.product((F32, F16, F64), ((4,), (2, 3), (1, 2, 3, 2))))
    for (name, function), (i, (dtype, shape)) in itertools.product(
        UNARY.items(), enumerate(dynamic_shapes)
    ):
        if (i + sum(map(ord, name))) % 9 < 5:
            label = f"unary_{name}_{str(dtype)[6:]}_{len(shape)}d"
            yield Case(label, one(function, of(dtype, *shape)))
    broadcasts = [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1, 3), (4, 1)), ((), (2, 2))]
    for name, binary in BINARY.items():
        for i, (left, right) in enumerate(broadcasts):
            dtype = (F32, F64, I32, F32)[i]
            yield Case(f"binary_{name}_{i}", one(binary, of(dtype, *left), of(dtype, *right)))
    for name, dtype in itertools.product(INTEGER, (I8, U8, I16, I32, I64, BOOL)):
        if dtype is BOOL and name == "sub":
            continue
        yield Case(
            f"integer_{name}_{str(dtype)[6:]}",
            one(INTEGER[name], of(dtype, 3, 3), of(dtype, 3, 3)),
        )
    for (name, reduce), (dim, keep) in itertools.product(
        REDUCE.items(), ((0, False), (-1, True), (1, False), (2, True))
    ):
        yield Case(
            f"reduce_{name}_{dim}_{keep}",
            one(lambda x, f=reduce, d=dim, k=keep: f(x, d, k), of(F32, 2, 3, 4)),
        )
    for (name, function), dtype in itertools.product(SHAPE.items(), (F32, F16, I64)):
        yield Case(f"shape_{name}_{str(dtype)[6:]}", one(function, of(dtype, 2, 3, 4)))
    for name, (module, shape) in layers().items():
        for delegate in (False, True):
            yield Case(
                f"layer_{name}{'_xnnpack' if delegate else ''}",
                lambda m=module, s=shape: one(m(), of(F32, *s))(),
                delegate,
            )
    for name, control in (
        ("cond", cond),
        ("nested", nested),
        ("map", mapped),
        ("two", two_conds),
    ):
        for shape in ((4,), (2, 3), (3, 2, 2)):
            yield Case(f"control_{name}_{len(shape)}d", one(control, of(F32, *shape)))
    for name, (function, extra) in SCALARS.items():
        for dtype in (F32, F64):
            yield Case(
                f"scalar_{name}_{str(dtype)[6:]}",
                one(function, of(dtype, 2, 2), *(lambda v=value: v for value in extra)),
            )
    for name, (module, shape) in DYNAMIC.items():
        for low, high in ((1, 9), (2, 33)):
            yield Case(f"dynamic_{name}_{high}", _dynamic(module, shape, low, high))
        yield Case(f"dynamic_{name}_xnnpack", _dynamic(module, shape, 1, 17), True)
    for name, config in CONFIGS.items():
        for kind in ("sines", "residual"):
            for delegate in (False, True):
                module, shape = (Sines, (2, 4)) if kind == "sines" else (Residual, (1, 3, 6, 6))
                yield Case(
                    f"config_{name}_{kind}{'_xnnpack' if delegate else ''}",
                    lambda m=module, s=shape: one(m(), of(F32, *s))(),
                    delegate,
                    config,
                )
    for dtype, size in itertools.product((F32, F64, I32, I64), (1, 7)):
        yield Case(
            f"mutable_{str(dtype)[6:]}_{size}",
            lambda d=dtype, s=size: one(Counter(d, s), of(d, s))(),
        )
    yield Case(
        "mutable_cache",
        lambda: one(Cache(), of(F32, 2, 4), lambda: torch.tensor([1, 5]))(),
    )
    yield Case(
        "mutable_initialized",
        lambda: one(Counter(F32, 3), of(F32, 3))(),
        config={"passes": "initialized"},
    )
    for i, (left, right) in enumerate(
        itertools.combinations(
            ("linear", "conv2d", "attention", "layer_norm", "gelu", "max_pool"), 2
        )
    ):
        yield Case(f"methods_{left}_{right}", _methods(left, right), i % 2 == 1)
    for name in ("linear", "conv2d", "conv2d_depthwise", "batch_norm", "residual", "avg_pool"):
        module, shape = layers()[name]
        if len(shape) == 4:
            yield Case(
                f"channels_last_{name}",
                lambda m=module, s=shape: one(
                    m().to(memory_format=torch.channels_last),
                    lambda: tensor(F32, *s).to(memory_format=torch.channels_last),
                )(),
            )
    for name in ("linear", "bilinear_mlp", "deep", "layer_norm", "gelu"):
        module, shape = layers()[name]
        for dtype in (F16, BF16, F64):
            yield Case(
                f"cast_{name}_{str(dtype)[6:]}",
                lambda m=module, s=shape, d=dtype: one(m().to(d), of(d, *s))(),
            )
    for depth in (1, 5, 25, 60, 120):
        yield Case(
            f"chain_{depth}",
            one(
                lambda x, n=depth: [x := torch.sin(x) + i for i in range(n)][-1],
                of(F32, 2, 2),
            ),
        )
    for count in (1, 3, 9, 30):
        yield Case(
            f"wide_{count}",
            one(lambda *xs: [x + i for i, x in enumerate(xs)], *[of(F32, 2)] * count),
        )


def _dynamic(
    module: Callable[[], nn.Module], shape: tuple[int, ...], low: int, high: int
) -> Callable[[], dict[str, Method]]:
    def make() -> dict[str, Method]:
        from torch.export import Dim

        made = module().eval()
        size = Dim("size", min=low, max=high)
        shapes: Any = ({0: size},)
        if isinstance(made, Call):
            shapes = (shapes,)
        return {"forward": Method(made, (tensor(F32, *shape),), shapes)}

    return make


def _methods(*names: str) -> Callable[[], dict[str, Method]]:
    def make() -> dict[str, Method]:
        result = {}
        for name in names:
            module, shape = layers()[name]
            result[name] = Method(module().eval(), (tensor(F32, *shape),))
        return result

    return make


def export(case: Case) -> tuple[bytes, dict[str, tuple[Any, ...]]]:
    """The ``.pte`` of a case as ExecuTorch makes it, and the inputs of its methods."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import (
        EdgeCompileConfig,
        ExecutorchBackendConfig,
        to_edge,
        to_edge_transform_and_lower,
    )
    from executorch.exir.passes import MemoryPlanningPass
    from executorch.exir.passes.init_mutable_pass import InitializedMutableBufferPass

    torch.manual_seed(sum(map(ord, case.name)))
    methods = case.methods()
    exported = {
        name: torch.export.export(
            method.module, method.inputs, dynamic_shapes=method.dynamic, strict=False
        )
        for name, method in methods.items()
    }
    check = EdgeCompileConfig(_check_ir_validity=False)
    if case.delegate:
        lowered = to_edge_transform_and_lower(
            exported, partitioner=[XnnpackPartitioner()], compile_config=check
        )
    else:
        lowered = to_edge(exported, compile_config=check)
    config = dict(case.config)
    if "planning" in config:
        inputs, outputs = config.pop("planning")
        config["memory_planning_pass"] = MemoryPlanningPass(
            alloc_graph_input=inputs, alloc_graph_output=outputs
        )
    if config.pop("passes", ""):
        config["passes"] = [InitializedMutableBufferPass(["count"])]
    made = lowered.to_executorch(ExecutorchBackendConfig(**config))
    return made.buffer, {name: method.inputs for name, method in methods.items()}


# A few of each kind, for the tests; by position among the cases.
SMOKE = (
    "unary_infinity_float64_4d", "unary_fill_float32_1d", "binary_alpha_2", "reduce_max_0_False",
    "shape_split_float32", "layer_residual_xnnpack", "control_nested_2d", "scalar_none_float32",
    "scalar_out_dict_float64", "dynamic_size_33", "config_stacktrace_sines",
    "config_delegates_256_sines_xnnpack", "config_constants_1024_residual",
    "config_external_sines", "mutable_float32_7", "mutable_initialized",
    "methods_linear_conv2d", "channels_last_conv2d", "cast_linear_bfloat16", "wide_9",
)  # fmt: skip


def _export_all(folder: Path, part: int, parts: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    failed = []
    for i, case in enumerate(cases()):
        if i % parts != part or (folder / f"{case.name}.pte").exists():
            continue
        try:
            data, inputs = export(case)
        except Exception as error:
            failed.append(case.name)
            print(f"{case.name}: {type(error).__name__}: {str(error)[:200]}", flush=True)
            continue
        torch.save(inputs, folder / f"{case.name}.inputs")
        (folder / f"{case.name}.pte").write_bytes(data)
    print(f"{len(failed)} cases could not be exported: {failed}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("export")
    command.add_argument("folder", type=Path)
    command.add_argument("--part", default="0/1", help="of the cases, as I/N")
    command = commands.add_parser("check")
    command.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.command == "export":
        part, parts = map(int, arguments.part.split("/"))
        _export_all(arguments.folder, part, parts)
        return 0
    from corpus_check import check_folder

    return check_folder(arguments.folder)


if __name__ == "__main__":
    sys.exit(main())
