# SPDX-License-Identifier: BSD-3-Clause
"""Exports real models with torch and bundles them with the results of eager PyTorch.

    python examples/export_models.py OUTPUT_FOLDER [--only mlp,cnn_channels_last]

For each model: NAME.pte and NAME.bpte. Needs torch and executorch (``pip install 'bpte[torch]'``).
Deterministic: the same versions give the same bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from executorch.exir import (
    EdgeCompileConfig,
    ExecutorchProgramManager,
    to_edge,
    to_edge_transform_and_lower,
)
from torch import nn
from torch.export import Dim, export

import bpte

Inputs = tuple[Any, ...]


@dataclass
class Example:
    """A lowered program; for each of its methods the eager function, and inputs to try it with."""

    program: ExecutorchProgramManager
    eager: dict[str, Callable[..., Any]]
    inputs: dict[str, Sequence[Inputs]]
    tolerances: Sequence[bpte.Tolerance] = ()
    case_names: dict[str, Sequence[str]] = field(default_factory=dict)


def portable(module: nn.Module, inputs: Inputs, **export_options: Any) -> ExecutorchProgramManager:
    """Lowers a module to portable operators only."""
    return to_edge(export(module, inputs, **export_options)).to_executorch()


class MLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.layers(x), dim=-1)


def mlp() -> Example:
    module = MLP().eval()
    cases = [(torch.randn(2, 16),) for _ in range(3)]
    return Example(
        portable(module, cases[0]),
        {"forward": module},
        {"forward": cases},
        case_names={"forward": ["first", "second", "third"]},
    )


class ConvNet(nn.Module):
    """Two convolutions, a pool and a classifier, on a channels-last image."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.ReLU()
        )
        self.classifier = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).mean(dim=(2, 3)))


def image(height: int, width: int) -> torch.Tensor:
    return torch.randn(1, 3, height, width).to(memory_format=torch.channels_last)


def cnn_channels_last() -> Example:
    module = ConvNet().eval().to(memory_format=torch.channels_last)
    cases = [(image(12, 10),) for _ in range(2)]
    return Example(
        portable(module, cases[0]),
        {"forward": module},
        {"forward": cases},
        # Sums of 27 and 72 products, in another order than eager's.
        [bpte.Tolerance(rtol=1e-4, atol=1e-5)],
    )


