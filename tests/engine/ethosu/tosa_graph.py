# SPDX-License-Identifier: BSD-3-Clause
"""Builds TOSA graphs of integers, as ExecuTorch's Arm backend writes them: one method an operator.

A method takes and returns tensors of the graph; constants are numpy arrays. Shapes are TOSA's:
NHWC for images, [out, height, width, in] for kernels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tosa_serializer as ts

Array = np.ndarray[Any, Any]

SIZES = {"INT8": 1, "INT16": 2, "INT32": 4}
NUMPY = {"INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "BOOL": np.bool_}


@dataclass(frozen=True)
class Tensor:
    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Operator:
    name: str  # TOSA's, such as CONV2D
    operands: tuple[Tensor, ...]
    result: Tensor


def multiplier_and_shift(scale: float) -> tuple[int, int]:
    """scale = multiplier / 2^shift, with a multiplier of 31 bits."""
    mantissa, exponent = math.frexp(scale)
    multiplier, shift = round(mantissa * (1 << 31)), 31 - exponent
    if multiplier == 1 << 31:
        multiplier, shift = multiplier // 2, shift - 1
    return multiplier, shift


class Graph:
    def __init__(self) -> None:
        self._graph = ts.TosaSerializer("", targetMajor=1, targetMinor=0, targetDraft=False)
        self._names = 0
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self.operators: list[Operator] = []

    def serialize(self) -> bytes:
        return bytes(self._graph.serialize())

    # What goes in and out.

    def input(self, shape: Sequence[int], dtype: str = "INT8") -> Tensor:
        tensor = Tensor(self._name("in"), tuple(shape), dtype)
        self._graph.addInputTensor(
            ts.TosaSerializerTensor(tensor.name, list(shape), getattr(ts.DType, dtype))
        )
        self.inputs.append(tensor)
        return tensor

    def output(self, tensor: Tensor) -> None:
        self._graph.addOutputTensor(self._graph.currRegion.currBasicBlock.tensors[tensor.name])
        self.outputs.append(tensor)

    def const(self, values: Array | Sequence[int], dtype: str) -> Tensor:
        array = np.asarray(values)
        name = self._name("const")
        shape = list(array.shape)
        self._graph.addConst(shape, getattr(ts.DType, dtype), array.reshape(-1).tolist(), name=name)
        return Tensor(name, tuple(shape), dtype)

    # Operators.

    def conv(
        self,
        x: Tensor,
        weights: Array,
        bias: Array,
        *,
        pad: Sequence[int] = (0, 0, 0, 0),
        stride: Sequence[int] = (1, 1),
        dilation: Sequence[int] = (1, 1),
        zero: int = 0,
        depthwise: bool = False,
    ) -> Tensor:
        """Pads top, bottom, left, right; weights [out, h, w, in], depthwise [h, w, in, times]."""
        axes = (0, 1) if depthwise else (1, 2)
        n, height, width, depth = x.shape
        kernel = [(weights.shape[a] - 1) * d + 1 for a, d in zip(axes, dilation, strict=True)]
        high = (height + pad[0] + pad[1] - kernel[0]) // stride[0] + 1
        wide = (width + pad[2] + pad[3] - kernel[1]) // stride[1] + 1
        channels = depth * weights.shape[3] if depthwise else weights.shape[0]
        accumulator = "INT48" if x.dtype == "INT16" else "INT32"
        keywords = {
            "pad": list(pad),
            "stride": list(stride),
            "dilation": list(dilation),
            "local_bound": False,
            "acc_type": getattr(ts.DType, accumulator),
        }
        operator, attribute = (
            ("DEPTHWISE_CONV2D", "DepthwiseConv2d") if depthwise else ("CONV2D", "Conv2d")
        )
        operands = self._conv_operands(x, weights, bias, accumulator, zero)
        shape = (n, high, wide, channels)
        return self._add(operator, operands, shape, accumulator, attribute, **keywords)

    def transpose_conv(
        self,
        x: Tensor,
        weights: Array,
        bias: Array,
        *,
        out_pad: Sequence[int],
        stride: Sequence[int],
        zero: int = 0,
    ) -> Tensor:
        n, height, width, _ = x.shape
        channels, kernel_y, kernel_x, _ = weights.shape
        high = (height - 1) * stride[0] + out_pad[0] + out_pad[1] + kernel_y
        wide = (width - 1) * stride[1] + out_pad[2] + out_pad[3] + kernel_x
        accumulator = "INT48" if x.dtype == "INT16" else "INT32"
        return self._add(
            "TRANSPOSE_CONV2D",
            self._conv_operands(x, weights, bias, accumulator, zero),
            (n, high, wide, channels),
            accumulator,
            "TransposeConv2d",
            out_pad=list(out_pad),
            stride=list(stride),
            local_bound=False,
            acc_type=getattr(ts.DType, accumulator),
        )

    def matmul(self, a: Tensor, b: Tensor, zero_a: int = 0, zero_b: int = 0) -> Tensor:
        n, height, _ = a.shape
        zeros = [self.const([zero_a], a.dtype), self.const([zero_b], b.dtype)]
        kind = "INT48" if a.dtype == "INT16" else "INT32"
        return self._add("MATMUL", [a, b, *zeros], (n, height, b.shape[2]), kind, "MatMul")

    def rescale(
        self,
        x: Tensor,
        scales: Sequence[float] | float,
        *,
        zero_in: int = 0,
        zero_out: int = 0,
        dtype: str = "INT8",
        double: bool = False,
    ) -> Tensor:
        """To `dtype`: round(scale * (x - zero_in)) + zero_out, one scale or one a channel."""
        per_channel = not isinstance(scales, float)
        pairs = [
            multiplier_and_shift(s) for s in (scales if not isinstance(scales, float) else [scales])
        ]
        wide = x.dtype != "INT48"
        if not wide:
            # A multiplier of 16 bits, as operands of 48 bits ask for.
            pairs = [((m + (1 << 15)) >> 16, s - 16) for m, s in pairs]
            pairs = [(m // 2, s - 1) if m == 1 << 15 else (m, s) for m, s in pairs]
        operands = [
            x,
            self.const([m for m, _ in pairs], "INT32" if wide else "INT16"),
            self.const([s for _, s in pairs], "INT8"),
            self.const([zero_in], x.dtype),
            self.const([zero_out], dtype),
        ]
        rounding = ts.RoundingMode.DOUBLE_ROUND if double else ts.RoundingMode.SINGLE_ROUND
        return self._add(
            "RESCALE",
            operands,
            x.shape,
            dtype,
            "Rescale",
            scale32=wide,
            rounding_mode=rounding,
            per_channel=per_channel,
            input_unsigned=False,
            output_unsigned=False,
        )

    def binary(self, operator: str, a: Tensor, b: Tensor) -> Tensor:
        """ADD, SUB, MINIMUM, MAXIMUM, MUL, LOGICAL_LEFT_SHIFT, EQUAL, ...; sizes of 1 broadcast."""
        shape = tuple(max(p, q) for p, q in zip(a.shape, b.shape, strict=True))
        operands = [a, b]
        keywords: dict[str, Any] = {}
        kind = a.dtype
        if operator == "MUL":
            operands.append(self.const([0], "INT8"))
            kind = "INT32"
        if operator in ("MINIMUM", "MAXIMUM"):
            keywords["nan_mode"] = ts.NanPropagationMode.PROPAGATE
        if operator in ("EQUAL", "GREATER", "GREATER_EQUAL"):
            kind = "BOOL"
        return self._add(operator, operands, shape, kind, _attribute(operator), **keywords)

    def select(self, mask: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return self._add("SELECT", [mask, a, b], a.shape, a.dtype, "Select")

    def shift_right(self, a: Tensor, b: Tensor, *, rounds: bool) -> Tensor:
        shape = tuple(max(p, q) for p, q in zip(a.shape, b.shape, strict=True))
        return self._add(
            "ARITHMETIC_RIGHT_SHIFT", [a, b], shape, a.dtype, "ArithmeticRightShift", round=rounds
        )

    def unary(self, operator: str, x: Tensor) -> Tensor:
        """ABS, CLZ, BITWISE_NOT, LOGICAL_NOT, IDENTITY."""
        return self._add(operator, [x], x.shape, x.dtype, _attribute(operator))

    def clamp(self, x: Tensor, low: int, high: int) -> Tensor:
        kind = NUMPY[x.dtype]
        return self._add(
            "CLAMP",
            [x],
            x.shape,
            x.dtype,
            "Clamp",
            min_val=list(kind(low).tobytes()),
            max_val=list(kind(high).tobytes()),
            nan_mode=ts.NanPropagationMode.PROPAGATE,
        )

    def table(self, x: Tensor, values: Array) -> Tensor:
        """256 values of int8 for int8, 513 of int16 for int16, which gives int32."""
        operands = [x, self.const(values, x.dtype)]
        return self._add(
            "TABLE", operands, x.shape, "INT8" if x.dtype == "INT8" else "INT32", "Table"
        )

    def pool(
        self,
        x: Tensor,
        kernel: Sequence[int],
        stride: Sequence[int],
        pad: Sequence[int],
        *,
        average: bool,
        zero: int = 0,
    ) -> Tensor:
        n, height, width, depth = x.shape
        high = (height + pad[0] + pad[1] - kernel[0]) // stride[0] + 1
        wide = (width + pad[2] + pad[3] - kernel[1]) // stride[1] + 1
        shape = (n, high, wide, depth)
        keywords: dict[str, Any] = {
            "kernel": list(kernel),
            "stride": list(stride),
            "pad": list(pad),
        }
        if average:
            operands = [x, self.const([zero], x.dtype), self.const([zero], x.dtype)]
            keywords["acc_type"] = ts.DType.INT32
            return self._add("AVG_POOL2D", operands, shape, x.dtype, "AvgPool2d", **keywords)
        keywords["nan_mode"] = ts.NanPropagationMode.PROPAGATE
        return self._add("MAX_POOL2D", [x], shape, x.dtype, "MaxPool2d", **keywords)

    def reduce(self, operator: str, x: Tensor, axis: int) -> Tensor:
        """REDUCE_SUM, REDUCE_MAX, REDUCE_MIN; the axis stays, with size 1."""
        shape = tuple(1 if d == axis else size for d, size in enumerate(x.shape))
        keywords: dict[str, Any] = {"axis": axis}
        if operator != "REDUCE_SUM":
            keywords["nan_mode"] = ts.NanPropagationMode.PROPAGATE
        return self._add(operator, [x], shape, x.dtype, _attribute(operator), **keywords)

    def argmax(self, x: Tensor, axis: int) -> Tensor:
        shape = tuple(size for d, size in enumerate(x.shape) if d != axis)
        nan = ts.NanPropagationMode.PROPAGATE
        return self._add("ARGMAX", [x], shape, "INT32", "ArgMax", axis=axis, nan_mode=nan)

    def concat(self, tensors: Sequence[Tensor], axis: int) -> Tensor:
        shape = list(tensors[0].shape)
        shape[axis] = sum(t.shape[axis] for t in tensors)
        return self._add("CONCAT", tensors, shape, tensors[0].dtype, "Concat", axis=axis)

    def slice(self, x: Tensor, start: Sequence[int], size: Sequence[int]) -> Tensor:
        operands = [x, self._shape(start), self._shape(size)]
        return self._add("SLICE", operands, size, x.dtype, "Slice")

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        return self._add("RESHAPE", [x, self._shape(shape)], shape, x.dtype, "Reshape")

    def transpose(self, x: Tensor, perms: Sequence[int]) -> Tensor:
        shape = [x.shape[p] for p in perms]
        return self._add("TRANSPOSE", [x], shape, x.dtype, "Transpose", perms=list(perms))

    def reverse(self, x: Tensor, axis: int) -> Tensor:
        return self._add("REVERSE", [x], x.shape, x.dtype, "Reverse", axis=axis)

    def tile(self, x: Tensor, times: Sequence[int]) -> Tensor:
        shape = [size * t for size, t in zip(x.shape, times, strict=True)]
        return self._add("TILE", [x, self._shape(times)], shape, x.dtype, "Tile")

    def pad(self, x: Tensor, before_after: Sequence[int], value: int) -> Tensor:
        """before_after: 2 sizes for each dimension."""
        shape = [
            size + before_after[2 * d] + before_after[2 * d + 1] for d, size in enumerate(x.shape)
        ]
        operands = [x, self._shape(before_after), self.const([value], x.dtype)]
        return self._add("PAD", operands, shape, x.dtype, "Pad")

    def resize(
        self,
        x: Tensor,
        scale: Sequence[int],
        offset: Sequence[int],
        border: Sequence[int],
        *,
        bilinear: bool,
    ) -> Tensor:
        """scale: numerator and denominator of y, then of x."""
        n, height, width, depth = x.shape
        high = ((height - 1) * scale[0] - offset[0] + border[0]) // scale[1] + 1
        wide = ((width - 1) * scale[2] - offset[1] + border[1]) // scale[3] + 1
        kind = x.dtype if not bilinear else {"INT8": "INT32", "INT16": "INT48"}[x.dtype]
        operands = [x, self._shape(scale), self._shape(offset), self._shape(border)]
        mode = ts.ResizeMode.BILINEAR if bilinear else ts.ResizeMode.NEAREST
        return self._add("RESIZE", operands, (n, high, wide, depth), kind, "Resize", mode=mode)

    # Within.

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}{self._names}"

    def _shape(self, sizes: Sequence[int]) -> Tensor:
        name = self._name("shape")
        self._graph.addConst([len(sizes)], ts.DType.SHAPE, [int(s) for s in sizes], name=name)
        return Tensor(name, (len(sizes),), "SHAPE")

    def _conv_operands(
        self, x: Tensor, weights: Array, bias: Array, accumulator: str, zero: int
    ) -> list[Tensor]:
        return [
            x,
            self.const(weights, "INT8"),
            self.const(bias, accumulator),
            self.const([zero], x.dtype),
            self.const([0], "INT8"),
        ]

    def _add(
        self,
        operator: str,
        operands: Sequence[Tensor],
        shape: Sequence[int],
        dtype: str,
        attribute: str,
        **keywords: Any,
    ) -> Tensor:
        if min(shape, default=1) < 1:
            raise ValueError(f"{operator} gives the shape {tuple(shape)}")
        result = self._graph.addIntermediate([int(s) for s in shape], getattr(ts.DType, dtype))
        attributes = ts.TosaSerializerAttribute()
        getattr(attributes, f"{attribute}Attribute")(**keywords)
        names = [operand.name for operand in operands]
        self._graph.addOperator(getattr(ts.Op, operator), names, [result.name], attributes)
        made = Tensor(result.name, tuple(int(s) for s in shape), dtype)
        self.operators.append(Operator(operator, tuple(operands), made))
        return made


def _attribute(operator: str) -> str:
    return "".join(word.capitalize() for word in operator.split("_"))
