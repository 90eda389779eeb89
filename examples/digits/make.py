# SPDX-License-Identifier: BSD-3-Clause
"""Trains a small network on scikit-learn's handwritten digits, and exports it three times.

    pip install -e '.[dev]'; python examples/digits/make.py [FOLDER]

digits.pte            float32, ExecuTorch's portable operators
digits_int8.pte       quantised after training (PT2E), the same operators and the quantised ones
digits_ethos_u55.pte  the same quantised network, compiled for an Ethos-U55-128 by Vela
digits_ethos_u55.tosa the TOSA graph that Vela compiled: says what an NPU must give
samples.npz           the test split: `images` and `labels`, and what PyTorch computes of them:
                      `float32`, and `int8` with the network quantised

The images come with scikit-learn's package: 1,797 digits of 8x8 pixels, written by 43 people. Every
fifth is kept for the test. The same versions of all packages on the same kind of processor write
the same bytes.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.export import export
from torch.nn import functional as F

EPOCHS = 40
BATCH = 64
ETHOS_U = "ethos-u55-128"


class DigitNet(nn.Module):
    """Two convolutions with pooling, and a linear layer: [1, 1, 8, 8] to one score for a digit."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, padding=1)
        self.conv2 = nn.Conv2d(12, 24, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.scores = nn.Linear(24 * 2 * 2, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.conv1(image)))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.scores(torch.flatten(x, 1))


class Split(NamedTuple):
    """Images of shape [count, 1, 1, 8, 8], float32 from 0 to 1, and their digits, int64."""

    images: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]


def load() -> tuple[Split, Split]:
    """What is trained with, and what is tested with."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images / 16).astype(np.float32).reshape(-1, 1, 1, 8, 8)
    labels = digits.target.astype(np.int64)
    test = np.arange(len(labels)) % 5 == 0
    return Split(images[~test], labels[~test]), Split(images[test], labels[test])


def train(split: Split) -> DigitNet:
    model = DigitNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    images, labels = torch.from_numpy(split.images[:, 0]), torch.from_numpy(split.labels)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(model(images[rows]), labels[rows]).backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def quantise(model: nn.Module, spec: Any, split: Split) -> nn.Module:
    """Weights, activations and biases in integers, by Arm's quantizer; it runs anywhere."""
    from executorch.backends.arm.quantizer import EthosUQuantizer, get_symmetric_quantization_config
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantizer = EthosUQuantizer(spec)
    quantizer.set_global(get_symmetric_quantization_config())
    first = (torch.from_numpy(split.images[0]),)
    prepared = prepare_pt2e(export(model, first).module(check_guards=False), quantizer)
    for image in split.images[:200]:
        prepared(torch.from_numpy(image))
    return convert_pt2e(prepared)


def keep_graph(quantised: nn.Module, spec: Any, image: tuple[torch.Tensor], path: Path) -> None:
    """The TOSA graph of the only delegate. Lowers once more: a program that is lowered with such a
    folder has the folder's name in it."""
    from executorch.backends.arm.ethosu import EthosUPartitioner
    from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower

    with tempfile.TemporaryDirectory() as temporary:
        spec.dump_intermediate_artifacts_to(temporary)
        to_edge_transform_and_lower(
            export(quantised, image),
            partitioner=[EthosUPartitioner(spec)],
            compile_config=EdgeCompileConfig(_check_ir_validity=False),
        )
        (graph,) = Path(temporary).glob("output_*.tosa")
        shutil.copy(graph, path)


def scores(model: nn.Module, split: Split) -> np.ndarray[Any, Any]:
    with torch.no_grad():
        return np.stack([model(torch.from_numpy(image)).numpy() for image in split.images])


def accuracy(computed: np.ndarray[Any, Any], split: Split) -> float:
    return float((computed[:, 0].argmax(axis=1) == split.labels).mean())


def main() -> None:
    import executorch.kernels.quantized  # noqa: F401  (registers the out variants)
    from executorch.backends.arm.ethosu import EthosUCompileSpec, EthosUPartitioner
    from executorch.exir import EdgeCompileConfig, to_edge, to_edge_transform_and_lower

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    torch.manual_seed(0)
    torch.set_num_threads(1)  # the sums of several threads come in another order
    torch.use_deterministic_algorithms(True)
    training, test = load()
    model = train(training)
    spec = EthosUCompileSpec(
        target=ETHOS_U, system_config="Ethos_U55_High_End_Embedded", memory_mode="Shared_Sram"
    )
    quantised = quantise(model, spec, training)

    image = (torch.from_numpy(test.images[0]),)
    unchecked = EdgeCompileConfig(_check_ir_validity=False)
    programs = {
        "digits": to_edge(export(model, image)),
        "digits_int8": to_edge(export(quantised, image), compile_config=unchecked),
        "digits_ethos_u55": to_edge_transform_and_lower(
            export(quantised, image),
            partitioner=[EthosUPartitioner(spec)],
            compile_config=unchecked,
        ),
    }
    for name, edge in programs.items():
        edge.to_executorch().save(str(folder / f"{name}.pte"))
    keep_graph(quantised, spec, image, folder / "digits_ethos_u55.tosa")
    computed = {"float32": scores(model, test), "int8": scores(quantised, test)}
    np.savez_compressed(folder / "samples.npz", **test._asdict(), **computed)
    for name, values in computed.items():
        print(f"{name}: {accuracy(values, test):.4f} of {len(test.labels)} digits are right")


if __name__ == "__main__":
    main()
