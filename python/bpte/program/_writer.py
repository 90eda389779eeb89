# SPDX-License-Identifier: BSD-3-Clause
"""Objects to FlatBuffer bytes, in pure Python.

A FlatBuffer grows from its end: a table can only refer forwards, so what it refers to is written
before it, behind it. Places are therefore *distances from the end of the file*, and a chunk's
distance is that of its first byte. Every distance is a multiple of 4.

The same objects always give the same bytes, here and in the native accelerator. The rules that
both follow:

- Fields are visited in reverse order of the schema, lists from their last item, so that the file
  reads in the order of the schema.
- A scalar that equals its default is left out (-0.0 does not equal 0.0), and None is.
- A table is its vtable offset, then its fields by falling size, then in the schema's order. It
  ends on a multiple of 4; 8-byte fields are 8-byte aligned.
- Written once and then referred to: equal vtables, equal strings, equal vectors of scalars of up
  to SHARED_BYTES bytes, equal tables that have nothing but scalars ("leaves"), and tables whose
  only field is a union that holds one and the same leaf ("holders").
- A vtable is written immediately before the first table that needs it.

For each schema the writer is generated as Python source: one function per table, and one
expression per set of fields that a table turns out to have.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

from bpte.program import _values
from bpte.program._bind import Binding, BoundField, BoundTable
from bpte.program._limits import SHARED_BYTES
from bpte.program._schema import SIZES, Kind

Head = Callable[[int, int, int], bytes]
"""Makes the first bytes of the file, given the bytes behind them, the root table's distance from
the end, and the alignment that the file's length must have."""

_Layout = tuple[int, bool, bytes, Callable[..., bytes]]
"""Of one table with one set of fields: bytes, whether there are 8-byte fields, vtable, packer."""

_INTEGERS = "bBhHiIqQ"
_SMALL = 32  # vectors below this length have a packer ready
_MANY = 96  # chunks are joined when there are more: each costs more than its bytes
_BORROWED = 16384  # bytes from this size on stay where they are until the file is put together


def encode(binding: Binding, root: Any, alignments: dict[str, int], head: Head) -> bytes:
    """The file for the root object.

    ``alignments`` are those of ``Binding.alignments``. Raises whatever a wrong object happens to
    provoke; ``_check.check`` then tells what it was.
    """
    blocks, size, distance, alignment = _writer(binding)(root, alignments)
    blocks.append(head(size, distance, alignment))
    blocks.reverse()
    return b"".join(blocks)


_WRITERS: WeakKeyDictionary[Binding, Callable[..., tuple[list[bytes], int, int, int]]] = (
    WeakKeyDictionary()
)


def _writer(binding: Binding) -> Callable[..., tuple[list[bytes], int, int, int]]:
    writer = _WRITERS.get(binding)
    if writer is None:
        source, scope = _generate(binding)
        exec(compile(source, "<bpte.program writer>", "exec"), scope)
        writer = _WRITERS[binding] = scope["write"]
    return writer


def _maker(table: BoundTable, layouts: dict[int, _Layout]) -> Callable[[int], _Layout]:
    """Makes the layouts of a table, by the set of its fields, a bit each, when first asked for."""

    def make(fields: int) -> _Layout:
        layout = layouts[fields] = _layout(table, fields)
        return layout

    return make


def parts(table: BoundTable) -> list[tuple[int, str, str]]:
    """What a table stores inline: slot, code and the name of the generated variable; a union
    stores its type and an offset. A bit of a field set stands for one of these."""
    result: list[tuple[int, str, str]] = []
    for bound in table.fields:
        field = bound.field
        if field.kind is Kind.SCALAR:
            result.append((field.slot, field.code, f"v{field.slot}"))
            continue
        if field.kind is Kind.UNION:
            result.append((field.slot - 1, "B", f"v{field.slot - 1}"))
        result.append((field.slot, "I", f"d{field.slot}"))
    return result


