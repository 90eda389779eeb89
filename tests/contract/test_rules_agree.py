# SPDX-License-Identifier: BSD-3-Clause
"""The rules' names: the same in Python, in the C++ core and in the specification, in one order."""

from __future__ import annotations

import re
from pathlib import Path

from bpte import BundleError, Place, Rule
from bpte.format.rules import _TEXT

ROOT = Path(__file__).resolve().parents[2]


def test_rules_agree_with_the_cpp_core() -> None:
    header = (ROOT / "runtime/bpte/core/error.h").read_text("utf-8")
    enumerators = re.findall(r"^  k(\w+),\s+///< (\w+)", header, re.MULTILINE)
    assert [name for _, name in enumerators] == [rule.value for rule in Rule]
    source = (ROOT / "runtime/bpte/core/error.cpp").read_text("utf-8")
    # The names follow one another, each ended by a NUL.
    names = re.findall(r'"(\w+)\\0"', source)
    assert names == ["ok", *(rule.value for rule in Rule)]


def test_rules_agree_with_the_specification() -> None:
    text = (ROOT / "schema/README.md").read_text("utf-8")
    table = re.findall(r"^\| `(\w+)` \|.*\| (?:yes)? ?\| (?:\w+) \|$", text, re.MULTILINE)
    assert table == [rule.value for rule in Rule]


def test_names_are_their_values_in_capitals() -> None:
    assert all(rule.name == rule.value.upper() for rule in Rule)
    assert set(_TEXT) == set(Rule)


def test_an_error_names_rule_place_value_and_expectation() -> None:
    error = BundleError(
        Rule.PAYLOAD_BOUNDS,
        place=Place(suite=0, case=1, input=2),
        offset=688,
        value=4096,
        expected=1024,
        path="m.bpte",
    )
    assert str(error) == (
        "m.bpte: payload_bounds: suite 0, case 1, input 2: the payload ends past its segment: "
        "4096, expected 1024 (file offset 688)"
    )
    assert error.to_json()["place"] == {"suite": 0, "case": 1, "input": 2}
