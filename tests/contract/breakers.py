# SPDX-License-Identifier: BSD-3-Clause
"""Files that break one rule each, and odd ones that break none.

Every reader of the project is held against the same list:

    from breakers import ACCEPTED, BREAKERS

    @pytest.mark.parametrize("breaker", BREAKERS, ids=str)
    def test_names_the_rule(breaker, tmp_path):
        path = tmp_path / "broken.bpte"
        path.write_bytes(breaker.make())
        with pytest.raises(bpte.BundleError) as caught:
            bpte.open(path, verify=breaker.needs_checksums)
        assert caught.value.rule == breaker.rule      # the rule's name, as in schema/README.md

A `Breaker` has: `name`, unique; `rule`; `format`, "BP08" or "BP09"; `needs_checksums`, when the
rule is only looked at with checksums asked for (opening without them succeeds); `place`, what the
error must say of where (keys suite, case, step, input, output, segment); `make()`, the file's
bytes. An `Accepted` has `name`, `format` and `make()`; opening it with checksums must succeed.

The bytes come from the assembler below, which knows nothing of the producer: it lays a tree of
tables, vectors and strings down front to back, exactly as told, however wrong. Checksums are made
right after the damage unless the checksum is the damage.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

HEADER = struct.Struct("<4sIQQQQIII12s")
BASE_ALIGNMENT = 128
U64 = (1 << 64) - 1

# --- An assembler of FlatBuffers -----------------------------------------------------------------


@dataclass(eq=False)
class Scalar:
    """A number stored in the table."""

    format: str
    value: float


@dataclass(eq=False)
class Struct:
    """A struct stored in the table."""

    data: bytes
    align: int


@dataclass(eq=False)
class Vector:
    """A vector of numbers or structs: `data` is its elements' bytes. `skew` bytes misalign it."""

    data: bytes
    item_size: int = 1
    align: int = 1
    skew: int = 0


@dataclass(eq=False)
class String:
    text: bytes


@dataclass(eq=False)
class Tables:
    """A vector of tables."""

    items: list[Table]


@dataclass(eq=False)
class Table:
    """A table: its fields by their number in the schema. Absent fields are left out."""

    fields: dict[int, Scalar | Struct | Vector | String | Tables | Table] = field(
        default_factory=dict
    )


Node = Scalar | Struct | Vector | String | Tables | Table


