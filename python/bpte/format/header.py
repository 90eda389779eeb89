# SPDX-License-Identifier: BSD-3-Clause
"""The first bytes of a file: the identifier and, in BP09, the extended header."""

from __future__ import annotations

import struct
from typing import NamedTuple

from bpte.format import layout
from bpte.format.metadata import FEATURE_BUDGETS, FEATURE_METRICS, FEATURE_STEPS
from bpte.format.rules import BundleError, Rule

BP08 = "bp08"
"""ExecuTorch 1.x's own format."""
BP09 = "bp09"
FORMATS = (BP09, BP08)
"""As users name them, the usual one first."""


def identifier(format: str) -> bytes:
    """Bytes 4 to 7 of a file of this format."""
    return format.upper().encode("ascii")


KNOWN_FEATURES = FEATURE_STEPS | FEATURE_METRICS | FEATURE_BUDGETS
"""Bits of ``required_features`` that this reader understands."""

FEATURES_AT = layout.HEADER_AT + 44

# magic, header_length, file_size, metadata_size, segment_base_offset, segment_data_size,
# base_alignment, required_features, metadata_crc32, reserved
_HEADER = struct.Struct("<4sIQQQQIII12s")
_MAGIC = b"BH01"
_AT = layout.HEADER_AT
_CRC_AT = _AT + 48
_MIN_SIZE = _AT + layout.HEADER_LENGTH
_MIN_SIZE_BP08 = 16
_U64 = (1 << 64) - 1


class Header(NamedTuple):
    """The extended header. For BP08: the facts that it has, and zeros."""

    format: str
    """One of ``FORMATS``."""
    file_size: int
    metadata_size: int
    segment_base_offset: int = 0
    segment_data_size: int = 0
    base_alignment: int = 16
    header_length: int = 0
    required_features: int = 0
    metadata_crc32: int = 0


def _format(first_bytes: bytes, real_size: int) -> str:
    """One of ``FORMATS``; the file is long enough for its header."""
    if real_size < 8:
        raise BundleError(Rule.TOO_SHORT, value=real_size, expected=8)
    found = first_bytes[4:8]
    if found[:2] != b"BP":
        raise BundleError(Rule.NOT_A_BUNDLE, offset=4, value=found)
    if found == identifier(BP08):
        if real_size < _MIN_SIZE_BP08:
            raise BundleError(Rule.TOO_SHORT, value=real_size, expected=_MIN_SIZE_BP08)
        return BP08
    if found != identifier(BP09):
        raise BundleError(Rule.UNKNOWN_VERSION, offset=4, value=found)
    if real_size < _MIN_SIZE:
        raise BundleError(Rule.TOO_SHORT, value=real_size, expected=_MIN_SIZE)
    return BP09


def parse(first_bytes: bytes, real_size: int) -> Header:
    """Reads and checks the header from a file's first 128 bytes (fewer when the file is shorter).

    ``real_size`` is the file's length. Raises ``BundleError``.
    """
    if _format(first_bytes, real_size) == BP08:
        return Header(BP08, real_size, real_size)
    (
        magic,
        length,
        file_size,
        metadata_size,
        base_offset,
        data_size,
        base_alignment,
        features,
        crc32,
        reserved,
    ) = _HEADER.unpack_from(first_bytes, _AT)

    def fault(rule: Rule, at: int, value: object, expected: object = None) -> BundleError:
        return BundleError(rule, offset=_AT + at, value=value, expected=expected)

    if magic != _MAGIC:
        raise fault(Rule.HEADER_MAGIC, 0, magic)
    if length < layout.HEADER_LENGTH or length % 8 or _AT + length > metadata_size:
        raise fault(Rule.HEADER_LENGTH, 4, length, metadata_size)
    if reserved != bytes(12):
        at = next(i for i, byte in enumerate(reserved) if byte)
        raise fault(Rule.HEADER_RESERVED, 52 + at, reserved[at])
    if features & ~KNOWN_FEATURES:
        raise fault(Rule.UNKNOWN_FEATURE, 44, features)
    if not layout.is_power_of_two(base_alignment) or not (
        layout.MIN_PROGRAM_ALIGNMENT <= base_alignment <= layout.MAX_BASE_ALIGNMENT
    ):
        raise fault(Rule.BASE_ALIGNMENT, 40, base_alignment)
    limit = min(base_offset, layout.MAX_FLATBUFFER)
    if metadata_size > limit:
        raise fault(Rule.METADATA_SIZE, 16, metadata_size, limit)
    if base_offset != layout.align_up(metadata_size, base_alignment):
        raise fault(Rule.SEGMENT_BASE, 24, base_offset, base_alignment)
    if base_offset + data_size > _U64:
        raise fault(Rule.OVERFLOW, 32, data_size, _U64 - base_offset)
    if base_offset + data_size != file_size:
        raise fault(Rule.FILE_SIZE, 8, file_size, base_offset + data_size)
    if real_size < file_size:
        raise fault(Rule.TRUNCATED, 8, real_size, file_size)
    if real_size > file_size:
        raise fault(Rule.TRAILING_BYTES, 8, real_size, file_size)
    return Header(
        BP09,
        file_size,
        metadata_size,
        base_offset,
        data_size,
        base_alignment,
        length,
        features,
        crc32,
    )


def seal(metadata: bytearray, plan: layout.Plan, features: int) -> None:
    """Writes the extended header, checksum included, into finished BP09 metadata."""
    import zlib

    _HEADER.pack_into(
        metadata,
        _AT,
        _MAGIC,
        layout.HEADER_LENGTH,
        plan.file_size,
        len(metadata),
        plan.segment_base_offset,
        plan.segment_data_size,
        plan.base_alignment,
        features,
        0,
        bytes(12),
    )
    struct.pack_into("<I", metadata, _CRC_AT, zlib.crc32(metadata))


def check_metadata_crc(header: Header, metadata: bytes) -> None:
    """Raises ``BundleError`` when the metadata's checksum differs."""
    import zlib

    crc = zlib.crc32(metadata[:_CRC_AT])
    crc = zlib.crc32(bytes(4), crc)
    crc = zlib.crc32(memoryview(metadata)[_CRC_AT + 4 :], crc)
    if crc != header.metadata_crc32:
        raise BundleError(
            Rule.METADATA_CHECKSUM,
            offset=_CRC_AT,
            value=crc,
            expected=header.metadata_crc32,
        )
