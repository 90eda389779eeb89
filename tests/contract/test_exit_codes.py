# SPDX-License-Identifier: BSD-3-Clause
"""Exit codes and states: C++, Python, the pages and the helps say the same."""

from __future__ import annotations

import re
from pathlib import Path

from bpte.cli import run as cli
from bpte.run.outcome import Outcome, State

ROOT = Path(__file__).parents[2]
CODES = {outcome.name: int(outcome) for outcome in Outcome}
#: Of a run; INTERNAL is the Python command's alone.
OF_A_RUN = {name: code for name, code in CODES.items() if name != "INTERNAL"}


def read(name: str) -> str:
    return (ROOT / name).read_text()


def test_the_runner_has_the_same_codes() -> None:
    header = read("runtime/bpte/runner/runner.h")
    (body,) = re.findall(r"enum class Outcome : uint8_t \{(.*?)\};", header, re.S)
    found = {name.upper(): int(code) for name, code in re.findall(r"k(\w+) = (\d+)", body)}
    assert found == OF_A_RUN


def test_no_other_place_states_a_code() -> None:
    """Neither a constant of its own nor a bare number given to the system. (EXIT_SIGNAL is added to
    a signal's number; what the supervisor exits with is between it and run/process.py.)"""
    stated = re.compile(r"\b(?:kUsage|EXIT_(?!SIGNAL)\w+) *= *\d|\b_?exit\([1-9]|sys\.exit\([1-9]")
    sources = [*(ROOT / "runtime/bpte").rglob("*.cpp"), *(ROOT / "python/bpte").rglob("*.py")]
    assert len(sources) > 50
    sources.remove(ROOT / "python/bpte/run/_supervisor.py")
    found = [str(path) for path in sources if stated.search(path.read_text())]
    assert not found


def test_the_pages_have_the_same_codes() -> None:
    page = read("docs/result-protocol.md").split("## Outcomes")[1]
    rows = re.findall(r"^\| (\d+) \| (\w+) \|", page, re.M)
    assert {name.upper(): int(code) for code, name in rows} == OF_A_RUN
    page = read("boards/README.md").split("## How it can end")[1]
    states = dict(re.findall(r"^\| ([a-z ]+) \| (\d+) \|", page, re.M))
    assert {name: int(code) for name, code in states.items()} == {
        state.words: int(state.outcome) for state in State
    }


def test_the_helps_name_every_code() -> None:
    for text in (
        cli.EPILOG.split("exit codes:")[1],
        read("runtime/bpte/platform/host/main.cpp").split("exit code:")[1].split("\n")[0],
    ):
        assert set(map(int, re.findall(r"\b(\d+)\b", text))) >= set(OF_A_RUN.values())
