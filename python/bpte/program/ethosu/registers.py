# SPDX-License-Identifier: BSD-3-Clause
"""The numbers of an Ethos-U's command stream, under the names that Arm gives them.

The same as in ``runtime/bpte/engine/ethosu/internal/registers.h``; a test holds them together.
"""

from __future__ import annotations

from enum import IntEnum


class Op(IntEnum):
    """What the NPU does."""

    STOP = 0x000
    IRQ = 0x001
    CONV = 0x002
    DEPTHWISE = 0x003
    POOL = 0x005
    ELEMENTWISE = 0x006
    RESIZE = 0x007
    DMA_START = 0x010
    DMA_WAIT = 0x011
    KERNEL_WAIT = 0x012
    PMU_MASK = 0x013


class Narrow(IntEnum):
    """Registers of 16 bits that an operation's description reads."""

    IFM_PAD_TOP = 0x100
    IFM_PAD_LEFT = 0x101
    IFM_PAD_RIGHT = 0x102
    IFM_PAD_BOTTOM = 0x103
    IFM_DEPTH_M1 = 0x104
    IFM_PRECISION = 0x105
    IFM_UPSCALE = 0x107
    IFM_BROADCAST = 0x108
    IFM_ZERO_POINT = 0x109
    IFM_REGION = 0x10F
    OFM_WIDTH_M1 = 0x111
    OFM_HEIGHT_M1 = 0x112
    OFM_DEPTH_M1 = 0x113
    OFM_PRECISION = 0x114
    OFM_BLK_WIDTH_M1 = 0x115
    OFM_BLK_HEIGHT_M1 = 0x116
    OFM_BLK_DEPTH_M1 = 0x117
    OFM_ZERO_POINT = 0x118
    OFM_REGION = 0x11F
    KERNEL_WIDTH_M1 = 0x120
    KERNEL_HEIGHT_M1 = 0x121
    KERNEL_STRIDE = 0x122
    PARALLEL_MODE = 0x123
    ACC_FORMAT = 0x124
    WEIGHT_REGION = 0x128
    SCALE_REGION = 0x129
    WEIGHT_FORMAT = 0x12E
    DMA0_SRC_REGION = 0x130
    DMA0_DST_REGION = 0x131
    IFM2_BROADCAST = 0x180
    IFM2_PRECISION = 0x185
    IFM2_ZERO_POINT = 0x189
    IFM2_REGION = 0x18F


class Wide(IntEnum):
    """Registers of 48 bits that an operation's description reads."""

    IFM_BASE0 = 0x00
    IFM_STRIDE_X = 0x04
    IFM_STRIDE_Y = 0x05
    OFM_BASE0 = 0x10
    OFM_STRIDE_X = 0x14
    OFM_STRIDE_Y = 0x15
    WEIGHT_LENGTH = 0x21
    SCALE_LENGTH = 0x23
    DMA0_LEN = 0x32
    IFM2_BASE0 = 0x80
    IFM2_STRIDE_X = 0x84
    IFM2_STRIDE_Y = 0x85
    WEIGHT1_LENGTH = 0x91
    SCALE1_LENGTH = 0x93
    WEIGHT2_LENGTH = 0x93
    WEIGHT3_LENGTH = 0x95


#: The first register of a row of sixteen: a bit for each that exists, of the Ethos-U55 (and U65),
#: and of the Ethos-U85.
NARROW_ROWS = {
    0x100: (0xBEBF, 0x9FBF),
    0x110: (0x9DFE, 0x9DFE),
    0x120: (0xA3FF, 0xFFF7),
    0x130: (0x000F, 0x001F),
    0x180: (0xBE23, 0x9E21),
}
WIDE_ROWS = {
    0x00: (0x007F, 0x007F),
    0x10: (0x007F, 0x007F),
    0x20: (0x007F, 0x00FF),
    0x30: (0x001F, 0x03FF),
    0x80: (0x007F, 0x007F),
    0x90: (0x000F, 0x00FF),
}


def exists(rows: dict[int, tuple[int, int]], number: int, u85: bool) -> bool:
    return bool(rows.get(number & ~15, (0, 0))[u85] >> (number & 15) & 1)
