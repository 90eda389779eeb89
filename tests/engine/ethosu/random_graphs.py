# SPDX-License-Identifier: BSD-3-Clause
"""Random graphs of one to five layers, int8 or int16, each with what Vela needs to know of it.

The same seed gives the same graph and the same inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tosa_graph import NUMPY, Array, Graph, Tensor

MOST_ELEMENTS = 20000  # of a feature map: a graph takes milliseconds
MOST_PRODUCTS = 3_000_000  # of a convolution


class Unfit(Exception):
    """This layer does not fit onto this tensor: another is drawn."""


class RandomGraph:
    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.graph = Graph()
        self.wide = self.random.random() < 0.25
        self.dtype = "INT16" if self.wide else "INT8"
        self.layers: list[str] = []
        self.tensors: list[Tensor] = []
        x = self.new_input(self.shape())
        for _ in range(self.number(1, 5)):
            x = self.add_layer(x)
            self.tensors.append(x)
        self.graph.output(x)
        # A second output now and then: a tensor that another layer reads as well.
        others = [t for t in self.tensors[:-1] if t.dtype == self.dtype]
        if others and self.chance(0.2):
            self.graph.output(others[self.number(0, len(others) - 1)])

    def flatbuffer(self) -> bytes:
        return self.graph.serialize()

    def input_values(self) -> list[Array]:
        values = []
        for tensor in self.graph.inputs:
            kind = NUMPY[tensor.dtype]
            limits = np.iinfo(kind)
            array = self.random.integers(
                limits.min, limits.max, tensor.shape, dtype=kind, endpoint=True
            )
            values.append(array)
        return values

    # Drawing.

    def number(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high, endpoint=True))

    def one_of(self, *choices: Any) -> Any:
        return choices[self.number(0, len(choices) - 1)]

    def chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def shape(self) -> tuple[int, ...]:
        depth = self.one_of(1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 17, 20, 24, 31, 32, 33, 40, 63, 64, 80)
        high = 1 if depth > 40 else self.number(1, 14)
        return (1, high, self.number(1, 14), depth)

    def new_input(self, shape: Sequence[int]) -> Tensor:
        return self.graph.input(shape, self.dtype)

    def zero(self) -> int:
        if self.wide or self.chance(0.2):
            return 0
        return self.one_of(self.number(-128, 127), self.number(-20, 20), -128, 127)

    def scale(self, products: float = 1) -> float:
        """So that a sum of so many products mostly falls into the range, not always."""
        return float(np.exp(self.random.normal(0, 0.5)) / products)

    def to_output(
        self, x: Tensor, products: float = 1, *, channels: int = 0, zero_in: int = 0
    ) -> Tensor:
        """Back to the graph's type, with a scale for each channel or one."""
        scales: float | list[float] = self.scale(products)
        if channels and self.chance(0.7):
            scales = [self.scale(products) for _ in range(channels)]
        double = x.dtype == "INT32" and self.chance(0.15)
        y = self.graph.rescale(
            x,
            scales,
            zero_in=zero_in,
            zero_out=self.zero(),
            dtype=self.dtype,
            double=double,
        )
        return self.activation(y)

    def activation(self, x: Tensor) -> Tensor:
        if self.chance(0.25):
            low, high = sorted((self.number(-128, 127), self.number(-128, 127)))
            factor = 256 if self.wide else 1
            x = self.graph.clamp(x, low * factor, high * factor)
        if self.chance(0.1):
            x = self.table(x)
        return x

    def add_layer(self, x: Tensor) -> Tensor:
        for _ in range(50):
            name = self.one_of(*LAYERS)
            try:
                made = LAYERS[name](self, x)
            except Unfit:
                continue
            self.layers.append(name)
            return made
        self.layers.append("clamp")
        return self.graph.clamp(x, -100, 90)

    def fits(self, condition: bool) -> None:
        if not condition:
            raise Unfit

    # Layers.

    def window(
        self, x: Tensor, most: int, *, dilates: bool = False
    ) -> tuple[list[int], list[int], list[int], list[int]]:
        """Kernel, stride, dilation and padding that leave something and divide evenly."""
        kernel, stride, dilation, pad = [], [], [], []
        for size in x.shape[1:3]:
            k = self.number(1, most)
            d = self.one_of(1, 1, 2) if dilates else 1
            s = self.one_of(1, 1, 2, 3)
            reach = (k - 1) * d
            before, after = self.number(0, min(reach, k - 1)), self.number(0, min(reach, k - 1))
            room = size + before + after - reach - 1
            self.fits(room >= 0)
            # TOSA wants the last window to end where the padded input does.
            after -= room % s
            self.fits(after >= 0)
            kernel.append(k)
            stride.append(s)
            dilation.append(d)
            pad += [before, after]
        return kernel, stride, dilation, pad

    def weights(self, *shape: int) -> Array:
        weights = self.random.integers(-127, 127, shape, endpoint=True)
        if self.chance(0.2):
            weights = np.where(self.random.random(shape) < 0.3, weights, 0)
        if self.chance(0.1):
            weights = np.sign(weights) * self.number(1, 127)
        return weights

    def bias(self, channels: int, products: int) -> Array:
        top = 60 * max(products, 1) * (200 if self.wide else 1)
        return self.random.integers(-top, top, channels, endpoint=True)

    def typical(self, products: int) -> float:
        """Of a sum of so many random products, over the range of a result."""
        return max(float(np.sqrt(products)) * 73, 1.0)

    def conv(self, x: Tensor) -> Tensor:
        kernel, stride, dilation, pad = self.window(
            x, self.one_of(1, 3, 3, 5, 9, 12), dilates=self.chance(0.4)
        )
        depth = x.shape[3]
        channels = self.one_of(1, 3, 8, 9, 16, 17, 24, 33, 48, 70, 130)
        products = kernel[0] * kernel[1] * depth
        self.fits(products * channels * x.shape[1] * x.shape[2] < MOST_PRODUCTS)
        y = self.graph.conv(
            x,
            self.weights(channels, *kernel, depth),
            self.bias(channels, products),
            pad=pad,
            stride=stride,
            dilation=dilation,
            zero=self.zero(),
        )
        return self.to_output(y, self.typical(products), channels=channels)

    def depthwise(self, x: Tensor) -> Tensor:
        kernel, stride, dilation, pad = self.window(
            x, self.one_of(2, 3, 3, 5, 10), dilates=self.chance(0.3)
        )
        times = self.one_of(1, 1, 1, 2) if x.shape[3] < 20 else 1
        channels = x.shape[3] * times
        y = self.graph.conv(
            x,
            self.weights(*kernel, x.shape[3], times),
            self.bias(channels, kernel[0] * kernel[1]),
            pad=pad,
            stride=stride,
            dilation=dilation,
            zero=self.zero(),
            depthwise=True,
        )
        return self.to_output(y, self.typical(kernel[0] * kernel[1]), channels=channels)

    def grouped(self, x: Tensor) -> Tensor:
        groups = self.one_of(2, 3)
        self.fits(x.shape[3] % groups == 0)
        depth = x.shape[3] // groups
        kernel, stride, _, pad = self.window(x, 3)
        zero, channels = self.zero(), self.number(1, 20)
        parts = []
        for group in range(groups):
            part = self.graph.slice(x, (0, 0, 0, group * depth), (*x.shape[:3], depth))
            products = kernel[0] * kernel[1] * depth
            y = self.graph.conv(
                part,
                self.weights(channels, *kernel, depth),
                self.bias(channels, products),
                pad=pad,
                stride=stride,
                zero=zero,
            )
            scales = [self.scale(self.typical(products)) for _ in range(channels)]
            parts.append(self.graph.rescale(y, scales, zero_out=5 * (not self.wide), dtype=self.dtype))
        return self.graph.concat(parts, 3)

    def transposed(self, x: Tensor) -> Tensor:
        kernel = [self.number(1, 4), self.number(1, 4)]
        stride = [self.one_of(1, 2), self.one_of(1, 2)]
        channels = self.number(1, 20)
        self.fits(x.shape[1] * x.shape[2] * x.shape[3] < 3000)
        out_pad = []
        for k, size, s in zip(kernel, x.shape[1:3], stride, strict=True):
            crop = self.number(0, (k - 1) // 2)
            self.fits((size - 1) * s + k - 2 * crop > 0)
            out_pad += [-crop, -crop]
        y = self.graph.transpose_conv(
            x,
            self.weights(channels, *kernel, x.shape[3]),
            self.bias(channels, x.shape[3]),
            out_pad=out_pad,
            stride=stride,
            zero=self.zero(),
        )
        return self.to_output(y, self.typical(x.shape[3] * 2), channels=channels)

    def linear(self, x: Tensor) -> Tensor:
        count = int(np.prod(x.shape))
        self.fits(count <= 1000)
        flat = self.graph.reshape(x, (1, 1, 1, count))
        channels = self.one_of(1, 4, 10, 16, 33, 100)
        y = self.graph.conv(
            flat, self.weights(channels, 1, 1, count), self.bias(channels, count), zero=self.zero()
        )
        return self.to_output(y, self.typical(count), channels=channels)

    def matmul(self, x: Tensor) -> Tensor:
        rows, depth = x.shape[1] * x.shape[2], x.shape[3]
        self.fits(rows * depth < 4000)
        a = self.graph.reshape(x, (x.shape[0], rows, depth))
        columns = self.number(1, 20)
        if self.chance(0.3):
            b, columns = self.graph.transpose(a, (0, 2, 1)), rows
            self.fits(rows * rows < 4000)
        else:
            b = self.new_input((x.shape[0], depth, columns))
        y = self.graph.matmul(a, b, self.zero(), self.zero())
        # A product of two feature maps of 16 bits needs as much again.
        y = self.to_output(y, self.typical(depth) * (256 if self.wide else 1))
        return self.graph.reshape(y, (x.shape[0], 1, rows, columns))

    def other(self, x: Tensor) -> Tensor:
        """A second operand: as large, or 1 in some directions."""
        shape = [s if self.chance(0.75) else 1 for s in x.shape[1:]]
        if self.chance(0.25):
            shape = list(x.shape[1:])
        if self.chance(0.2):
            values = self.random.integers(-128, 127, (1, *shape), endpoint=True)
            return self.graph.const(values * (200 if self.wide else 1), self.dtype)
        if self.chance(0.2):
            return x
        return self.new_input((x.shape[0], *shape))

    def add(self, x: Tensor) -> Tensor:
        a, b = x, self.other(x)
        if self.chance(0.5):
            a, b = b, a
        operator = self.one_of("ADD", "ADD", "SUB")
        # As ExecuTorch writes it: both operands with room for a fraction, of which one is exact.
        room = float(1 << (14 if self.wide else 20))
        scales = [room, room]
        scales[self.number(0, 1)] *= self.one_of(1.0, float(self.random.random() + 0.01))
        double = self.chance(0.1)
        wide_a, wide_b = (
            self.graph.rescale(t, s, zero_in=self.zero(), dtype="INT32", double=double)
            for t, s in zip((a, b), scales, strict=True)
        )
        return self.to_output(self.graph.binary(operator, wide_a, wide_b), 2 * room)

    def multiply(self, x: Tensor) -> Tensor:
        a, b = x, self.other(x)
        if self.chance(0.5):
            a, b = b, a
        a, b = (self.graph.rescale(t, 1.0, zero_in=self.zero(), dtype="INT32") for t in (a, b))
        return self.to_output(self.graph.binary("MUL", a, b), 20000 if self.wide else 73)

    def extreme(self, x: Tensor) -> Tensor:
        a, b = x, self.other(x)
        if self.chance(0.5):
            a, b = b, a
        zero = self.zero()
        a, b = (self.graph.rescale(t, 1.0, zero_in=zero, dtype="INT32") for t in (a, b))
        y = self.graph.binary(self.one_of("MINIMUM", "MAXIMUM"), a, b)
        return self.activation(self.graph.rescale(y, 1.0, zero_out=zero, dtype=self.dtype))

    def int32(self, x: Tensor) -> Tensor:
        """A few operators of 32 bits."""
        room = float(self.one_of(1, 3, 200, 70000))
        y = self.graph.rescale(x, room, zero_in=self.zero(), dtype="INT32")
        top = room * (32768 if self.wide else 128)
        for _ in range(self.number(1, 3)):
            kind = self.one_of("add", "min", "right", "left", "abs", "clz", "mul", "sub", "rescale")
            values = self.random.integers(-1000, 1000, (1, 1, 1, x.shape[3]))
            amounts = self.graph.const(abs(values) % 12, "INT32")
            if kind in ("add", "sub", "min"):
                operator = {"add": "ADD", "sub": "SUB", "min": self.one_of("MINIMUM", "MAXIMUM")}
                y = self.graph.binary(operator[kind], y, self.graph.const(values, "INT32"))
                top += 1000
            elif kind == "right":
                y = self.graph.shift_right(y, amounts, rounds=self.chance(0.7))
            elif kind == "left":
                self.fits(top < 1 << 19)
                y = self.graph.binary("LOGICAL_LEFT_SHIFT", y, amounts)
                top *= 1 << 11
            elif kind == "mul":
                self.fits(top < 1 << 20)
                y = self.graph.binary("MUL", y, self.graph.const(values, "INT32"))
                top *= 1000
            elif kind == "rescale":
                y = self.graph.rescale(y, 0.4, dtype="INT32", double=self.chance(0.3))
            else:
                y = self.graph.unary(kind.upper(), y)
                top = top if kind == "abs" else 32
        return self.to_output(y, max(top / (12000 if self.wide else 50), 1.0))

    def table(self, x: Tensor) -> Tensor:
        if not self.wide:
            values = self.random.integers(-128, 127, 256, endpoint=True)
            return self.graph.table(x, values)
        values = np.cumsum(self.random.integers(-300, 300, 513, endpoint=True))
        y = self.graph.table(x, np.clip(values, -32768, 32767))
        return self.graph.rescale(y, 1 / 128, dtype="INT16")

    def pool(self, x: Tensor) -> Tensor:
        kernel, stride, _, pad = self.window(x, self.one_of(2, 3, 8))
        zero = self.zero()
        y = self.graph.pool(x, kernel, stride, pad, average=self.chance(0.5), zero=zero)
        return self.activation(y)

    def reduce(self, x: Tensor) -> Tensor:
        axis = self.number(1, 3)
        if self.chance(0.4):
            return self.graph.reduce(self.one_of("REDUCE_MAX", "REDUCE_MIN"), x, axis)
        y = self.graph.rescale(x, 1.0, zero_in=self.zero(), dtype="INT32")
        y = self.graph.reduce("REDUCE_SUM", y, axis)
        return self.to_output(y, max(x.shape[axis], 1))

    def concat(self, x: Tensor) -> Tensor:
        axis = self.number(1, 3)
        shape = list(x.shape)
        shape[axis] = self.number(1, 20 if axis == 3 else 5)
        parts = [x, self.new_input(shape)]
        if self.chance(0.3):
            parts.append(x)
        if self.chance(0.4):
            parts.reverse()
        y = self.graph.concat(parts, axis)
        self.fits(int(np.prod(y.shape)) < MOST_ELEMENTS)
        return y

    def slice(self, x: Tensor) -> Tensor:
        start = [self.number(0, (s - 1) // 2) for s in x.shape]
        size = [self.number(1, s - b) for s, b in zip(x.shape, start, strict=True)]
        return self.graph.slice(x, start, size)

    def transpose(self, x: Tensor) -> Tensor:
        return self.graph.transpose(x, (0, *(int(a) + 1 for a in self.random.permutation(3))))

    def reshape(self, x: Tensor) -> Tensor:
        n, height, width, depth = x.shape
        return self.graph.reshape(
            x,
            self.one_of(
                (n, width, height, depth),
                (n, 1, height * width, depth),
                (n, height, width * depth, 1),
                (n, depth, height, width),
            ),
        )

    def pad(self, x: Tensor) -> Tensor:
        sizes = [0, 0] + [self.one_of(0, 0, 1, 2) for _ in range(6)]
        return self.graph.pad(x, sizes, self.zero())

    def tile(self, x: Tensor) -> Tensor:
        y = self.graph.tile(x, (1, self.one_of(1, 2), self.one_of(1, 3), self.one_of(1, 2)))
        self.fits(int(np.prod(y.shape)) < MOST_ELEMENTS)
        return y

    def reverse(self, x: Tensor) -> Tensor:
        return self.graph.reverse(x, self.number(1, 3))

    def resize(self, x: Tensor) -> Tensor:
        self.fits(max(x.shape[1:3]) < 10 and x.shape[3] < 40)
        times = self.one_of(2, 2, 4)
        bilinear = self.chance(0.5)
        corners = self.chance(0.5)
        scale, offset, border = [], [], []
        for size in x.shape[1:3]:
            if corners:  # the corners of both are aligned
                scale += [2 * times, 2]
                offset.append(0)
                border.append(0)
            else:  # pixels' centres are
                scale += [2 * times, 2]
                offset.append(0 if size == 1 else -(times - 1))
                border.append(0 if size == 1 else times - 1)
        y = self.graph.resize(x, scale, offset, border, bilinear=bilinear)
        if not bilinear:
            return y
        return self.to_output(y, float(scale[0] * scale[2]))

    def clamp(self, x: Tensor) -> Tensor:
        low, high = sorted((self.number(-128, 127), self.number(-128, 127)))
        return self.graph.clamp(x, low, high)


LAYERS: dict[str, Callable[[RandomGraph, Tensor], Tensor]] = {
    name: getattr(RandomGraph, name)
    for name in (
        *("conv", "depthwise", "grouped", "transposed", "linear", "matmul", "add", "multiply"),
        *("extreme", "int32", "table", "pool", "reduce", "concat", "slice", "transpose"),
        *("reshape", "pad", "tile", "reverse", "resize", "clamp"),
    )
}
