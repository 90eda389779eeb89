# SPDX-License-Identifier: BSD-3-Clause
"""Makes everything about rules that is not a check from schema/rules.toml, which says how to add
one. What is made is committed; a test holds it against what this script gives.

    python tools/rules.py          writes
    python tools/rules.py --check  says what is not current; exit code 1 if anything is
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "schema" / "rules.toml"
ENUM = ROOT / "runtime" / "bpte" / "core" / "rules.h"
TEXTS = ROOT / "runtime" / "bpte" / "core" / "internal" / "rule_texts.h"
PYTHON = ROOT / "python" / "bpte" / "format" / "rule_table.py"
SPECIFICATION = ROOT / "schema" / "README.md"

FORMATS = ("BP08", "BP09")
MOMENTS = ("open", "check", "run", "source", "call")
EXIT_CODES = (3, 4)
PLACEHOLDER = re.compile(r"\{(value|expected)(?::([xdc]))?\}")
WIDTH = 100
NOTICE = "Made from schema/rules.toml by tools/rules.py: do not edit."


class Rule(NamedTuple):
    name: str
    refused: str
    formats: list[str]
    at: str
    text: str
    values: str
    exit_code: int

    @property
    def enumerator(self) -> str:
        return "k" + "".join(part.capitalize() for part in self.name.split("_"))


class Group(NamedTuple):
    title: str
    rules: list[Rule]


def load(path: Path = SOURCE) -> list[Group]:
    """The rules, group by group. Raises ``ValueError`` for an entry that cannot be."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    groups = [
        Group(group["title"], [_rule(entry) for entry in group["rule"]]) for group in data["group"]
    ]
    names = [rule.name for group in groups for rule in group.rules]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"named twice: {', '.join(sorted(twice))}")
    return groups