class Assembler:
    """Lays nodes down, what refers before what is referred to; a node met twice is shared.

    Remembers where everything went.
    """

    def __init__(self, prefix: bytes, root: Table) -> None:
        self.data = bytearray(prefix)
        self.at: dict[int, int] = {}  # id(node): a table, or a vector's or string's length
        self.vtable: dict[int, int] = {}  # id(table)
        self.field: dict[tuple[int, int], int] = {}  # id(table), number
        self._references: list[tuple[int, Node]] = [(0, root)]
        order: list[Node] = []
        self._visit(root, set(), order)
        for node in reversed(order):
            self._place(node)
        for slot, node in self._references:
            struct.pack_into("<I", self.data, slot, self.at[id(node)] - slot)

    def _visit(self, node: Node, seen: set[int], order: list[Node]) -> None:
        """Post-order; reversed, it has everything behind all that refers to it."""
        if id(node) in seen or isinstance(node, (Scalar, Struct)):
            return
        seen.add(id(node))
        children: list[Node] = []
        if isinstance(node, Table):
            children = list(node.fields.values())
        elif isinstance(node, Tables):
            children = list(node.items)
        for child in reversed(children):
            self._visit(child, seen, order)
        order.append(node)

    def _pad(self, align: int, ahead: int = 0) -> None:
        self.data += bytes(-(len(self.data) + ahead) % align)

    def _place(self, node: Node) -> None:
        if isinstance(node, Table):
            self._table(node)
        elif isinstance(node, Tables):
            self._pad(4)
            self.at[id(node)] = at = len(self.data)
            self.data += struct.pack("<I", len(node.items)) + bytes(4 * len(node.items))
            self._references += [(at + 4 + 4 * i, item) for i, item in enumerate(node.items)]
        elif isinstance(node, Vector):
            self._pad(max(4, node.align), 4)
            self.data += bytes(node.skew)
            self.at[id(node)] = len(self.data)
            self.data += struct.pack("<I", len(node.data) // node.item_size) + node.data
        elif isinstance(node, String):
            self._pad(4)
            self.at[id(node)] = len(self.data)
            self.data += struct.pack("<I", len(node.text)) + node.text + b"\0"

    def _table(self, table: Table) -> None:
        count = max(table.fields, default=-1) + 1
        offsets = [0] * count
        size = 4
        for number in sorted(table.fields, key=lambda n: -self._inline(table.fields[n])[1]):
            length, align = self._inline(table.fields[number])
            size += -size % align
            offsets[number] = size
            size += length
        self._pad(2)
        vtable = len(self.data)
        self.data += struct.pack(f"<HH{count}H", 4 + 2 * count, size, *offsets)
        # Offsets were chosen from a table aligned to 8.
        self._pad(8)
        at = len(self.data)
        self.at[id(table)] = at
        self.vtable[id(table)] = vtable
        self.data += struct.pack("<i", at - vtable) + bytes(size - 4)
        for number, node in table.fields.items():
            where = at + offsets[number]
            self.field[id(table), number] = where
            if isinstance(node, Scalar):
                struct.pack_into("<" + node.format, self.data, where, node.value)
            elif isinstance(node, Struct):
                self.data[where : where + len(node.data)] = node.data
        for number, node in table.fields.items():
            if not isinstance(node, (Scalar, Struct)):
                self._references.append((self.field[id(table), number], node))

    @staticmethod
    def _inline(node: Node) -> tuple[int, int]:
        if isinstance(node, Scalar):
            size = struct.calcsize("<" + node.format)
            return size, size
        if isinstance(node, Struct):
            return len(node.data), node.align
        return 4, 4


# --- A bundle ------------------------------------------------------------------------------------

# Numbers of schema/bpte.fbs.
TENSOR, INT, BOOL, DOUBLE = 1, 2, 3, 4
FLOAT32, INT8, INT64 = 6, 1, 4
SCALAR_TYPE, SIZES, DATA, DIM_ORDER, PAYLOAD = range(5)
RTOL, ATOL, SHARE, SQNR, COSINE, NAN_POLICY, NOT_COMPARED = range(7)
INPUTS, OUTPUTS, NAME, TOLERANCES = range(4)
METHOD, CASES, SUITE_TOLERANCES = range(3)
VERSION, SUITES, PROGRAM, SEGMENTS, PROGRAM_SEGMENT, NAMED_DATA, METADATA = range(7)

Patch = Callable[[bytearray, Assembler], None]


def ints(*values: int) -> Vector:
    return Vector(struct.pack(f"<{len(values)}i", *values), 4, 4)


@dataclass
class Segment:
    content: bytes
    alignment: int = 16
    # What the table says of it; None is the truth.
    offset: int | None = None
    size: int | None = None
    crc32: int | None = None


class Model:
    """A valid bundle with a bit of everything, open to damage.

    Two suites: "forward" with two cases of tensors and scalars, "generate" with one of scalars.
    """

    def __init__(self, format: str) -> None:
        self.format = format
        self.bp09 = format == "BP09"
        self.program_bytes = bytes(range(256)) + bytes(44)
        self.segments = [Segment(self.program_bytes, 128)]
        self.header: dict[str, int | bytes] = {}
        self.header_length = 64
        self.base_alignment = BASE_ALIGNMENT
        self.identifier = format.encode()
        self.patches: list[Patch] = []  # before checksums
        self.late: list[Callable[[bytearray], bytearray]] = []  # after them, on the whole file

        self.tolerance = Table({RTOL: Scalar("d", 1e-3), ATOL: Scalar("d", 1e-4)})
        self.case_tolerances = [self.tolerance]
        self.suite_tolerance = Table(
            {SHARE: Scalar("d", 0.25), SQNR: Scalar("d", -3.0), NAN_POLICY: Scalar("B", 1)}
        )
        self.cases: list[Table] = []
        self.tensors: list[list[Table]] = []  # of each case: two inputs and an output
        for case in range(2):
            first = struct.pack("<6f", *(case + i / 4 for i in range(6)))
            second = bytes(range(5))
            result = struct.pack("<6f", *(i - case for i in range(6)))
            content = first.ljust(32, b"\0") + second.ljust(16, b"\0") + result
            index = len(self.segments)
            self.segments.append(Segment(content))
            tensors = [
                self.tensor(FLOAT32, (2, 3), (0, 1), first, index, 0),
                self.tensor(INT8, (1, 5, 1), (0, 2, 1), second, index, 32),
                self.tensor(FLOAT32, (2, 3), (1, 0), result, index, 48),
            ]
            self.tensors.append(tensors)
            inputs = [self.value(TENSOR, tensors[0]), self.value(TENSOR, tensors[1])]
            inputs.append(self.value(INT, Table({0: Scalar("q", -7)})))
            outputs = [self.value(TENSOR, tensors[2])]
            outputs.append(self.value(DOUBLE, Table({0: Scalar("d", 0.5)})))
            self.cases.append(Table({INPUTS: Tables(inputs), OUTPUTS: Tables(outputs)}))
        self.cases[0].fields[NAME] = String("größte".encode())
        self.cases[0].fields[TOLERANCES] = Tables(self.case_tolerances)
        scalar_case = Table(
            {
                INPUTS: Tables([self.value(BOOL, Table({0: Scalar("B", 1)}))]),
                OUTPUTS: Tables([self.value(INT, Table())]),
            }
        )
        self.cases.append(scalar_case)
        self.suites = [
            Table(
                {
                    METHOD: String(b"forward"),
                    CASES: Tables(self.cases[:2]),
                    SUITE_TOLERANCES: Tables([self.suite_tolerance]),
                }
            ),
            Table({METHOD: String(b"generate"), CASES: Tables([scalar_case])}),
        ]
        self.key_value = Table({0: String(b"producer"), 1: String(b"by hand")})
        self.root = Table(
            {
                VERSION: Scalar("I", 2),
                SUITES: Tables(self.suites),
                METADATA: Tables([Table({0: String(b"model"), 1: String(b"")}), self.key_value]),
            }
        )
        self.named = Table()
        if self.bp09:
            self.segments.append(Segment(b"ten bytes!", 1))
            self.named = Table({0: String(b"weights"), 1: Scalar("I", len(self.segments) - 1)})
            self.root.fields[NAMED_DATA] = Tables([self.named])
            self.root.fields[PROGRAM_SEGMENT] = Scalar("I", 0)
        else:
            self.root.fields[PROGRAM] = Vector(self.program_bytes, 1, 128)

    def tensor(
        self,
        scalar_type: int,
        sizes: tuple[int, ...],
        dim_order: tuple[int, ...],
        data: bytes,
        segment: int,
        offset: int,
    ) -> Table:
        table = Table(
            {
                SCALAR_TYPE: Scalar("b", scalar_type),
                SIZES: ints(*sizes),
                DIM_ORDER: Vector(bytes(dim_order)),
            }
        )
        if self.bp09:
            table.fields[PAYLOAD] = payload(offset, len(data), segment)
        else:
            table.fields[DATA] = Vector(data, 1, 16)
        return table

    @staticmethod
    def value(kind: int, table: Table) -> Table:
        return Table({0: Scalar("B", kind), 1: table})

    def values(self, case: int, outputs: bool = False) -> list[Table]:
        vector = self.cases[case].fields[OUTPUTS if outputs else INPUTS]
        assert isinstance(vector, Tables)
        return vector.items

    # --- to bytes ---

    def build(self) -> bytes:
        prefix = bytes(4) + self.identifier
        if self.bp09:
            prefix += bytes(self.header_length)
            table = Vector(bytes(24 * len(self.segments)), 24, 8)
            if SEGMENTS not in self.root.fields:
                self.root.fields[SEGMENTS] = table
        assembler = Assembler(prefix, self.root)
        if not self.bp09:
            for patch in self.patches:
                patch(assembler.data, assembler)
            return self._late(assembler.data)

        rows = []  # as the table tells them: offset, size, alignment, crc32
        starts = []  # where the contents really lie
        end = 0
        for segment in self.segments:
            start = end + -end % (segment.alignment if 0 < segment.alignment <= 4096 else 16)
            starts.append(start)
            offset = start if segment.offset is None else segment.offset
            size = len(segment.content) if segment.size is None else segment.size
            crc32 = zlib.crc32(segment.content) if segment.crc32 is None else segment.crc32
            rows.append((offset, size, segment.alignment, crc32))
            end = start + len(segment.content)
        table_node = self.root.fields.get(SEGMENTS)
        if isinstance(table_node, Vector) and len(table_node.data) == 24 * len(rows):
            for index, row in enumerate(rows):
                where = assembler.at[id(table_node)] + 4 + 24 * index
                struct.pack_into("<QQII", assembler.data, where, *row)

        metadata = assembler.data
        metadata_size = len(metadata)
        base = metadata_size + -metadata_size % self.base_alignment
        header: dict[str, int | bytes] = {
            "magic": b"BH01",
            "header_length": self.header_length,
            "file_size": base + end,
            "metadata_size": metadata_size,
            "segment_base_offset": base,
            "segment_data_size": end,
            "base_alignment": self.base_alignment,
            "required_features": 0,
            "metadata_crc32": 0,
            "reserved": bytes(12),
        }
        header.update(self.header)
        HEADER.pack_into(metadata, 8, *header.values())
        for patch in self.patches:
            patch(metadata, assembler)
        if "metadata_crc32" not in self.header:
            struct.pack_into("<I", metadata, 56, 0)
            struct.pack_into("<I", metadata, 56, zlib.crc32(metadata))
        file = metadata + bytes(base - metadata_size)
        for start, segment in zip(starts, self.segments, strict=True):
            file += bytes(base + start - len(file)) + segment.content
        return self._late(file)

    def _late(self, file: bytearray) -> bytes:
        for change in self.late:
            file = change(file)
        return bytes(file)


def payload(offset: int, size: int, segment: int) -> Struct:
    return Struct(struct.pack("<QQI4x", offset, size, segment), 8)


# --- The list ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Breaker:
    name: str
    rule: str
    format: str
    change: Callable[[Model], None]
    needs_checksums: bool = False
    place: Mapping[str, int] = field(default_factory=dict)

    def make(self) -> bytes:
        model = Model(self.format)
        self.change(model)
        return model.build()

    def __str__(self) -> str:
        return f"{self.format}-{self.name}"


@dataclass(frozen=True)
class Accepted:
    name: str
    format: str
    change: Callable[[Model], None]

    def make(self) -> bytes:
        model = Model(self.format)
        self.change(model)
        return model.build()

    def __str__(self) -> str:
        return f"{self.format}-{self.name}"


BREAKERS: list[Breaker] = []
ACCEPTED: list[Accepted] = []

Change = Callable[[Model], None]


def _breaks(
    rule: str,
    name: str | None = None,
    formats: str = "BP08 BP09",
    *,
    checksums: bool = False,
    **place: int,
) -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        label = (name or getattr(change, "__name__", rule)).strip("_").replace("_", "-")
        for format in formats.split():
            BREAKERS.append(Breaker(label, rule, format, change, checksums, place))
        return change

    return register


def _accepts(formats: str = "BP08 BP09") -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        for format in formats.split():
            ACCEPTED.append(Accepted(change.__name__.strip("_").replace("_", "-"), format, change))
        return change

    return register


BP08 = "BP08"
BP09 = "BP09"


def _drop(model: Model, table: Table, number: int) -> None:
    del table.fields[number]


# The file.


def _cut(size: int) -> Change:
    def change(model: Model) -> None:
        model.late.append(lambda file: file[:size])

    return change


for _size in (0, 1, 4, 7):
    _breaks("too_short", f"{_size}-bytes")(_cut(_size))
_breaks("too_short", "15-bytes", BP08)(_cut(15))
for _size in (8, 15, 16, 71):
    _breaks("too_short", f"{_size}-bytes", BP09)(_cut(_size))


@_breaks("not_a_bundle")
def _other_identifier(m: Model) -> None:
    m.identifier = b"ET12"


@_breaks("not_a_bundle")
def _zeros_in_place_of_an_identifier(m: Model) -> None:
    m.identifier = bytes(4)


@_breaks("unknown_version")
def _bp10(m: Model) -> None:
    m.identifier = b"BP10"


@_breaks("unknown_version")
def _bp07(m: Model) -> None:
    m.identifier = b"BP07"


@_breaks("schema_version")
def _version_999(m: Model) -> None:
    m.root.fields[VERSION] = Scalar("I", 999)


@_breaks("schema_version")
def _version_absent(m: Model) -> None:
    _drop(m, m.root, VERSION)


@_breaks("schema_version")
def _version_3(m: Model) -> None:
    m.root.fields[VERSION] = Scalar("I", 3)


# The header.


def _header(rule: str, name: str, **fields: int | bytes) -> None:
    def change(model: Model) -> None:
        model.header.update(fields)

    _breaks(rule, name, BP09)(change)


_header("header_magic", "magic-BH02", magic=b"BH02")
_header("header_magic", "magic-of-a-pte", magic=b"eh00")
_header("header_length", "header-length-0", header_length=0)
_header("header_length", "header-length-56", header_length=56)
_header("header_length", "header-length-68", header_length=68)
_header("header_length", "header-length-beyond-metadata", header_length=1 << 20)
_header("header_length", "header-length-wraps-32-bits", header_length=0xFFFFFFF8)
_header("header_length", "metadata-of-71-bytes", metadata_size=71, segment_base_offset=128)
_header("header_reserved", "first-reserved-byte", reserved=b"\1" + bytes(11))
_header("header_reserved", "last-reserved-byte", reserved=bytes(11) + b"\x80")
_header("unknown_feature", "feature-bit-3", required_features=1 << 3)
_header("unknown_feature", "feature-bit-31", required_features=1 << 31)
_header("base_alignment", "base-alignment-0", base_alignment=0)
_header("base_alignment", "base-alignment-64", base_alignment=64)
_header("base_alignment", "base-alignment-192", base_alignment=192)
_header("base_alignment", "base-alignment-4-mib", base_alignment=4 << 20)
_header("base_alignment", "base-alignment-2-to-31", base_alignment=1 << 31)
_header("metadata_size", "metadata-past-segments", metadata_size=1 << 20)
_header("metadata_size", "metadata-size-wraps", metadata_size=U64)
_header(
    "metadata_size",
    "metadata-of-2-gib",
    metadata_size=1 << 31,
    segment_base_offset=1 << 31,
    segment_data_size=128,
    file_size=(1 << 31) + 128,
)
_header("segment_base", "segment-base-unaligned", segment_base_offset=(1 << 20) + 8)
_header("segment_base", "segment-base-too-far", segment_base_offset=1 << 20)
_header("segment_base", "segment-base-at-the-end", segment_base_offset=U64 - 127)
_header("file_size", "file-size-0", file_size=0)
_header("file_size", "segment-data-size-0", segment_data_size=0)


@_breaks("file_size", formats=BP09)
def _file_size_one_more(m: Model) -> None:
    def patch(data: bytearray, _: Assembler) -> None:
        (size,) = struct.unpack_from("<Q", data, 16)
        struct.pack_into("<Q", data, 16, size + 1)

    m.patches.append(patch)


@_breaks("overflow", formats=BP09)
def _sum_of_header_wraps(m: Model) -> None:
    def patch(data: bytearray, _: Assembler) -> None:
        (base,) = struct.unpack_from("<Q", data, 32)
        # A sum that wraps to the very file_size stated.
        struct.pack_into("<Q", data, 40, U64 - 63)
        struct.pack_into("<Q", data, 16, base - 64)

    m.patches.append(patch)


@_breaks("truncated", formats=BP09)
def _last_byte_cut(m: Model) -> None:
    m.late.append(lambda file: file[:-1])


@_breaks("truncated", formats=BP09)
def _cut_inside_metadata(m: Model) -> None:
    m.late.append(lambda file: file[:200])


@_breaks("truncated", formats=BP09)
def _cut_after_metadata(m: Model) -> None:
    m.late.append(lambda file: file[: struct.unpack_from("<Q", file, 24)[0]])


@_breaks("trailing_bytes", formats=BP09)
def _one_byte_more(m: Model) -> None:
    m.late.append(lambda file: file + b"\0")


@_breaks("trailing_bytes", formats=BP09)
def _twice_the_file(m: Model) -> None:
    m.late.append(lambda file: file + file)


@_breaks("metadata_checksum", formats=BP09)
def _stored_checksum_wrong(m: Model) -> None:
    m.header["metadata_crc32"] = 0x12345678


@_breaks("metadata_checksum", formats=BP09)
def _bit_flipped_in_metadata(m: Model) -> None:
    def change(file: bytearray) -> bytearray:
        file[struct.unpack_from("<Q", file, 24)[0] - 1] ^= 1
        return file

    m.late.append(change)


@_breaks("padding", formats=BP09, checksums=True)
def _byte_after_metadata(m: Model) -> None:
    def change(file: bytearray) -> bytearray:
        metadata, base = struct.unpack_from("<QQ", file, 24)
        assert metadata < base
        file[base - 1] = 1
        return file

    m.late.append(change)


@_breaks("padding", formats=BP09, checksums=True)
def _byte_between_segments(m: Model) -> None:
    def change(file: bytearray) -> bytearray:
        (base,) = struct.unpack_from("<Q", file, 32)
        assert len(m.program_bytes) % 16
        file[base + len(m.program_bytes)] = 0x80
        return file

    m.late.append(change)


# The metadata as a FlatBuffer.


def _poke(format: str, where: Callable[[Model, Assembler], int], value: int) -> Change:
    def change(model: Model) -> None:
        model.patches.append(
            lambda data, assembler: struct.pack_into(
                "<" + format, data, where(model, assembler), value
            )
        )

    return change


def _malformed(name: str, change: Change, formats: str = "BP08 BP09") -> None:
    _breaks("metadata_malformed", name, formats)(change)


def _root_field(number: int) -> Callable[[Model, Assembler], int]:
    return lambda m, a: a.field[id(m.root), number]


def _first_tensor_field(number: int) -> Callable[[Model, Assembler], int]:
    return lambda m, a: a.field[id(m.tensors[0][0]), number]


def _vector(get: Callable[[Model], Node]) -> Callable[[Model, Assembler], int]:
    return lambda m, a: a.at[id(get(m))]


for _value in (0, 1 << 30, 1 << 31, 0xFFFFFFFC):
    _malformed(f"root-offset-{_value:#x}", _poke("I", lambda m, a: 0, _value))
    _malformed(f"suites-offset-{_value:#x}", _poke("I", _root_field(SUITES), _value))
    _malformed(
        f"union-offset-{_value:#x}",
        _poke("I", lambda m, a: a.field[id(m.values(0)[0]), 1], _value),
    )
    _malformed(
        f"first-case-offset-{_value:#x}",
        _poke("I", lambda m, a: a.at[id(m.suites[0].fields[CASES])] + 4, _value),
    )
    _malformed(f"sizes-offset-{_value:#x}", _poke("I", _first_tensor_field(SIZES), _value))
_malformed("program-offset-out-of-range", _poke("I", _root_field(PROGRAM), 1 << 30), BP08)
_malformed("root-offset-odd", _poke("I", lambda m, a: 0, 73))
_malformed("root-vtable-before-file", _poke("i", lambda m, a: a.at[id(m.root)], 1 << 30))
_malformed("root-vtable-past-file", _poke("i", lambda m, a: a.at[id(m.root)], -(1 << 30)))
_malformed("root-vtable-farthest", _poke("i", lambda m, a: a.at[id(m.root)], -(1 << 31)))
_malformed(
    "root-vtable-odd-position",
    lambda m: m.patches.append(
        lambda data, a: struct.pack_into(
            "<i", data, a.at[id(m.root)], a.at[id(m.root)] - a.vtable[id(m.root)] + 1
        )
    ),
)
_malformed("vtable-odd-size", _poke("H", lambda m, a: a.vtable[id(m.root)], 17))
_malformed("vtable-past-file", _poke("H", lambda m, a: a.vtable[id(m.root)], 0xFFFE))
_malformed("field-misaligned", _poke("H", lambda m, a: a.vtable[id(m.root)] + 4, 9))


@_breaks("metadata_malformed", formats=BP09)
def _field_past_metadata(m: Model) -> None:
    m.patches.append(
        lambda data, a: struct.pack_into("<H", data, a.vtable[id(m.tolerance)] + 4, 0xFFF8)
    )


for _count in (0xFFFFFFFF, 0x7FFFFFFF, 0x40000000, 0x3FFFFFFF, 100_000):
    for _label, _where in (
        ("suites", _vector(lambda m: m.root.fields[SUITES])),
        ("cases", _vector(lambda m: m.suites[0].fields[CASES])),
        ("inputs", _vector(lambda m: m.cases[0].fields[INPUTS])),
        ("outputs", _vector(lambda m: m.cases[0].fields[OUTPUTS])),
        ("sizes", _vector(lambda m: m.tensors[0][0].fields[SIZES])),
        ("dim-order", _vector(lambda m: m.tensors[0][0].fields[DIM_ORDER])),
        ("method-name", _vector(lambda m: m.suites[0].fields[METHOD])),
        ("case-name", _vector(lambda m: m.cases[0].fields[NAME])),
        ("tolerances", _vector(lambda m: m.cases[0].fields[TOLERANCES])),
    ):
        _malformed(f"{_label}-count-{_count:#x}", _poke("I", _where, _count))
    _malformed(
        f"segments-count-{_count:#x}",
        _poke("I", _vector(lambda m: m.root.fields[SEGMENTS]), _count),
        BP09,
    )
    _malformed(
        f"tensor-data-count-{_count:#x}",
        _poke("I", _vector(lambda m: m.tensors[0][0].fields[DATA]), _count),
        BP08,
    )
    _malformed(
        f"program-count-{_count:#x}",
        _poke("I", _vector(lambda m: m.root.fields[PROGRAM]), _count),
        BP08,
    )


@_breaks("metadata_malformed", formats=BP08)
def _bp08_last_byte_cut(m: Model) -> None:
    m.late.append(lambda file: file[:-1])


@_breaks("metadata_malformed", formats=BP08)
def _bp08_cut_to_20_bytes(m: Model) -> None:
    m.late.append(lambda file: file[:20])


@_breaks("metadata_malformed")
def _method_name_unterminated(m: Model) -> None:
    def patch(data: bytearray, a: Assembler) -> None:
        data[a.at[id(m.suites[0].fields[METHOD])] + 4 + len("forward")] = ord("!")

    m.patches.append(patch)


@_breaks("metadata_malformed")
def _key_unterminated(m: Model) -> None:
    def patch(data: bytearray, a: Assembler) -> None:
        data[a.at[id(m.key_value.fields[0])] + 4 + len("producer")] = 1

    m.patches.append(patch)


@_breaks("metadata_malformed", formats=BP09)
def _segments_misaligned(m: Model) -> None:
    m.root.fields[SEGMENTS] = Vector(bytes(24 * len(m.segments)), 24, 8, skew=4)


@_breaks("metadata_malformed", formats=BP08)
def _tensor_data_misaligned(m: Model) -> None:
    m.tensors[0][0].fields[DATA] = Vector(bytes(24), 1, 16, skew=4)


def _amplify(m: Model) -> None:
    """Shared vectors: a walk visits 200 * 200 * 200 values where 600 references are stored."""
    value = m.values(0)[0]
    many = Tables([value] * 200)
    case = Table({INPUTS: many, OUTPUTS: many})
    m.suites[0].fields[CASES] = Tables([case] * 200)
    m.suites[0].fields.pop(SUITE_TOLERANCES)
    cases = m.suites[0].fields[CASES]
    m.root.fields[SUITES] = Tables(
        [Table({METHOD: String(f"method{index}".encode()), CASES: cases}) for index in range(200)]
    )


_breaks("table_sharing", "shared-tables-amplify")(_amplify)


@_breaks("table_sharing")
def _one_long_text_for_many(m: Model) -> None:
    value = String(b"x" * 1000)
    m.root.fields[METADATA] = Tables(
        [Table({0: String(f"{index:02}".encode()), 1: value}) for index in range(60)]
    )


# The segments.


@_breaks("segments_missing", formats=BP09)
def _segments_absent(m: Model) -> None:
    m.root.fields[SEGMENTS] = m.root.fields[METADATA]
    m.patches.append(
        lambda data, a: struct.pack_into("<H", data, a.vtable[id(m.root)] + 4 + 2 * SEGMENTS, 0)
    )


@_breaks("segments_missing", formats=BP09)
def _segments_empty(m: Model) -> None:
    m.root.fields[SEGMENTS] = Vector(b"", 24, 8)


def _segment(rule: str, name: str, index: int, **fields: int) -> None:
    def change(model: Model) -> None:
        for key, value in fields.items():
            setattr(model.segments[index], key, value)

    _breaks(rule, name, BP09, segment=index)(change)


_segment("segment_alignment", "alignment-0", 1, alignment=0)
_segment("segment_alignment", "alignment-24", 1, alignment=24)
_segment("segment_alignment", "alignment-above-base", 0, alignment=256)
_segment("segment_alignment", "alignment-2-to-31", 1, alignment=1 << 31)
_segment("segment_alignment", "offset-not-aligned", 1, offset=312)
_segment("segment_order", "overlaps-by-16", 2, offset=304 + 64)
_segment("segment_order", "all-at-one-place", 1, offset=0)
_segment("segment_gap", "gap-of-one-alignment", 1, offset=304 + 16)
_segment("segment_gap", "first-does-not-begin-at-0", 0, offset=128)
_segment("segment_gap", "far-away", 1, offset=1 << 62)
_segment("segment_bounds", "last-ends-past-data", 3, size=11)
_segment("overflow", "offset-plus-size-wraps", 3, size=U64 - 8)


@_breaks("segment_bounds", formats=BP09)
def _last_ends_before_data(m: Model) -> None:
    m.segments[3].size = 9


@_breaks("segment_bounds", formats=BP09, segment=0)
def _first_larger_than_data(m: Model) -> None:
    m.segments[0].size = 1 << 40


@_breaks("segment_checksum", formats=BP09, checksums=True, segment=0)
def _program_checksum(m: Model) -> None:
    m.segments[0].crc32 = 1


@_breaks("segment_checksum", formats=BP09, checksums=True, segment=2)
def _case_byte_changed(m: Model) -> None:
    m.segments[2].crc32 = zlib.crc32(m.segments[2].content)
    m.segments[2].content = b"\xff" + m.segments[2].content[1:]


@_breaks("segment_checksum", formats=BP09, checksums=True, segment=4)
def _checksum_of_empty_segment(m: Model) -> None:
    m.segments.append(Segment(b"", 1, crc32=7))


# The program.


@_breaks("program_missing", formats=BP09)
def _program_segment_past_table(m: Model) -> None:
    m.root.fields[PROGRAM_SEGMENT] = Scalar("I", 4)


@_breaks("program_missing", formats=BP09)
def _program_segment_largest(m: Model) -> None:
    m.root.fields[PROGRAM_SEGMENT] = Scalar("I", 0xFFFFFFFF)


@_breaks("program_missing", formats=BP09)
def _program_segment_empty(m: Model) -> None:
    m.segments[0].content = b""


@_breaks("program_missing", formats=BP08)
def _program_absent(m: Model) -> None:
    _drop(m, m.root, PROGRAM)


@_breaks("program_missing", formats=BP08)
def _program_empty(m: Model) -> None:
    m.root.fields[PROGRAM] = Vector(b"", 1, 32)


@_breaks("program_alignment", formats=BP09)
def _program_aligned_to_64(m: Model) -> None:
    m.segments[0].alignment = 64


@_breaks("program_inline", formats=BP09)
def _program_inside_metadata(m: Model) -> None:
    m.root.fields[PROGRAM] = Vector(m.program_bytes, 1, 32)


# Suites, cases, values.


@_breaks("suites_missing")
def _suites_absent(m: Model) -> None:
    _drop(m, m.root, SUITES)


@_breaks("method_name_missing", suite=0)
def _method_name_absent(m: Model) -> None:
    _drop(m, m.suites[0], METHOD)


@_breaks("method_name_missing", suite=1)
def _method_name_empty(m: Model) -> None:
    m.suites[1].fields[METHOD] = String(b"")


@_breaks("duplicate_suite", formats=BP08, suite=1)
def _two_suites_for_a_method(m: Model) -> None:
    m.suites[1].fields[METHOD] = String(b"forward")


@_breaks("duplicate_suite", formats=BP08, suite=1)
def _one_suite_twice(m: Model) -> None:
    m.root.fields[SUITES] = Tables([m.suites[0], m.suites[0]])


@_breaks("too_many_suites", formats=BP08)
def _257_suites(m: Model) -> None:
    m.root.fields[SUITES] = Tables([_empty_suite(f"m{index}") for index in range(257)])


def _empty_suite(method: str) -> Table:
    return Table({METHOD: String(method.encode()), CASES: Tables([])})


# What is not in order, by the bytes of UTF-8: first the same twice, then in each byte's, a prefix's
# and the signs' ways.
for _name, _first, _second in (
    ("twice", "forward", "forward"),
    ("swapped", "forward", "encode"),
    ("prefix-last", "forward2", "forward"),
    ("sign-of-bytes", "é", "z"),
    ("capitals-first", "a", "B"),
    ("beyond-16-bits", "\U0001f642", "\uffe6"),  # UTF-16 has them the other way round
):

    def _suites(m: Model, first: str = _first, second: str = _second) -> None:
        m.suites[0].fields[METHOD] = String(first.encode())
        m.suites[1].fields[METHOD] = String(second.encode())

    def _named_keys(m: Model, first: str = _first, second: str = _second) -> None:
        names = (first, second)
        entries = [Table({0: String(name.encode()), 1: Scalar("I", 0)}) for name in names]
        m.root.fields[NAMED_DATA] = Tables(entries)

    def _metadata_keys(m: Model, first: str = _first, second: str = _second) -> None:
        names = (first, second)
        entries = [Table({0: String(name.encode()), 1: String(b"")}) for name in names]
        m.root.fields[METADATA] = Tables(entries)

    _breaks("key_order", f"suites-{_name}", BP09, suite=1)(_suites)
    _breaks("key_order", f"named-data-{_name}", BP09)(_named_keys)
    _breaks("key_order", f"metadata-{_name}")(_metadata_keys)


@_breaks("cases_missing", suite=1)
def _cases_absent(m: Model) -> None:
    _drop(m, m.suites[1], CASES)


@_breaks("inputs_missing", suite=0, case=1)
def _inputs_absent(m: Model) -> None:
    _drop(m, m.cases[1], INPUTS)


@_breaks("outputs_missing", suite=1, case=0)
def _outputs_absent(m: Model) -> None:
    _drop(m, m.cases[2], OUTPUTS)


@_breaks("value_missing", suite=0, case=0, input=2)
def _value_of_no_type(m: Model) -> None:
    m.values(0)[2].fields[0] = Scalar("B", 0)


@_breaks("value_missing", suite=0, case=1, output=1)
def _value_of_unknown_type(m: Model) -> None:
    m.values(1, True)[1].fields[0] = Scalar("B", 5)


@_breaks("value_missing", suite=0, case=1, input=0)
def _value_of_type_255(m: Model) -> None:
    m.values(1)[0].fields[0] = Scalar("B", 255)


@_breaks("value_missing", suite=0, case=0, input=0)
def _value_without_table(m: Model) -> None:
    _drop(m, m.values(0)[0], 1)


@_breaks("value_missing", suite=0, case=0, input=1)
def _value_table_empty(m: Model) -> None:
    m.values(0)[1].fields.clear()


for _name, _bytes in {
    "nul": b"a\0b",
    "lone-continuation": b"a\x80b",
    "overlong-slash": b"\xc0\xaf",
    "overlong-three": b"\xe0\x80\xaf",
    "surrogate": b"\xed\xa0\x80",
    "past-10ffff": b"\xf4\x90\x80\x80",
    "cut-short": b"abc\xe2\x82",
    "latin-1": "größte".encode("latin-1"),
    "five-bytes": b"\xf8\x88\x80\x80\x80",
    "ff": b"\xff",
}.items():

    def _method(m: Model, text: bytes = _bytes) -> None:
        m.suites[0].fields[METHOD] = String(text)

    def _case_name(m: Model, text: bytes = _bytes) -> None:
        m.cases[1].fields[NAME] = String(text)

    def _key(m: Model, text: bytes = _bytes) -> None:
        m.key_value.fields[0] = String(text)

    def _text_value(m: Model, text: bytes = _bytes) -> None:
        m.key_value.fields[1] = String(text)

    def _named_key(m: Model, text: bytes = _bytes) -> None:
        m.named.fields[0] = String(text)

    _breaks("text_encoding", f"method-name-{_name}", suite=0)(_method)
    _breaks("text_encoding", f"case-name-{_name}", suite=0, case=1)(_case_name)
    _breaks("text_encoding", f"metadata-key-{_name}")(_key)
    _breaks("text_encoding", f"metadata-value-{_name}")(_text_value)
    _breaks("text_encoding", f"named-data-key-{_name}", BP09)(_named_key)


@_breaks("tolerance_count", suite=0, case=0)
def _three_tolerances_for_two_outputs(m: Model) -> None:
    m.case_tolerances *= 3


@_breaks("tolerance_count", suite=0, case=1)
def _suite_tolerances_do_not_fit_second_case(m: Model) -> None:
    m.suites[0].fields[SUITE_TOLERANCES] = Tables([m.suite_tolerance] * 3)


@_breaks("tolerance_count", suite=1, case=0)
def _two_tolerances_without_outputs(m: Model) -> None:
    m.cases[2].fields[OUTPUTS] = Tables([])
    m.cases[2].fields[TOLERANCES] = Tables([m.tolerance] * 2)


_NAN = float("nan")
for _name, _number, _scalar in (
    ("rtol-negative", RTOL, Scalar("d", -1e-9)),
    ("rtol-nan", RTOL, Scalar("d", _NAN)),
    ("atol-negative", ATOL, Scalar("d", -1.0)),
    ("atol-nan", ATOL, Scalar("d", _NAN)),
    ("share-negative", SHARE, Scalar("d", -0.1)),
    ("share-above-1", SHARE, Scalar("d", 1.0001)),
    ("share-nan", SHARE, Scalar("d", _NAN)),
    ("sqnr-nan", SQNR, Scalar("d", _NAN)),
    ("cosine-nan", COSINE, Scalar("d", _NAN)),
    ("nan-policy-3", NAN_POLICY, Scalar("B", 3)),
    ("nan-policy-minus-1", NAN_POLICY, Scalar("b", -1)),
):

    def _of_case(m: Model, number: int = _number, scalar: Scalar = _scalar) -> None:
        m.tolerance.fields[number] = scalar

    def _of_suite(m: Model, number: int = _number, scalar: Scalar = _scalar) -> None:
        m.suite_tolerance.fields[number] = scalar

    _breaks("tolerance_value", f"case-{_name}", suite=0, case=0)(_of_case)
    _breaks("tolerance_value", f"suite-{_name}", suite=0)(_of_suite)


# Tensors: each damage to an input of the first case and to an output of the second.


def _tensor(
    rule: str, name: str, change: Callable[[Model, Table], None], formats: str = "BP08 BP09"
) -> None:
    def of_input(m: Model) -> None:
        change(m, m.tensors[0][0])

    def of_output(m: Model) -> None:
        change(m, m.tensors[1][2])

    _breaks(rule, f"input-{name}", formats, suite=0, case=0, input=0)(of_input)
    _breaks(rule, f"output-{name}", formats, suite=0, case=1, output=0)(of_output)


def _sets(number: int, node: Node) -> Callable[[Model, Table], None]:
    def change(_: Model, table: Table) -> None:
        table.fields[number] = node

    return change


def _drops(number: int) -> Callable[[Model, Table], None]:
    def change(_: Model, table: Table) -> None:
        del table.fields[number]

    return change


for _type in (8, 9, 10, 12, 13, 14, 16, 22, 23, 26, 30, 127, -1, -128):
    _tensor("scalar_type", f"scalar-type-{_type}", _sets(SCALAR_TYPE, Scalar("b", _type)))
_tensor("sizes_missing", "sizes-absent", _drops(SIZES))
_tensor("negative_size", "size-minus-1", _sets(SIZES, ints(2, -1)))
_tensor("negative_size", "sizes-both-negative", _sets(SIZES, ints(-2, -3)))
_tensor("negative_size", "size-smallest", _sets(SIZES, ints(-(1 << 31), 3)))


@_breaks("rank", suite=0, case=0, input=0)
def _17_dimensions(m: Model) -> None:
    m.tensors[0][0].fields[SIZES] = ints(2, 3, *[1] * 15)
    m.tensors[0][0].fields[DIM_ORDER] = Vector(bytes(range(17)))


@_breaks("rank", suite=0, case=1, output=0)
def _300_dimensions(m: Model) -> None:
    m.tensors[1][2].fields[SIZES] = ints(2, 3, *[1] * 298)
    m.tensors[1][2].fields[DIM_ORDER] = Vector(bytes(i % 256 for i in range(300)))


_tensor("dim_order_missing", "dim-order-absent", _drops(DIM_ORDER))
for _name, _order in {
    "empty": b"",
    "too-short": b"\0",
    "too-long": b"\0\1\2",
    "repeats": b"\1\1",
    "out-of-range": b"\0\2",
    "255": b"\xff\0",
    "32": b"\x20\0",
}.items():
    _tensor("dim_order", f"dim-order-{_name}", _sets(DIM_ORDER, Vector(_order)))


def _three_sizes(*sizes: int) -> Callable[[Model, Table], None]:
    def change(m: Model, table: Table) -> None:
        table.fields[SIZES] = ints(*sizes)
        table.fields[DIM_ORDER] = Vector(b"\0\1\2")
        if m.bp09:
            _payload(m, table, 0, 0)
        else:
            table.fields[DATA] = Vector(b"", 1, 16)

    return change


_tensor("overflow", "elements-overflow-u64", _three_sizes(1 << 30, 1 << 30, 1 << 30))
# 2^62 elements of 4 bytes: a product that wraps to 0, which is what the payload has.
_tensor("overflow", "bytes-wrap-to-0", _three_sizes(1 << 30, 1 << 30, 4))
_tensor("payload_missing", "data-absent", _drops(DATA), BP08)
_tensor("payload_missing", "payload-absent", _drops(PAYLOAD), BP09)
_tensor("payload_inline", "payload-inline", _sets(DATA, Vector(bytes(24), 1, 16)), BP09)
_tensor("payload_size", "data-one-short", _sets(DATA, Vector(bytes(23), 1, 16)), BP08)
_tensor("payload_size", "data-one-more", _sets(DATA, Vector(bytes(25), 1, 16)), BP08)
_tensor("payload_size", "data-empty", _sets(DATA, Vector(b"", 1, 16)), BP08)
_tensor("payload_size", "larger-size", _sets(SIZES, ints(2, 4)))
_tensor("payload_size", "size-0", _sets(SIZES, ints(2, 0)))
_tensor("payload_size", "other-type", _sets(SCALAR_TYPE, Scalar("b", INT64)))
_tensor("payload_segment", "segment-past-table", _sets(PAYLOAD, payload(0, 24, 4)), BP09)
_tensor("payload_segment", "segment-largest", _sets(PAYLOAD, payload(0, 24, 0xFFFFFFFF)), BP09)


def _payload(m: Model, table: Table, offset: int, size: int) -> None:
    segment = 1 if table is m.tensors[0][0] else 2
    table.fields[PAYLOAD] = payload(offset, size, segment)


@_breaks("payload_segment", formats=BP09, suite=0, case=0, input=1)
def _second_input_in_another_segment(m: Model) -> None:
    m.tensors[0][1].fields[PAYLOAD] = payload(32, 5, 2)


@_breaks("payload_segment", formats=BP09, suite=0, case=1, output=0)
def _output_in_another_segment(m: Model) -> None:
    m.tensors[1][2].fields[PAYLOAD] = payload(48, 24, 1)


for _offset in (1, 4, 8, 24):
    _tensor(
        "payload_alignment",
        f"payload-at-{_offset}",
        lambda m, t, o=_offset: _payload(m, t, o, 24),  # type: ignore[misc]
        BP09,
    )
_tensor("payload_bounds", "payload-ends-past", lambda m, t: _payload(m, t, 64, 24), BP09)
_tensor("payload_bounds", "payload-far-away", lambda m, t: _payload(m, t, 1 << 40, 24), BP09)
_tensor("payload_bounds", "payload-too-large", lambda m, t: _payload(m, t, 0, 1 << 33), BP09)
_tensor("overflow", "payload-end-wraps", lambda m, t: _payload(m, t, U64 - 15, 24), BP09)
_tensor("payload_size", "payload-one-short", lambda m, t: _payload(m, t, 0, 23), BP09)
_tensor("payload_size", "payload-one-more", lambda m, t: _payload(m, t, 0, 25), BP09)


@_breaks("payload_alignment", formats=BP09, suite=0, case=1, input=0)
def _segment_of_payload_aligned_to_8(m: Model) -> None:
    m.segments[2].alignment = 8


# Named data and string metadata.


@_breaks("named_data", formats=BP09)
def _named_key_absent(m: Model) -> None:
    _drop(m, m.named, 0)


@_breaks("named_data", formats=BP09)
def _named_key_empty(m: Model) -> None:
    m.named.fields[0] = String(b"")


@_breaks("named_data", formats=BP09)
def _named_segment_past_table(m: Model) -> None:
    m.named.fields[1] = Scalar("I", 4)


@_breaks("key_value")
def _metadata_key_absent(m: Model) -> None:
    _drop(m, m.key_value, 0)


@_breaks("key_value")
def _metadata_value_absent(m: Model) -> None:
    _drop(m, m.key_value, 1)


# --- Odd, and right ------------------------------------------------------------------------------


@_accepts()
def _plain(m: Model) -> None:
    pass


@_accepts()
def _no_suites(m: Model) -> None:
    m.root.fields[SUITES] = Tables([])


@_accepts()
def _keys_in_order(m: Model) -> None:
    names = ("A", "Z", "a", "a\x01", "aa", "b", "é", "\uffe6", "\U0001f642")
    strings = [String(name.encode()) for name in names]
    m.root.fields[SUITES] = Tables([Table({METHOD: s, CASES: Tables([])}) for s in strings])
    # A key of the metadata may be empty.
    keys = [String(b""), *strings]
    m.root.fields[METADATA] = Tables([Table({0: s, 1: String(b"")}) for s in keys])
    if m.bp09:
        m.root.fields[NAMED_DATA] = Tables([Table({0: s, 1: Scalar("I", 0)}) for s in strings])


@_accepts("BP08")
def _suites_in_no_order(m: Model) -> None:
    m.suites.reverse()
    m.root.fields[SUITES] = Tables(m.suites)


@_accepts("BP08")
def _256_suites(m: Model) -> None:
    m.root.fields[SUITES] = Tables([_empty_suite(f"m{index}") for index in range(256)])


@_accepts()
def _one_table_as_often_as_a_vector_likes(m: Model) -> None:
    m.cases[0].fields[OUTPUTS] = Tables([m.values(0)[2]] * 5000)
    _drop(m, m.cases[0], TOLERANCES)


@_accepts()
def _suite_without_cases(m: Model) -> None:
    m.suites[1].fields[CASES] = Tables([])


@_accepts()
def _case_without_inputs_and_outputs(m: Model) -> None:
    m.cases[2].fields[INPUTS] = Tables([])
    m.cases[2].fields[OUTPUTS] = Tables([])


@_accepts()
def _more_inputs_and_outputs_than_a_method_takes(m: Model) -> None:
    m.values(0).extend(m.values(0) * 3)
    m.values(0, True).extend(m.values(0, True) * 3)


@_accepts()
def _dim_orders_swapped(m: Model) -> None:
    for tensors in m.tensors:
        tensors[0].fields[DIM_ORDER] = Vector(b"\1\0")
        tensors[2].fields[DIM_ORDER] = Vector(b"\0\1")


@_accepts()
def _tables_shared(m: Model) -> None:
    m.suites[1].fields[CASES] = m.suites[0].fields[CASES]
    m.cases[1].fields[INPUTS] = m.cases[0].fields[INPUTS]
    if m.bp09:
        m.cases[1].fields[OUTPUTS] = m.cases[0].fields[OUTPUTS]


@_accepts()
def _no_metadata_names_or_tolerances(m: Model) -> None:
    _drop(m, m.root, METADATA)
    m.root.fields.pop(NAMED_DATA, None)
    _drop(m, m.cases[0], NAME)
    _drop(m, m.cases[0], TOLERANCES)
    _drop(m, m.suites[0], SUITE_TOLERANCES)


@_accepts()
def _unknown_fields_appended(m: Model) -> None:
    m.root.fields[20] = Scalar("Q", U64)
    m.suites[0].fields[9] = String(b"later")
    m.cases[0].fields[11] = Scalar("d", 1.0)
    m.tensors[0][0].fields[7] = Vector(b"1234")


@_accepts()
def _rank_0(m: Model) -> None:
    data = struct.pack("<f", 3)
    for case, tensors in enumerate(m.tensors):
        tensors[0].fields[SIZES] = ints()
        tensors[0].fields[DIM_ORDER] = Vector(b"")
        if m.bp09:
            tensors[0].fields[PAYLOAD] = payload(0, 4, 1 + case)
        else:
            tensors[0].fields[DATA] = Vector(data, 1, 16)


@_accepts()
def _rank_16(m: Model) -> None:
    m.tensors[0][0].fields[SIZES] = ints(2, 3, *[1] * 14)
    m.tensors[0][0].fields[DIM_ORDER] = Vector(bytes(reversed(range(16))))


@_accepts()
def _tensor_without_elements(m: Model) -> None:
    # Sizes whose product would overflow, were none of them 0.
    m.tensors[0][0].fields[SIZES] = ints(0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF, 0)
    m.tensors[0][0].fields[DIM_ORDER] = Vector(b"\3\2\1\0")
    if m.bp09:
        m.tensors[0][0].fields[PAYLOAD] = payload(0, 0, 1)
    else:
        _drop(m, m.tensors[0][0], DATA)


@_accepts("BP08")
def _empty_data_for_no_elements(m: Model) -> None:
    m.tensors[0][0].fields[SIZES] = ints(0, 3)
    m.tensors[0][0].fields[DATA] = Vector(b"", 1, 1)


@_accepts("BP08")
def _bytes_behind_the_flatbuffer(m: Model) -> None:
    m.late.append(lambda file: file + b"anything")


@_accepts("BP09")
def _longer_header(m: Model) -> None:
    m.header_length = 128
    m.patches.append(lambda data, a: data.__setitem__(slice(72, 136), b"\xa5" * 64))


@_accepts("BP09")
def _large_alignments(m: Model) -> None:
    m.base_alignment = 4096
    m.segments[0].alignment = 4096
    m.segments[2].alignment = 1024


@_accepts("BP09")
def _empty_segments(m: Model) -> None:
    m.segments.append(Segment(b"", 1))
    m.segments.append(Segment(b"", 1))


@_accepts("BP09")
def _empty_segment_holds_empty_tensors(m: Model) -> None:
    m.segments.append(Segment(b"", 16))
    for tensor in m.tensors[0]:
        count = len(tensor.fields[DIM_ORDER].data)  # type: ignore[union-attr]
        tensor.fields[SIZES] = ints(*[0] * count)
        tensor.fields[PAYLOAD] = payload(0, 0, 4)
    m.segments[3].content = bytes(16)  # so that the empty one begins at a multiple of 16


@_accepts("BP09")
def _cases_share_a_segment(m: Model) -> None:
    m.cases[1].fields[INPUTS] = m.cases[0].fields[INPUTS]
    m.cases[1].fields[OUTPUTS] = m.cases[0].fields[OUTPUTS]


@_accepts("BP09")
def _program_is_the_last_segment(m: Model) -> None:
    m.segments.append(Segment(m.program_bytes, 128))
    m.root.fields[PROGRAM_SEGMENT] = Scalar("I", 4)


@_accepts("BP09")
def _metadata_value_empty(m: Model) -> None:
    m.key_value.fields[1] = String(b"")


@_accepts("BP09")
def _tolerances_empty_inherit(m: Model) -> None:
    m.cases[0].fields[TOLERANCES] = Tables([])


@_accepts("BP09")
def _tolerance_for_each_output(m: Model) -> None:
    m.case_tolerances.append(Table({NOT_COMPARED: Scalar("B", 1), RTOL: Scalar("d", float("inf"))}))
    m.suites[0].fields[SUITE_TOLERANCES] = Tables([m.suite_tolerance] * 2)


@_accepts("BP09")
def _every_scalar_type(m: Model) -> None:
    sizes = {0: 1, 1: 1, 2: 2, 3: 4, 4: 8, 5: 2, 6: 4, 7: 8, 11: 1, 15: 2, 27: 2, 28: 4, 29: 8}
    for scalar_type, size in sizes.items():
        table = m.tensor(scalar_type, (1,), (0,), bytes(size), 1, 0)
        m.values(0).append(m.value(TENSOR, table))


import breakers_parts  # noqa: E402, F401 - the rest of the list

if __name__ == "__main__":
    for _breaker in BREAKERS:
        print(f"{_breaker.rule:20} {_breaker}")
    print(len(BREAKERS), "breakers,", len(ACCEPTED), "accepted")
