# SPDX-License-Identifier: BSD-3-Clause
"""How fast the Ethos-U model is, in one thread, against the TOSA reference model in the same run.

    python benchmarks/ethosu_model.py [--size 224] [--target ethos-u55-128] [--rounds 3]

MobileNetV2 by its shapes, int8, with random weights: what is computed takes no less time for it.
Every figure is CPU time, the best of several runs. Both must give the same bytes. Wants the preset
host, built.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
# In the place of this file's own folder, where it stands before Vela's package of the same name.
sys.path[0] = str(ROOT / "tests" / "engine" / "ethosu")
from tosa_graph import Graph, Tensor  # noqa: E402
from vela import TARGETS, Options, compile_graph, reference_outputs  # noqa: E402

TOOL = ROOT / "build" / "host" / "tests" / "engine" / "ethosu" / "ethosu_tool"
# Of each stage: how much wider its blocks are within, channels, blocks, stride of the first.
STAGES = (
    *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
    *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
)


class MobileNetV2:
    def __init__(self, size: int) -> None:
        self.random = np.random.default_rng(2)
        self.graph = Graph()
        x = self.graph.input((1, size, size, 3))
        x = self.convolution(x, 32, 3, 2)
        for wider, channels, blocks, stride in STAGES:
            for block in range(blocks):
                x = self.block(x, wider, channels, stride if block == 0 else 1)
        x = self.convolution(x, 1280, 1, 1)
        side = x.shape[1]
        x = self.graph.pool(x, (side, side), (1, 1), (0, 0, 0, 0), average=True)
        self.graph.output(self.convolution(x, 1000, 1, 1, activates=False))

    def numbers(self, *shape: int) -> np.ndarray:
        return self.random.integers(-127, 127, shape, endpoint=True)

    def convolution(
        self,
        x: Tensor,
        channels: int,
        kernel: int,
        stride: int,
        *,
        depthwise: bool = False,
        activates: bool = True,
    ) -> Tensor:
        depth = 1 if depthwise else x.shape[3]
        shape = (kernel, kernel, channels, 1) if depthwise else (channels, kernel, kernel, depth)
        # TOSA wants the last window to end where the padded input does.
        before = kernel // 2
        after = before - (x.shape[1] + 2 * before - kernel) % stride
        y = self.graph.conv(
            x,
            self.numbers(*shape),
            self.numbers(channels) * 20,
            pad=(before, after, before, after),
            stride=(stride, stride),
            depthwise=depthwise,
        )
        scale = 1 / (73 * (kernel * kernel * depth) ** 0.5)
        scales = (scale * self.random.uniform(0.7, 1.4, channels)).tolist()
        y = self.graph.rescale(y, scales)
        return self.graph.clamp(y, 0, 127) if activates else y

    def block(self, x: Tensor, wider: int, channels: int, stride: int) -> Tensor:
        y = x
        if wider != 1:
            y = self.convolution(y, x.shape[3] * wider, 1, 1)
        y = self.convolution(y, y.shape[3], 3, stride, depthwise=True)
        y = self.convolution(y, channels, 1, 1, activates=False)
        if stride != 1 or channels != x.shape[3]:
            return y
        a, b = (self.graph.rescale(t, float(1 << 20), dtype="INT32") for t in (x, y))
        return self.graph.rescale(self.graph.binary("ADD", a, b), 0.7 / (1 << 20))


def main() -> None:
    parser = argparse.ArgumentParser(description="The Ethos-U model's speed.")
    parser.add_argument("--size", type=int, default=224, help="of the image")
    parser.add_argument("--target", choices=TARGETS, default="ethos-u55-128")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    net = MobileNetV2(options.size)
    flatbuffer = net.graph.serialize()
    container = compile_graph(flatbuffer, Options(options.target), 1)
    image = net.random.integers(
        -128, 127, (1, options.size, options.size, 3), np.int8, endpoint=True
    )
    start = time.process_time()
    (expected,) = reference_outputs(flatbuffer, [image])
    reference = time.process_time() - start
    with tempfile.TemporaryDirectory() as temporary:
        delegate, inputs, outputs = (Path(temporary) / n for n in ("delegate", "in", "out"))
        delegate.write_bytes(container)
        inputs.write_bytes(image.tobytes())
        subprocess.run([TOOL, "run", delegate, inputs, outputs], check=True, capture_output=True)
        if outputs.read_bytes() != expected.tobytes():
            raise SystemExit("the model and the TOSA reference model differ")
        command = [TOOL, "time", delegate, inputs, str(options.rounds)]
        model = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"MobileNetV2-{options.size} on {options.target}: {model:.3f} s")
    print(f"TOSA reference model: {reference:.3f} s, {reference / model:.1f} times as long")


if __name__ == "__main__":
    main()