def _rule(entry: dict[str, Any]) -> Rule:
    rule = Rule(**{"values": "", **entry})
    wrong = [
        what
        for what, holds in (
            ("name", re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", rule.name)),
            ("formats", rule.formats and set(rule.formats) <= set(FORMATS)),
            ("at", rule.at in MOMENTS),
            ("exit_code", rule.exit_code in EXIT_CODES),
            ("refused", rule.refused and "|" not in rule.refused),
            ("text", rule.text.isascii() and not re.search(r"[{}]", rule.text)),
            ("values", rule.values.isascii() and "{" not in PLACEHOLDER.sub("", rule.values)),
        )
        if not holds
    ]
    if wrong:
        raise ValueError(f"rule {rule.name}: {', '.join(wrong)}")
    return rule


def _comment(prefix: str, text: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=prefix,
        subsequent_indent=prefix,
        break_long_words=False,
        break_on_hyphens=False,
    )


_ENUM = """\
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// {notice}

#include <cstdint>

namespace bpte {{

/// The rules of a .bpte file, in the order of schema/README.md's table, which says more; each with
/// its name and when a file (a request, a source) is refused. The name is what to_string() gives
/// and what the Python package says (`bpte.Rule`): it stays. The numbers may change from version to
/// version: nothing stores them.
// clang-format 14 takes the attribute for a name.
// clang-format off
enum class [[nodiscard]] Error : uint8_t {{
  kOk = 0,
{enumerators}

  kCount_,
}};
// clang-format on

/// What a program exits with that this rule stops: 3 when the bundle is malformed, 4 when the
/// surroundings are at fault (docs/result-protocol.md).
constexpr int exit_code(Error error) {{
  switch (error) {{
{surroundings}
      return 4;
    default:
      return 3;
  }}
}}

}}  // namespace bpte
"""


def render_enum(groups: list[Group]) -> str:
    enumerators = []
    surroundings = []
    for group in groups:
        enumerators += ["", f"  // {group.title}."]
        for rule in group.rules:
            enumerators.append(_comment("  /// ", f"{rule.name}: {_plain(rule.refused)}"))
            enumerators.append(f"  {rule.enumerator},")
            if rule.exit_code == 4:
                surroundings.append(f"    case Error::{rule.enumerator}:")
    return _ENUM.format(
        notice=NOTICE, enumerators="\n".join(enumerators), surroundings="\n".join(surroundings)
    )


def _plain(markdown: str) -> str:
    """As a comment has it: letters that every editor shows, no mark-up."""
    for old, new in {"`": "", "\u2013": "-", "\u2212": "-", "\u00d7": "x"}.items():
        markdown = markdown.replace(old, new)
    return markdown


# What the core writes in place of a placeholder: one character, which no text may hold.
MARKS = {
    "{value}": "#",
    "{value:x}": "$",
    "{value:d}": "~",
    "{value:c}": "%",
    "{expected}": "@",
    "{expected:x}": "^",
}


def _marked(values: str) -> str:
    clash = set(values) & set(MARKS.values())
    if clash:
        raise ValueError(f"{values!r} holds {clash}, which the core takes for a value")
    return PLACEHOLDER.sub(lambda found: MARKS[found[0]], values)


_TEXTS = """\
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// {notice}

// One string each, of parts that follow one another, each ended by a NUL: 250 bytes less than
// tables of pointers.

namespace bpte::internal {{

// clang-format off
/// Names, by the number of the rule; the last is for none of them.
inline constexpr char kRuleNames[] =
    "ok\\0"
{names}
    "unknown";

/// Two for each rule: what is wrong, and what follows when the values are known. In the second, #
/// stands for the value found ($ in hexadecimal, ~ signed, % as four characters), @ for what the
/// rule wants (^ in hexadecimal).
inline constexpr char kRuleTexts[] =
    "no violation\\0" "\\0"
{texts}
    "unknown\\0";
// clang-format on

}}  // namespace bpte::internal
"""


def render_texts(groups: list[Group]) -> str:
    rules = [rule for group in groups for rule in group.rules]
    return _TEXTS.format(
        notice=NOTICE,
        names="\n".join(f'    "{rule.name}\\0"' for rule in rules),
        texts="\n".join(
            f"    {_quoted(rule.text)} {_quoted(_marked(rule.values))}" for rule in rules
        ),
    )


def _quoted(text: str) -> str:
    return json.dumps(text)[:-1] + '\\0"'


_PYTHON = '''\
# SPDX-License-Identifier: BSD-3-Clause
"""{notice}"""

# ruff: noqa: E501
# fmt: off
from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Rule(str, Enum):
    """A rule of the format, in the order of schema/README.md's table. The value is its name."""
{members}

    __str__ = str.__str__

    @property
    def exit_code(self) -> int:
        """Of a program that this rule stops: 3 when the bundle is malformed, 4 when the
        surroundings are at fault."""
        return FACTS[self].exit_code


class Facts(NamedTuple):
    """What is said of a violation."""

    exit_code: int
    text: str
    """What is wrong."""
    values: str
    """What follows when value and expectation are known; empty for none."""


FACTS: dict[Rule, Facts] = {{
{facts}
}}
'''


def render_python(groups: list[Group]) -> str:
    members = []
    facts = []
    for group in groups:
        members += ["", f"    # {group.title}."]
        for rule in group.rules:
            name = rule.name.upper()
            members.append(f"    {name} = {json.dumps(rule.name)}")
            said = f"{rule.exit_code}, {json.dumps(rule.text)}, {json.dumps(rule.values)}"
            facts.append(f"    Rule.{name}: Facts({said}),")
    return _PYTHON.format(notice=NOTICE, members="\n".join(members), facts="\n".join(facts))


BEGIN = f"<!-- {NOTICE} -->\n"
END = "<!-- The end of what is made. -->\n"


def render_specification(groups: list[Group], page: str) -> str:
    """The page with its table made anew."""
    rows = ["| rule | the file is refused when | in | at | exit |", "|---|---|---|---|---|"]
    for group in groups:
        for rule in group.rules:
            formats = "both" if len(rule.formats) == len(FORMATS) else rule.formats[0]
            rows.append(
                f"| `{rule.name}` | {rule.refused} | {formats} | {rule.at} | {rule.exit_code} |"
            )
    before, found, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    if not found or not after:
        raise ValueError(f"{SPECIFICATION}: the marks around the table of rules are missing")
    return before + BEGIN + "\n" + "\n".join(rows) + "\n\n" + END + after


def render_all() -> dict[Path, str]:
    """Every file that is made, with what belongs into it."""
    groups = load()
    return {
        ENUM: render_enum(groups),
        TEXTS: render_texts(groups),
        PYTHON: render_python(groups),
        SPECIFICATION: render_specification(groups, SPECIFICATION.read_text(encoding="utf-8")),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes what schema/rules.toml decides.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing, say what is not current"
    )
    options = parser.parse_args()
    stale = [
        (path, text)
        for path, text in render_all().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in stale:
        name = path.relative_to(ROOT)
        if options.check:
            print(f"{name} is not what schema/rules.toml says: run `python tools/rules.py`")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
