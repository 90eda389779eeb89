# SPDX-License-Identifier: BSD-3-Clause
"""The rules are told once, in schema/rules.toml; all else that names them agrees."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import bpte
from bpte import BundleError, Place, Rule
from bpte.format.rule_table import FACTS
from breakers import BREAKERS

ROOT = Path(__file__).resolve().parents[2]
GENERATOR = runpy.run_path(str(ROOT / "tools" / "rules.py"))
RULES = [rule for group in GENERATOR["load"]() for rule in group.rules]


def test_what_is_made_of_the_rules_is_current() -> None:
    command = [sys.executable, ROOT / "tools" / "rules.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ({"name": "Too Short"}, "name"),
        ({"formats": ["BP10"]}, "formats"),
        ({"at": "later"}, "at"),
        ({"exit_code": 1}, "exit_code"),
        ({"values": "{amount}"}, "values"),
        ({"refused": "a | b"}, "refused"),
    ],
)
def test_an_entry_that_cannot_be_is_refused(entry: dict[str, object], wrong: str) -> None:
    right = {"name": "n", "refused": "r", "formats": ["BP09"], "at": "open", "text": "t"}
    with pytest.raises(ValueError, match=f": {wrong}$"):
        GENERATOR["_rule"]({**right, "exit_code": 3, **entry})


def test_every_check_of_a_file_stands_in_both_languages() -> None:
    """A rule that a file can break is refused somewhere in the core and somewhere in Python."""
    core = "".join(
        path.read_text("utf-8")
        for path in sorted((ROOT / "runtime/bpte/core").rglob("*"))
        if re.fullmatch(r"\w+\.cpp|check_\w+\.h", path.name)
        if path.name not in ("error.cpp", "format_fault.cpp")
    )
    python = "".join(
        path.read_text("utf-8")
        for path in sorted((ROOT / "python/bpte").rglob("*.py"))
        if path.name != "rule_table.py"
    )
    for rule in RULES:
        if rule.at in ("open", "check"):
            assert re.search(rf"\bError::{rule.enumerator}\b", core), rule.name
            if rule.name != "misaligned_base":  # Python maps files, at pages
                assert re.search(rf"\bRule\.{rule.name.upper()}\b", python), rule.name


def test_names_are_their_values_in_capitals() -> None:
    assert [rule.value for rule in Rule] == [rule.name for rule in RULES]
    assert all(rule.name == rule.value.upper() for rule in Rule)
    assert list(FACTS) == list(Rule)


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
        "it ends at 4096, the segment has 1024 bytes (file offset 688)"
    )
    assert error.to_json()["place"] == {"suite": 0, "case": 1, "input": 2}
    assert error.rule.exit_code == 3
    assert Rule.READ_FAILED.exit_code == 4
    # Without values the text stands alone.
    assert str(BundleError(Rule.PAYLOAD_BOUNDS)) == (
        "payload_bounds: the payload ends past its segment"
    )


def test_both_languages_say_the_same(cpp_tool: Callable[[str], Path], tmp_path: Path) -> None:
    """Of every breaker: rule, place and values in the same words."""
    for breaker in BREAKERS:
        (tmp_path / str(breaker)).write_bytes(breaker.make())
    paths = [tmp_path / str(breaker) for breaker in BREAKERS]
    done = subprocess.run(
        [cpp_tool("rule_of"), *paths], capture_output=True, text=True, timeout=300, check=True
    )
    said = {}
    for line in done.stdout.splitlines():
        way, file, *_, message = line.split("\t")
        if way == "span+crc":
            said[Path(file).name] = message
    different = []
    for breaker, path in zip(BREAKERS, paths, strict=True):
        with pytest.raises(BundleError) as caught:
            bpte.open(path, verify=breaker.needs_checksums)
        error = caught.value
        error.path = None
        error.offset = None  # the C++ core names the table, Python the very byte in places
        error.detail = None  # Python says more
        message = re.sub(r" \(file offset \d+\)$", "", said[path.name])
        if str(error) != message:
            different.append((str(breaker), str(error), message))
    assert different == []