def _layout(table: BoundTable, fields: int) -> _Layout:
    inline = parts(table)
    present = [part for bit, part in enumerate(inline) if fields >> bit & 1]
    present.sort(key=lambda part: -SIZES[part[1]])
    slots = [0] * (max((slot for slot, _, _ in present), default=-1) + 1)
    form, arguments, offset = "", [], 4
    for slot, code, name in present:
        slots[slot] = offset
        form += code
        arguments.append(f"T - {offset} - {name}" if name[0] == "d" else name)
        offset += SIZES[code]
    padding = -offset & 3
    vtable = struct.pack(f"<{2 + len(slots)}H", 4 + 2 * len(slots), offset, *slots)
    vtable += bytes(-len(vtable) & 3)
    eight = any(SIZES[code] == 8 for _, code, _ in present)
    names = ", ".join(name for _, _, name in inline)
    # A leaf's bytes are its identity, so they are packed before it has a place.
    first, code, given = ("", "", names) if table.leaf else ("V - T, ", "i", f"T, V, {names}")
    pack = struct.Struct(f"<{code}{form}{padding}x").pack
    packer = eval(f"lambda {given}: pack({first}{', '.join(arguments)})", {"pack": pack})
    return offset + padding, eight, vtable, packer


def _generate(binding: Binding) -> tuple[str, dict[str, Any]]:
    scope: dict[str, Any] = {
        "SHARED": SHARED_BYTES,
        "pack": struct.pack,
        "offset": struct.Struct("<i").pack,
        "zero8": bytes(8),
        "double8": struct.Struct("<d").pack,
        "length": struct.Struct("<I").pack,
        "integer": _values.integer,
        "boolean": _values.boolean,
        "double": _values.double,
        "double_or_text": _values.double_or_text,
        "text": _values.text,
        "items": _values.items,
        "blob": _values.blob,
        "wrong": _wrong,
    }
    for code in SIZES:
        scope[f"small_{ord(code)}"] = [
            struct.Struct(f"<I{count}{code}{-count * SIZES[code] & 3}x").pack
            for count in range(_SMALL)
        ]
    lines = [
        "def write(root, alignments):",
        "    D = 0",
        "    A = 4",
        "    blocks = []",
        "    chunks = []",
        "    append = chunks.append",
        "    texts = {}",
        "    vectors = {}",
        "    wide_vectors = {}",
        "    leaves = {}",
        "    vtables = {}",
        "    def join():",
        "        chunks.reverse()",
        "        blocks.append(b''.join(chunks))",
        "        chunks.clear()",
    ]
    listed = {
        bound.table
        for table in binding.tables
        for bound in table.fields
        if bound.field.kind is Kind.TABLES
    }
    for index, table in enumerate(binding.tables):
        scope[f"C{index}"] = table.cls
        scope[f"L{index}"] = {}
        scope[f"make{index}"] = _maker(table, scope[f"L{index}"])
        function = _function(binding, index, table, scope, index in listed)
        lines.extend("    " + line for line in function)
    lines += [
        f"    if root.__class__ is not C{binding.root}: wrong(root)",
        f"    T = w{binding.root}(root)",
        "    join()",
        "    return blocks, D, T, A",
    ]
    return "\n".join(lines) + "\n", scope


def _wrong(value: Any) -> NoReturn:
    raise TypeError(f"unexpected {_values.show(value)}")


