# SPDX-License-Identifier: BSD-3-Clause
"""Every rule's breaker through the C++ readers: in place and through a data source, each with and
without checksums, between guard pages."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from breakers import ACCEPTED, BREAKERS, Accepted, Breaker

WAYS = ("span", "span+crc", "source", "source+crc")
LEVELS = ("suite", "case", "input", "output", "segment")
# Rules that no file can break: they are about a caller, a source or the program; unit tests have
# them.
NOT_OF_A_FILE = {
    "misaligned_base",
    "unknown_method",
    "read_failed",
    "source_changed",
    "buffer_too_small",
    "no_such_item",
}

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
    lines = Path(__file__).parents[2].joinpath("schema/README.md").read_text("utf-8").splitlines()
    rules: dict[str, bool] = {}
    for line in lines:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if (
            line.startswith("| `")
            and len(cells) == 4
            and cells[3]
            in (
                "open",
                "check",
                "run",
                "source",
                "call",
            )
        ):
            rules[cells[0].strip("`")] = cells[2] == "yes"
    assert len(rules) > 50
    for rule, in_bp08 in rules.items():
        if rule in NOT_OF_A_FILE:
            continue
        formats = {breaker.format for breaker in BREAKERS if breaker.rule == rule}
        assert "BP09" in formats or rule == "tolerance", rule
        assert not in_bp08 or "BP08" in formats, rule
    assert {breaker.rule for breaker in BREAKERS} <= set(rules)
