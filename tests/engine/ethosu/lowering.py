# SPDX-License-Identifier: BSD-3-Clause
"""Lowers networks of torch for Ethos-U by ExecuTorch's own quantizer, partitioner and backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from executorch.backends.arm.ethosu import EthosUCompileSpec, EthosUPartitioner
from executorch.backends.arm.ethosu.backend import EthosUBackend
from executorch.backends.arm.quantizer import (
    EthosUQuantizer,
    get_symmetric_a16w8_quantization_config,
    get_symmetric_quantization_config,
)
from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
from torch import nn
from torch.export import export
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from vela import SYSTEMS, quiet

CALIBRATIONS = 4


@dataclass(frozen=True)
class Scale:
    """value = (number - zero_point) * scale, with numbers from `low` to `high`."""

    scale: float
    zero_point: int
    low: int
    high: int


@dataclass(frozen=True)
class Lowered:
    """`quantised` computes in torch what the delegates compute. Of each delegate: its TOSA graph,
    and the container that ExecuTorch has Vela make of it. `program` has them all."""

    quantised: nn.Module
    delegates: list[tuple[bytes, bytes]]
    program: bytes


def lower(
    model: nn.Module,
    shapes: Sequence[Sequence[int]],
    target: str,
    memory_mode: str | None = None,
    bits: int = 8,
    artifacts: Path | None = None,
) -> Lowered:
    """Calibrates by random inputs. The same torch seed before gives the same bytes. `artifacts`: a
    folder for what ExecuTorch and Vela can tell of the delegate that comes last."""
    inputs = tuple(torch.randn(*shape) for shape in shapes)
    system = SYSTEMS[target.split("-")[1]]
    flags = [] if artifacts is None else ["--enable-debug-db"]
    spec = EthosUCompileSpec(
        target=target, system_config=system, memory_mode=memory_mode, extra_flags=flags
    )
    if artifacts is not None:
        spec.dump_intermediate_artifacts_to(str(artifacts))
    quantizer = EthosUQuantizer(spec)
    if bits == 16:
        quantizer.set_global(get_symmetric_a16w8_quantization_config())
    else:
        quantizer.set_global(get_symmetric_quantization_config())
    prepared = prepare_pt2e(export(model.eval(), inputs).module(check_guards=False), quantizer)
    for _ in range(CALIBRATIONS):
        prepared(*(torch.randn(*shape) for shape in shapes))
    converted = convert_pt2e(prepared)

    seen: list[tuple[bytes, bytes]] = []
    compile_flatbuffer = EthosUBackend._compile_tosa_flatbuffer

    def watch(flatbuffer: bytes, spec: Any) -> Any:
        result = compile_flatbuffer(flatbuffer, spec)
        seen.append((flatbuffer, result.processed_bytes))
        return result

    EthosUBackend._compile_tosa_flatbuffer = staticmethod(watch)
    try:
        with quiet():
            program = to_edge_transform_and_lower(
                export(converted, inputs),
                partitioner=[EthosUPartitioner(spec)],
                compile_config=EdgeCompileConfig(_check_ir_validity=False),
            ).to_executorch()
    finally:
        EthosUBackend._compile_tosa_flatbuffer = staticmethod(compile_flatbuffer)
    return Lowered(converted, seen, program.buffer)


def input_scales(quantised: nn.Module) -> list[Scale]:
    """How each input is quantised, in their order."""
    scales = []
    for node in quantised.graph.nodes:
        if node.op == "placeholder":
            (user,) = {u for u in node.users if "quantize_per_tensor" in str(u.target)}
            scales.append(_scale_of(user))
    return scales


def output_scale(quantised: nn.Module) -> Scale:
    """How the only output is dequantised."""
    (result,) = (node for node in quantised.graph.nodes if node.op == "output")
    node = result.args[0]
    return _scale_of(node if isinstance(node, torch.fx.Node) else node[0])


def _scale_of(node: torch.fx.Node) -> Scale:
    _, scale, zero_point, low, high, *_ = node.args
    return Scale(float(scale), int(zero_point), int(low), int(high))