def _function(
    binding: Binding, index: int, table: BoundTable, scope: dict[str, Any], listed: bool
) -> list[str]:
    inline = parts(table)
    bits = {name: 1 << bit for bit, (_, _, name) in enumerate(inline)}
    body: list[str] = ["nonlocal D, A"]
    if listed:
        body.append(f"if len(chunks) > {_MANY}: join()")
    if table.holder:
        body += [f"known = H{index}"]
    for bound in reversed(table.fields):
        if bound.field.kind is not Kind.SCALAR:
            body += _child(binding, index, bound)
    quick = (
        table.leaf
        and len(inline) == 1
        and table.fields[0].enum is None
        and inline[0][1] in _INTEGERS
    )
    if quick:
        # Of ints proper, 1 is not True: what is equal is the same value.
        body += [
            f"q = o.{table.fields[0].field.name}",
            "if q.__class__ is int:",
            f"    T = Q{index}.get(q)",
            "    if T is not None: return T",
        ]
    body.append("m = 0")
    for bound in table.fields:
        field = bound.field
        if field.kind is Kind.SCALAR:
            body += _scalar(index, bound, bits[f"v{field.slot}"], scope)
        else:
            present = bits[f"d{field.slot}"]
            if field.kind is Kind.UNION:
                present |= bits[f"v{field.slot - 1}"]
            body.append(f"if d{field.slot}: m |= {present}")
    names = "".join(f", {name}" for _, _, name in inline)
    body.append(f"size, eight, vtable, packer = L{index}.get(m) or make{index}(m)")
    if table.leaf:
        body += [
            f"p = packer({names[2:]})",
            "known = leaves.get(vtable)",
            "if known is None: known = leaves[vtable] = {}",
            "T = known.get(p)",
            "if T is not None: return T",
        ]
    body.append("T = D + size")
    if any(SIZES[code] == 8 for _, code, _ in inline):
        body += [
            "if eight:",
            "    A = A if A > 8 else 8",
            "    if not T & 4:",
            "        append(zero8[:4])",
            "        T += 4",
        ]
    body += [
        "V = vtables.get(vtable)",
        "if V is None:",
        "    V = vtables[vtable] = T + len(vtable)",
        "    append(offset(V - T) + p)" if table.leaf else f"    append(packer(T, V{names}))",
        "    append(vtable)",
        "    D = V",
        "else:",
        "    append(offset(V - T) + p)" if table.leaf else f"    append(packer(T, V{names}))",
        "    D = T",
    ]
    if table.leaf:
        body.append("known[p] = T")
    if quick:
        body.append(f"if q.__class__ is int: Q{index}[q] = T")
    if table.holder:
        body.append("if leaf: known[key] = T")
    body.append("return T")
    prefix = [f"H{index} = {{}}"] if table.holder else []
    if quick:
        prefix.append(f"Q{index} = {{}}")
    for bound in table.fields:
        if bound.field.kind is Kind.UNION:
            members = ", ".join(
                f"C{i}: ({number}, w{i}, {binding.tables[i].leaf})"
                for number, i in enumerate(bound.union, start=1)
            )
            prefix.append(f"U{index}_{bound.field.slot} = {{{members}}}")
    return [*prefix, f"def w{index}(o):", *("    " + line for line in body)]


def _scalar(index: int, bound: BoundField, bit: int, scope: dict[str, Any]) -> list[str]:
    field = bound.field
    v = f"v{field.slot}"
    lines = [f"{v} = o.{field.name}"]
    present = v if not field.default else f"{v} != {field.default}"
    if bound.enum is not None:
        scope[f"E{index}_{field.slot}"] = bound.enum_class
        scope[f"e{index}_{field.slot}"] = _values.enum_member(bound)
        lines += [
            f"if {v}.__class__ is not E{index}_{field.slot}: {v} = e{index}_{field.slot}({v})",
            f"if {present}: m |= {bit}",
        ]
    elif field.code == "?":
        lines += [
            f"if {v} is not True and {v} is not False: {v} = boolean({v})",
            f"if {present}: m |= {bit}",
        ]
    elif field.code in "fd":
        convert = "double_or_text" if bound.as_text else "double"
        lines += [f"if {v}.__class__ is not float: {v} = {convert}({v})"]
        if not field.default:
            present = f"{v} or double8({v}) != zero8"
        lines += [f"if {present}: m |= {bit}"]
    else:
        # struct refuses whatever is not an integer in range, but it never sees a default.
        lines += [
            f"if {v}.__class__ is not int: {v} = integer({v})",
            f"if {present}: m |= {bit}",
        ]
    return lines


