# SPDX-License-Identifier: BSD-3-Clause
"""Writes what runner, reader, page and the results' schema have of schema/protocol.toml.

python tools/protocol_keys.py           writes
python tools/protocol_keys.py --check   exit code 1 when something is not current
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "schema" / "protocol.toml"
HEADER = ROOT / "runtime" / "bpte" / "runner" / "protocol_keys.h"
MODULE = ROOT / "python" / "bpte" / "run" / "protocol_keys.py"
TABLE_MODULE = ROOT / "python" / "bpte" / "run" / "protocol_table.py"
PAGE = ROOT / "docs" / "result-protocol.md"
SCHEMA = ROOT / "schema" / "results.schema.json"
PAGE_START = "<!-- generated from schema/protocol.toml: start -->\n"
PAGE_END = "<!-- generated from schema/protocol.toml: end -->\n"

Record = dict[str, Any]


def read() -> tuple[int, dict[str, Record]]:
    """The protocol's version, and its records and objects by name."""
    table = tomllib.loads(TABLE.read_text())
    return table.pop("version"), table


def keys(record: Record) -> dict[str, Any]:
    """What a record holds, by key, in order."""
    return {name: key for name, key in record.items() if isinstance(key, dict)}


def camel(name: str) -> str:
    """file_size: FileSize."""
    return "".join(part.capitalize() for part in name.split("_"))


def header(version: int, records: dict[str, Record]) -> str:
    """The C++ header."""
    names = sorted({"event"} | {name for record in records.values() for name in keys(record)})
    events = [name for name, record in records.items() if not record.get("object")]
    lines = [
        "// SPDX-License-Identifier: BSD-3-Clause",
        "//",
        "// Generated from schema/protocol.toml by tools/protocol_keys.py; do not edit.",
        "#pragma once",
        "",
        "#include <cstdint>",
        "",
        "namespace bpte {",
        "",
        "inline constexpr uint64_t kProtocolVersion = " + f"{version};",
        "",
        "/// A key of the result protocol. A type of its own: no other text passes for one.",
        "struct Key {",
        "  const char* name;",
        "};",
        "",
        "// Not inline, here and below: position-independent code would look for them in a global",
        "// offset table, which a linker script may have forgotten. The texts have names, so that",
        "// a source has those of the keys that it uses and no others.",
        "namespace key_text {",
        *(f'constexpr char k{camel(name)}[] = "{name}";' for name in names),
        "}  // namespace key_text",
        "",
        "namespace key {",
        *(f"constexpr Key k{camel(name)}{{key_text::k{camel(name)}}};" for name in names),
        "}  // namespace key",
        "",
        "/// The names of the records.",
        "namespace event {",
        *(f'constexpr char k{camel(name)}[] = "{name}";' for name in events),
        "}  // namespace event",
        "",
        "}  // namespace bpte",
        "",
    ]
    return "\n".join(lines)


#: What Python has of a key's type.
ANNOTATIONS = {
    **dict.fromkeys(("integer", "index", "count", "address", "crc32"), "int"),
    "text": "str",
    "boolean": "bool",
    "real": "float",
    "number": "Number",
    "sizes": "tuple[int, ...]",
    "integers": "tuple[int, ...]",
    "missed": "tuple[tuple[int, ...], ...]",
    "measured": "tuple[Measured, ...]",
    "verdict": "Verdict",
    "outcome": "Outcome",
    "outputs": "tuple[Output, ...]",
    "values": "tuple[ActualValue, ...]",
    "first": "FirstMismatch",
    "result": "Output",
    "summary": "TraceSummary",
}
DEFAULTS = {"": '""', (): "()", 0: "0"}
#: The classes of the reader. Of `error` it has one of its own: where the error is, is one member.
CLASSES = {
    "begin": "Begin",
    "case": "Case",
    "trace": "Trace",
    "profile": "InstructionTime",
    "execution": "Execution",
    "summary": "TraceSummary",
    "output": "Output",
    "value": "ActualValue",
    "first": "FirstMismatch",
    "measured": "Measured",
    "confusion": "ConfusionRow",
    "metric": "MetricResult",
    "resources": "Resources",
    "budget": "BudgetResult",
    "end": "End",
}


def member(name: str, key: dict[str, Any]) -> list[str]:
    """A key as a member of its record's class, its meaning before it."""
    meaning = key["text"]
    annotation = ANNOTATIONS[key["type"]]
    default = ""
    if "default" in key:
        value = key["default"]
        default = " = " + DEFAULTS[tuple(value) if isinstance(value, list) else value]
    elif "absent" in key:
        annotation, default = f"{annotation} | None", " = None"
    comment = textwrap.wrap(
        meaning, 100, initial_indent="    #: ", subsequent_indent="    #: ", break_on_hyphens=False
    )
    return [*comment, f"    {name}: {annotation}{default}"]


def classes(records: dict[str, Record]) -> list[str]:
    """A class for each record and object of the protocol."""
    lines = []
    for record_name, name in CLASSES.items():
        record = records[record_name]
        lines += ["", "", "@dataclass(frozen=True, kw_only=True)", f"class {name}:"]
        lines += [f'    """{record["title"]}."""', ""]
        for key_name, key in keys(record).items():
            lines += member(key_name, key)
    return lines


