# SPDX-License-Identifier: BSD-3-Clause
"""What each operation of a command stream is, by the registers that it finds.

Describes; does not say whether an NPU or its model can execute it: only what makes a description
impossible is an error. ``EthosUModel::describe()`` tells the same in C++, and a test holds the two
together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from bpte.program import ProgramError
from bpte.program.ethosu.registers import Narrow, Op, Wide
from bpte.program.ethosu.stream import Command, CommandStream, Config, Registers

#: Regions that traffic is counted for: weights (read only), scratch, fast scratch.
REGIONS = ("weights", "scratch", "fast scratch")

_POOL_MODES = ("MAX", "AVERAGE", "REDUCE_SUM", "SUM", "NONE", "MIN", "ARGMAX_X", "ARGMAX_Y")
_ELEMENTWISE_MODES = {
    0: "MUL", 1: "ADD", 2: "SUB", 3: "MIN", 4: "MAX", 5: "LRELU", 6: "ABS", 7: "CLZ", 8: "SHR",
    9: "SHL", 10: "LSR", 11: "DIV", 16: "CMP_EQ", 17: "CMP_NE", 18: "CMP_GE", 19: "CMP_GT",
    33: "AND", 34: "OR", 35: "XOR", 36: "NOT", 42: "AND_NOT",
}  # fmt: skip
_RESIZE_MODES = ("BILINEAR", "REPLICATE", "NEAREST")
_UNARY = ("ABS", "CLZ", "NOT")

#: OFM_PRECISION of an Ethos-U85, bits 11..13: which axis of what is computed each axis of the OFM
#: is.
_ORDERS = ((0, 1, 2), (1, 0, 2), (0, 2, 1), (1, 2, 0), None, None, (2, 0, 1), (2, 1, 0))
_OFM_BYTES_AT, _IFM_BYTES_AT = 1, 2
_BROADCAST = (1, 2, 4)  # height, width, depth
_CONSTANT_U55, _CONSTANT_U85 = 1 << 7, 1 << 3
_INTERNAL = 1 << 8
_ACCUMULATES_IFM2 = 2


@dataclass(frozen=True)
class FeatureMap:
    """A feature map. ``place`` is "memory", "chain" (handed over inside of an Ethos-U85) or
    "nowhere"; ``region`` is of the memory, or the number of the chain. ``address`` is that of the
    first tile in the region; 0 where it is in no memory. ``in_order``: the memory has its rows and
    pixels in this order; else an Ethos-U55 transposes or reverses it as it goes."""

    height: int
    width: int
    depth: int
    element_bytes: int
    is_signed: bool
    bricks: bool
    place: str
    region: int
    address: int
    in_order: bool
    zero_point: int

    @property
    def nbytes(self) -> int:
        return self.height * self.width * self.depth * self.element_bytes

    @property
    def dtype(self) -> str:
        return f"{'int' if self.is_signed else 'uint'}{8 * self.element_bytes}"

    @property
    def format(self) -> str:
        return "NHCWB16" if self.bricks else "NHWC"


@dataclass
class Operation:
    """One operation. ``command`` is its number among all commands, ``offset`` where that begins in
    the NPU's stream, in bytes, as Vela's debug database has it. ``mode`` is Arm's name of what a
    pooling, elementwise or resize operation does. ``block`` is the OFM's block: height, width,
    depth. ``weights`` are those of the network, a byte each; ``compressed_weights`` the bytes of
    their streams. ``read`` and ``written`` are bytes by region, each feature map, weight and scale
    counted once."""

    command: int
    offset: int
    name: str
    mode: str
    block: tuple[int, int, int]
    ifm: FeatureMap | None = None
    ifm2: FeatureMap | None = None
    ofm: FeatureMap | None = None
    macs: int = 0
    weights: int = 0
    compressed_weights: int = 0
    read: list[int] = field(default_factory=lambda: [0] * len(REGIONS))
    written: list[int] = field(default_factory=lambda: [0] * len(REGIONS))


def operations(stream: CommandStream) -> Iterator[Operation]:
    """Each operation that computes or copies. Raises ProgramError."""
    for command in stream.operations():
        describe = _DESCRIBE.get(command.op)
        if describe is not None:
            description = _Description(command, stream.registers, stream.config)
            describe(description)
            yield description.operation


class _Description:
    """One operation's description, as it is being made."""

    def __init__(self, command: Command, registers: Registers, config: Config) -> None:
        self.parameter = command.parameter
        self.registers = registers
        self.config = config
        get = registers.plus_one
        self.operation = Operation(
            command.number,
            command.offset,
            f"NPU_OP_{command.op.name}",
            _mode(command),
            (
                get(Narrow.OFM_BLK_HEIGHT_M1),
                get(Narrow.OFM_BLK_WIDTH_M1),
                get(Narrow.OFM_BLK_DEPTH_M1),
            ),
        )
        #: What is computed, before an Ethos-U85 exchanges axes.
        self.size = (
            get(Narrow.OFM_HEIGHT_M1),
            get(Narrow.OFM_WIDTH_M1),
            get(Narrow.OFM_DEPTH_M1),
        )

    def refusal(self, rule: str) -> ProgramError:
        operation = self.operation
        return ProgramError(rule, f"Ethos-U command {operation.command}, {operation.name}")

    # ---- Feature maps

    def feature_map(self, name: str, size: tuple[int, int, int]) -> FeatureMap:
        get = self.registers.get
        precision = get(Narrow[f"{name}_PRECISION"])
        at = _OFM_BYTES_AT if name == "OFM" else _IFM_BYTES_AT
        layout = precision >> 6 & 3
        if layout > 1:
            raise self.refusal(f"{name} has the unknown format {layout}")
        zero_point = get(Narrow[f"{name}_ZERO_POINT"])
        is_signed = bool(precision & 1)
        if is_signed and zero_point >= 1 << 15:
            zero_point -= 1 << 16
        storage = precision >> 14 & 3 if self.config.u85 else 0
        place = {2: "chain", 3: "nowhere"}.get(storage, "memory")
        return FeatureMap(
            *size,
            1 << (precision >> at & 3),
            is_signed,
            layout == 1 and storage != 2,
            place,
            get(Narrow[f"{name}_REGION"]),
            self.registers.extent(Wide[f"{name}_BASE0"]) if place == "memory" else 0,
            place != "memory" or layout == 1 or self._in_order(name, size),
            zero_point,
        )

    def _in_order(self, name: str, size: tuple[int, int, int]) -> bool:
        """Whether the strides of a feature map in NHWC ascend from pixels to rows."""
        height, width, _ = size
        x, y = (self.registers.stride(Wide[f"{name}_STRIDE_{axis}"]) for axis in "XY")
        return (width == 1 or x > 0) and (height == 1 or y > 0) and (1 in (height, width) or x <= y)

    def output(self) -> None:
        axes = (0, 1, 2)
        if self.config.u85:
            order = self.registers.get(Narrow.OFM_PRECISION) >> 11 & 7
            found = _ORDERS[order]
            if found is None:
                raise self.refusal(f"OFM_PRECISION has the unknown transposition {order}")
            axes = found
        height, width, depth = (self.size[axis] for axis in axes)
        ofm = self.operation.ofm = self.feature_map("OFM", (height, width, depth))
        if ofm.place == "memory":
            self.count(self.operation.written, ofm.region, ofm.nbytes)

    def input(self, name: str, size: tuple[int, int, int]) -> None:
        if min(size) < 1:
            raise self.refusal(f"{name} is empty or of negative size")
        found = self.feature_map(name, size)
        if name == "IFM":
            self.operation.ifm = found
        else:
            self.operation.ifm2 = found
        if found.place != "chain":
            self.count(self.operation.read, found.region, found.nbytes)

    @staticmethod
    def count(regions: list[int], region: int, nbytes: int) -> None:
        if region < len(regions):
            regions[region] += nbytes

    # ---- What operations have in common

    def _axis(
        self, name: str, ofm: int, bits: tuple[int, int, int], pads: tuple[str, str]
    ) -> tuple[int, int]:
        """The IFM's size in one direction, which no register states, and the number of weights."""
        stride_bits = self.registers.get(Narrow.KERNEL_STRIDE)
        low, high, dilated = (stride_bits >> bit & 1 for bit in bits)
        stride, dilation = 1 + low + 2 * high, 1 + dilated
        kernel = self.registers.plus_one(Narrow[f"KERNEL_{name}_M1"])
        if (kernel - 1) % dilation:
            raise self.refusal(f"a kernel {name.lower()} of {kernel} with dilation {dilation}")
        before, after = (self.registers.get(Narrow[f"IFM_PAD_{pad}"]) for pad in pads)
        size = (ofm - 1) * stride + kernel - before - after
        if size < 1:
            raise self.refusal(
                f"padding of {before} and {after} leaves no IFM in its {name.lower()}"
            )
        if self.registers.get(Narrow.IFM_UPSCALE):
            size = (size + 1) // 2
        return size, (kernel - 1) // dilation + 1

    def window(self) -> tuple[tuple[int, int], int]:
        """The IFM's height and width, and the number of weights for each pair of channels."""
        height, taps_y = self._axis("HEIGHT", self.size[0], (1, 9, 4), ("TOP", "BOTTOM"))
        width, taps_x = self._axis("WIDTH", self.size[1], (0, 6, 3), ("LEFT", "RIGHT"))
        return (height, width), taps_y * taps_x

    @property
    def cores(self) -> int:
        """Those that work: an Ethos-U65 has one stream of weights for all, or one for each."""
        parallel = self.config.u85 or self.registers.get(Narrow.PARALLEL_MODE) != 0
        return self.config.cores if parallel else 1

    @property
    def keeps_sums(self) -> bool:
        """Ethos-U85: the OFM stays in the accumulators."""
        return self.config.u85 and bool(self.registers.get(Narrow.ACC_FORMAT) >> 6 & 1)

    def accumulators(self) -> None:
        """Ethos-U85: an operation may go on from a feature map."""
        source = self.registers.get(Narrow.ACC_FORMAT) >> 4 & 3
        if self.config.u85 and source == _ACCUMULATES_IFM2:
            self.input("IFM2", self.size)

    def channel_scales(self, cores: int) -> None:
        if self.registers.get(Narrow.OFM_PRECISION) >> 8 & 1 or self.keeps_sums:
            return
        region = self.registers.get(Narrow.SCALE_REGION)
        names = (Wide.SCALE_LENGTH, Wide.SCALE1_LENGTH)
        for core, name in enumerate(names[:cores]):
            if (self.size[2] + cores - 1 - core) // cores:
                self.count(self.operation.read, region, self.registers.extent(name))

    def weight_streams(self) -> None:
        shared = self.registers.get(Narrow.WEIGHT_FORMAT) & 1
        region = self.registers.get(Narrow.WEIGHT_REGION)
        names = ("WEIGHT_LENGTH", "WEIGHT1_LENGTH", "WEIGHT2_LENGTH", "WEIGHT3_LENGTH")
        for name in names[: 1 if shared else self.cores]:
            length = self.registers.extent(Wide[name])
            self.operation.compressed_weights += length
            self.count(self.operation.read, region, length)

    # ---- The operations

    def convolution(self) -> None:
        self._convolve(depthwise=False)

    def depthwise(self) -> None:
        self._convolve(depthwise=True)

    def _convolve(self, depthwise: bool) -> None:
        self.output()
        (height, width), taps = self.window()
        self.accumulators()
        depth = self.size[2] if depthwise else self.registers.plus_one(Narrow.IFM_DEPTH_M1)
        self.input("IFM", (height, width, depth))
        channels = 1 if depthwise else depth
        if self.config.u85 and self.parameter & 1:
            self.input("IFM2", (1, self.size[2], channels))
        else:
            self.weight_streams()
        self.channel_scales(1 if self.config.u85 else self.cores)
        self.operation.weights = self.size[2] * taps * channels
        self.operation.macs = self.operation.weights * self.size[0] * self.size[1]

    def pool(self) -> None:
        self.output()
        (height, width), _ = self.window()
        self.accumulators()
        if self.config.u85:
            self.channel_scales(1)
        reduces = self.operation.mode == "REDUCE_SUM"
        depth = self.registers.plus_one(Narrow.IFM_DEPTH_M1) if reduces else self.size[2]
        if self.operation.mode != "NONE":
            self.input("IFM", (height, width, depth))

    def elementwise(self) -> None:
        self.output()
        for name in ("IFM",) if self.operation.mode in _UNARY else ("IFM", "IFM2"):
            bits = 0
            if self.config.u85 or name == "IFM2":
                bits = self.registers.get(Narrow[f"{name}_BROADCAST"])
            if bits & (_CONSTANT_U85 if self.config.u85 else _CONSTANT_U55):
                continue
            height, width, depth = (
                1 if bits & bit else size for bit, size in zip(_BROADCAST, self.size, strict=True)
            )
            self.input(name, (height, width, depth))

    def resize(self) -> None:
        self.output()
        get = self.registers.plus_one
        size = (get(Narrow.KERNEL_HEIGHT_M1), get(Narrow.KERNEL_WIDTH_M1), self.size[2])
        self.input("IFM", size)

    def copy(self) -> None:
        get = self.registers.get
        source, target = get(Narrow.DMA0_SRC_REGION), get(Narrow.DMA0_DST_REGION)
        length = self.registers.extent(Wide.DMA0_LEN)
        self.count(self.operation.read, source & 7, length)
        if not target & _INTERNAL:
            self.count(self.operation.written, target & 7, length)


_DESCRIBE = {
    Op.CONV: _Description.convolution,
    Op.DEPTHWISE: _Description.depthwise,
    Op.POOL: _Description.pool,
    Op.ELEMENTWISE: _Description.elementwise,
    Op.RESIZE: _Description.resize,
    Op.DMA_START: _Description.copy,
}


def _mode(command: Command) -> str:
    modes = {
        Op.POOL: dict(enumerate(_POOL_MODES)),
        Op.ELEMENTWISE: _ELEMENTWISE_MODES,
        Op.RESIZE: dict(enumerate(_RESIZE_MODES)),
    }.get(command.op)
    if modes is None:
        return ""
    if command.parameter not in modes:
        raise ProgramError(
            f"the unknown mode {command.parameter}",
            f"Ethos-U command {command.number}, NPU_OP_{command.op.name}",
        )
    return modes[command.parameter]