class TwoMethods(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(8, 3)
        self.decoder = nn.Linear(3, 8)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.encoder(x))

    def decode(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = self.decoder(z)
        return y, y.abs().sum(dim=-1)


class Method(nn.Module):
    """Gives one method of a module the name `forward`, which is what torch.export takes."""

    def __init__(self, module: nn.Module, name: str) -> None:
        super().__init__()
        self.module = module
        self.name = name

    def forward(self, *args: Any) -> Any:
        return getattr(self.module, self.name)(*args)


def two_methods() -> Example:
    module = TwoMethods().eval()
    inputs = {
        "encode": [(torch.randn(4, 8),) for _ in range(2)],
        "decode": [(torch.randn(4, 3),) for _ in range(3)],
    }
    programs = {name: export(Method(module, name), cases[0]) for name, cases in inputs.items()}
    return Example(
        to_edge(programs).to_executorch(), {name: getattr(module, name) for name in inputs}, inputs
    )


class ScalarInput(nn.Module):
    """A tensor, a float and an int in; a tensor and an int out.

    torch.export takes the scalars' values into the program; ExecuTorch refuses a run with others.
    """

    def forward(self, x: torch.Tensor, scale: float, shift: int) -> tuple[torch.Tensor, int]:
        return x * scale + shift, x.shape[0]


def scalar_input() -> Example:
    module = ScalarInput()
    cases = [(torch.randn(rows, 5), 2.5, 7) for rows in (3, 2)]
    program = portable(
        module, cases[0], dynamic_shapes=({0: Dim("rows", min=1, max=4)}, None, None)
    )
    return Example(program, {"forward": module}, {"forward": cases})


def dynamic_batch() -> Example:
    module = MLP().eval()
    cases = [(torch.randn(batch, 16),) for batch in (2, 1, 5, 8)]
    program = portable(module, cases[0], dynamic_shapes=({0: Dim("batch", min=1, max=8)},))
    return Example(
        program,
        {"forward": module},
        {"forward": cases},
        case_names={"forward": [f"batch of {case[0].shape[0]}" for case in cases]},
    )


def xnnpack() -> Example:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

    module = ConvNet().eval()
    cases = [(torch.randn(1, 3, 12, 10),) for _ in range(2)]
    edge = to_edge_transform_and_lower(export(module, cases[0]), partitioner=[XnnpackPartitioner()])
    return Example(
        edge.to_executorch(),
        {"forward": module},
        {"forward": cases},
        [bpte.Tolerance(rtol=1e-4, atol=1e-5)],
    )


def int8_quantized() -> Example:
    """Quantised after training, per tensor and per channel, and run by XNNPACK's int8 kernels."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    module = ConvNet().eval()
    cases = [(torch.randn(1, 3, 12, 10),) for _ in range(3)]
    quantizer = XNNPACKQuantizer().set_global(
        get_symmetric_quantization_config(is_per_channel=True)
    )
    prepared = prepare_pt2e(export(module, cases[0]).module(), quantizer)
    for case in cases:
        prepared(*case)
    quantized = convert_pt2e(prepared)
    edge = to_edge_transform_and_lower(
        export(quantized, cases[0]), partitioner=[XnnpackPartitioner()]
    )
    return Example(
        edge.to_executorch(),
        {"forward": quantized},
        {"forward": cases},
        # One step of the output's quantisation, about 0.01 for this model, and a floor that catches
        # a wrong scale.
        [bpte.Tolerance(rtol=0, atol=0.02, min_sqnr_db=25)],
    )


class Int8Tensors(nn.Module):
    """Quantised tensors cross the border: int8 in and int8 out, judged in LSBs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        qdq = torch.ops.quantized_decomposed
        real = qdq.dequantize_per_tensor.default(x, 0.05, 3, -128, 127, torch.int8)
        return qdq.quantize_per_tensor.default(torch.tanh(real), 1 / 128, 0, -128, 127, torch.int8)


def int8_tensors() -> Example:
    import executorch.kernels.quantized  # noqa: F401  (registers the out variants)

    module = Int8Tensors()
    cases = [(torch.randint(-128, 128, (4, 16), dtype=torch.int8),) for _ in range(2)]
    edge = to_edge(
        export(module, cases[0]), compile_config=EdgeCompileConfig(_check_ir_validity=False)
    )
    return Example(
        edge.to_executorch(),
        {"forward": module},
        {"forward": cases},
        [bpte.Tolerance(rtol=0, atol=1)],  # one LSB
    )


EXAMPLES: dict[str, Callable[[], Example]] = {
    f.__name__: f
    for f in (
        mlp,
        cnn_channels_last,
        two_methods,
        scalar_input,
        dynamic_batch,
        xnnpack,
        int8_quantized,
        int8_tensors,
    )
}


def outputs_of(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple | list) else [result]


def bundle(example: Example, name: str) -> bpte.BundledProgram:
    """The program with a suite for each method; expected outputs come from eager PyTorch."""
    suites = []
    for method, cases in example.inputs.items():
        names = example.case_names.get(method, [""] * len(cases))
        suites.append(
            bpte.MethodTestSuite(
                method_name=method,
                test_cases=[
                    bpte.MethodTestCase(
                        inputs=list(inputs),
                        expected_outputs=outputs_of(example.eager[method](*inputs)),
                        name=case_name,
                    )
                    for inputs, case_name in zip(cases, names, strict=True)
                ],
                tolerances=list(example.tolerances),
            )
        )
    return bpte.BundledProgram(example.program, suites, metadata={"model": name})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="folder to write to")
    parser.add_argument("--only", help="comma-separated names", default=",".join(EXAMPLES))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for name in options.only.split(","):
        torch.manual_seed(0)
        with torch.no_grad():
            example = EXAMPLES[name]()
            example.program.save(str(options.output / f"{name}.pte"))
            bundle(example, name).save(options.output / f"{name}.bpte")
        print(options.output / f"{name}.bpte")


if __name__ == "__main__":
    main()