def table(version: int, records: dict[str, Record]) -> str:
    """The Python module with the keys."""
    lines = [
        "# SPDX-License-Identifier: BSD-3-Clause",
        '"""The result protocol\'s keys. Generated from schema/protocol.toml by',
        'tools/protocol_keys.py; do not edit."""',
        "",
        "from __future__ import annotations",
        "",
        "from typing import NamedTuple",
        "",
        "",
        "class Key(NamedTuple):",
        '    """What a key holds; `of`: the values that its type allows here."""',
        "",
        "    type: str",
        "    required: bool = True",
        "    of: tuple[str | int, ...] = ()",
        "",
        "",
        f"PROTOCOL = {version}",
        "",
        "#: Records and the objects in them.",
        "KEYS: dict[str, dict[str, Key]] = {",
    ]
    for record_name, record in records.items():
        lines.append(f'    "{record_name}": {{')
        for name, key in keys(record).items():
            arguments = f'"{key["type"]}"'
            if "absent" in key:
                arguments += ", required=False"
            if "of" in key:
                values = (f'"{v}"' if isinstance(v, str) else str(v) for v in key["of"])
                arguments += f", of=({', '.join(values)})"
            lines.append(f'        "{name}": Key({arguments}),')
        lines.append("    },")
    return "\n".join([*lines, "}", ""])


def module(_: int, records: dict[str, Record]) -> str:
    """The Python module with the records."""
    lines = [
        "# SPDX-License-Identifier: BSD-3-Clause",
        '"""The result protocol\'s records. Generated from schema/protocol.toml by',
        'tools/protocol_keys.py; do not edit."""',
        "",
        "from __future__ import annotations",
        "",
        "from dataclasses import dataclass",
        "from typing import TypeAlias",
        "",
        "from bpte.run.outcome import Outcome, Verdict",
        "from bpte.run.protocol_table import KEYS as KEYS",
        "from bpte.run.protocol_table import PROTOCOL as PROTOCOL",
        "from bpte.run.protocol_table import Key as Key",
        "",
        "Number: TypeAlias = int | float | bool",
    ]
    return "\n".join([*lines, *classes(records), ""])


def page(version: int, records: dict[str, Record]) -> str:
    """The page, its tables replaced."""
    text = PAGE.read_text()
    before, _, rest = text.partition(PAGE_START)
    _, end, after = rest.partition(PAGE_END)
    if not end:
        raise SystemExit(f"{PAGE}: the lines that frame the generated tables are missing")
    lines: list[str] = [f"\nProtocol {version}.\n"]
    for record in records.values():
        lines += [f"### {record['title']}", "", "| key | type | meaning | absent |"]
        lines.append("|---|---|---|---|")
        for name, key in keys(record).items():
            lines.append(f"| `{name}` | {key['type']} | {key['text']} | {key.get('absent', '')} |")
        lines.append("")
    return before + PAGE_START + "\n".join(lines) + "\n" + PAGE_END + after


INTEGER: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 2**64 - 1}
#: What the schema of results has of a key's type.
JSON_TYPES: dict[str, dict[str, Any]] = {
    "integer": INTEGER,
    "index": {"type": "integer", "minimum": 0, "maximum": 2**32 - 2},
    "count": {"type": "integer", "minimum": 0, "maximum": 10_000_000},
    "text": {"type": "string"},
    "boolean": {"type": "boolean"},
    "address": {"type": "string", "pattern": "^0x[0-9a-f]{1,16}$"},
    "outputs": {"type": "array", "maxItems": 65536, "items": {"$ref": "#/$defs/output"}},
    "values": {"type": "array", "maxItems": 65536, "items": {"$ref": "#/$defs/value"}},
    "first": {"$ref": "#/$defs/first"},
    "result": {"$ref": "#/$defs/output"},
    "summary": {"$ref": "#/$defs/summary"},
    "measured": {"type": "array", "maxItems": 65536, "items": {"$ref": "#/$defs/measured"}},
    "integers": {"type": "array", "maxItems": 1024, "items": INTEGER},
    "missed": {
        "type": "array",
        "maxItems": 16,
        "items": {"type": "array", "minItems": 3, "maxItems": 3, "items": INTEGER},
    },
    **{name: {"$ref": f"#/$defs/{name}"} for name in ("crc32", "sizes", "real", "number")},
}
COMMENT = "generated from schema/protocol.toml by tools/protocol_keys.py"


def schema(_: int, records: dict[str, Record]) -> str:
    """The results' schema, its definitions of records and of the objects in them replaced."""
    document = json.loads(SCHEMA.read_text())
    for record_name, record in records.items():
        members = {}
        for name, key in keys(record).items():
            allowed = {"enum": key["of"]} if "of" in key else JSON_TYPES[key["type"]]
            members[name] = allowed | {"description": key["text"]}
        required = [name for name, key in keys(record).items() if "absent" not in key]
        document["$defs"][record_name] = {
            "$comment": COMMENT,
            "type": "object",
            "required": required,
            **({"additionalProperties": False} if record.get("object") else {}),
            "properties": members,
        }
    return json.dumps(document, indent=2) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    version, records = read()
    stale = 0
    for path, make in (
        (HEADER, header),
        (MODULE, module),
        (TABLE_MODULE, table),
        (PAGE, page),
        (SCHEMA, schema),
    ):
        text = make(version, records)
        if path.is_file() and path.read_text() == text:
            continue
        stale += 1
        if check:
            print(f"{path.relative_to(ROOT)} is not current: python tools/protocol_keys.py")
        else:
            path.write_text(text)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
