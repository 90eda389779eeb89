# SPDX-License-Identifier: BSD-3-Clause
"""Every rule's breaker through the C++ readers: in place and through a data source, each with and
without checksums, between guard pages."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from breakers import ACCEPTED, BREAKERS, Accepted, Breaker

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

WAYS = ("span", "span+crc", "source", "source+crc")
LEVELS = ("suite", "case", "step", "input", "output", "segment")
# Checked at opening, but no file can break it alone: it is about where a caller placed the bytes.
NOT_OF_A_FILE = {"misaligned_base"}
ROOT = Path(__file__).resolve().parents[2]

Answers = dict[str, dict[str, dict[str, str]]]


@pytest.fixture(scope="module")
def answers(
    build_tool: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Answers:
    folder = tmp_path_factory.mktemp("breakers")
    items: list[Breaker | Accepted] = [*BREAKERS, *ACCEPTED]
    for item in items:
        (folder / str(item)).write_bytes(item.make())
    done = subprocess.run(
        [build_tool, *(str(folder / str(item)) for item in items)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: Answers = defaultdict(dict)
    for line in done.stdout.splitlines():
        way, file, rule, *levels, message = line.split("\t")
        assert rule == "ok" or message.startswith(rule + ":") or message.startswith(rule + " ")
        found[Path(file).name][way] = {"rule": rule, **dict(zip(LEVELS, levels, strict=True))}
    return found


@pytest.fixture(scope="module")
def build_tool(cpp_tool: object) -> Path:
    assert callable(cpp_tool)
    tool = cpp_tool("rule_of")
    assert isinstance(tool, Path)
    return tool


@pytest.mark.parametrize("breaker", BREAKERS, ids=str)
def test_every_way_of_opening_names_the_rule(breaker: Breaker, answers: Answers) -> None:
    for way in WAYS:
        answer = answers[str(breaker)][way]
        if breaker.needs_checksums and not way.endswith("+crc"):
            assert answer["rule"] == "ok", way
            continue
        assert answer["rule"] == breaker.rule, way
        for level, index in breaker.place.items():
            assert answer[level] == str(index), (way, level)


@pytest.mark.parametrize("accepted", ACCEPTED, ids=str)
def test_odd_but_right_files_open(accepted: Accepted, answers: Answers) -> None:
    for way in WAYS:
        assert answers[str(accepted)][way]["rule"] == "ok", way


def test_a_source_of_unknown_size_opens_what_the_others_open(answers: Answers) -> None:
    for accepted in ACCEPTED:
        rule = answers[str(accepted)]["source?size"]["rule"]
        # BP08 does not say how long it is.
        assert rule == ("ok" if accepted.format == "BP09" else "read_failed"), str(accepted)


def test_every_rule_has_a_breaker() -> None:
    groups = tomllib.loads(ROOT.joinpath("schema/rules.toml").read_text("utf-8"))["group"]
    rules = {rule["name"]: rule for group in groups for rule in group["rule"]}
    for name, rule in rules.items():
        broken_in = {breaker.format for breaker in BREAKERS if breaker.rule == name}
        of_a_file = rule["at"] in ("open", "check") and name not in NOT_OF_A_FILE
        assert broken_in == (set(rule["formats"]) if of_a_file else set()), name
    assert {breaker.rule for breaker in BREAKERS} <= set(rules)