def _child(binding: Binding, index: int, bound: BoundField) -> list[str]:
    """Writes what a field refers to; leaves its distance, or 0, in the field's variable."""
    field = bound.field
    d = f"d{field.slot}"
    lines = [f"c = o.{field.name}"]
    if field.kind is Kind.TABLE:
        t = bound.table
        write = f"w{t}(c) if c.__class__ is C{t} else wrong(c)"
        return [*lines, f"{d} = 0 if c is None else {write}"]
    if field.kind is Kind.UNION:
        return lines + _union(binding, index, bound)
    lines += [f"if c is None: {d} = 0", "else:"]
    if field.kind is Kind.STRING:
        block = [
            "if c.__class__ is not str: c = text(c)",
            f"{d} = texts.get(c)",
            f"if {d} is None:",
            "    b = c.encode()",
            "    n = len(b)",
            "    append(length(n) + b + zero8[:4 - (n & 3)])",
            f"    D = {d} = texts[c] = D + 8 + (n & -4)",
        ]
    elif field.kind is Kind.TABLES:
        t = bound.table
        block = [
            "if c.__class__ is not list: c = items(c)",
            f"s = [w{t}(x) if x.__class__ is C{t} else wrong(x) for x in reversed(c)]",
            "n = len(s)",
            f"{d} = D + 4 + 4 * n",
            f"s = [p - t for p, t in zip(range(D + 4, {d}, 4), s)]",
            "s.reverse()",
            "append(pack(f'<{n + 1}I', n, *s))",
            f"D = {d}",
        ]
    elif bound.as_bytes and field.force_align:
        block = [
            "if c.__class__ is not bytes: c = blob(c)",
            "n = len(c)",
            f"a = alignments[{field.align_option!r}]" if field.align_option
            else f"a = {field.force_align}",
            "if a < 4: a = 4",
            "if a > A: A = a",
            "p = -(D + n) & (a - 1)",
            "if p: append(bytes(p))",
            f"if n < {_BORROWED}: append(c)",
            "else:",
            "    join()",
            "    blocks.append(c)",
            "append(length(n))",
            f"D = {d} = D + p + n + 4",
        ]  # fmt: skip
    else:
        block = _vector(bound, d)
    return lines + ["    " + line for line in block]


def _vector(bound: BoundField, d: str) -> list[str]:
    code = bound.field.code
    width = SIZES[code]
    if bound.as_bytes:
        block = [
            "if c.__class__ is not bytes: c = bytes(blob(c))",
            "n = len(c)",
            "p = length(n) + c + zero8[:-n & 3]",
        ]
    else:
        block = ["if c.__class__ is not list: c = items(c)", "n = len(c)"]
        if code == "?":
            block.append("c = [x if x is True or x is False else boolean(x) for x in c]")
        elif code in "fd":
            block.append("c = [x if x.__class__ is float else double(x) for x in c]")
        block += [
            f"if n < {_SMALL}: p = small_{ord(code)}[n](n, *c)",
            f"else: p = pack(f'<I{{n}}{code}{{-n * {width} & 3}}x', n, *c)",
        ]
    place = ["append(p)", f"D = {d} = D + len(p)"]
    if width == 8:
        # The elements, not the length before them, are aligned.
        place = [
            "if n:",
            "    A = A if A > 8 else 8",
            "    if D & 4:",
            "        append(zero8[:4])",
            "        D += 4",
            *place,
        ]
    known = "wide_vectors" if width == 8 else "vectors"
    return [
        *block,
        "if len(p) <= SHARED:",
        f"    {d} = {known}.get(p)",
        f"    if {d} is None:",
        *("        " + line for line in place),
        f"        {known}[p] = {d}",
        "else:",
        *("    " + line for line in place),
    ]


def _union(binding: Binding, index: int, bound: BoundField) -> list[str]:
    field = bound.field
    d, v = f"d{field.slot}", f"v{field.slot - 1}"
    holder = binding.tables[index].holder
    return [
        f"if c is None: {v} = {d} = 0; leaf = True",
        "else:",
        f"    {v}, w, leaf = U{index}_{field.slot}[c.__class__]",
        f"    {d} = w(c)",
        *(
            [
                "if leaf:",
                f"    key = ({v}, {d})",
                "    T = known.get(key)",
                "    if T is not None: return T",
            ]
            if holder
            else []
        ),
    ]
