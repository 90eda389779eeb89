# SPDX-License-Identifier: BSD-3-Clause
"""The Markdown pages: their width, and that what CONTRIBUTING.md names is there."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
WIDTH = 100


def pages() -> list[str]:
    command = ["git", "ls-files", "*.md"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("this is not a git checkout: the pages are those that git lists")
    return done.stdout.splitlines()


def test_lines_have_at_most_100_columns() -> None:
    """Tables excepted, and blocks of code: what they show may be long."""
    wide = []
    for page in pages():
        code = False
        for number, line in enumerate((ROOT / page).read_text("utf-8").splitlines(), 1):
            if line.lstrip().startswith("```"):
                code = not code
            elif not code and len(line) > WIDTH and not line.lstrip().startswith("|"):
                wide.append(f"{page}:{number}: {len(line)} columns")
    assert wide == []


def test_what_contributing_names_is_there() -> None:
    """Paths, make's targets, presets, stages and tests."""
    spans = set(re.findall(r"`([^`\n]+)`", CONTRIBUTING))
    for span in spans:
        made = span.startswith("build/") or "NAME" in span or "VERB" in span
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)+", span) and not made:
            assert (ROOT / span).exists(), span
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"`make ([\w-]+)", CONTRIBUTING):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    presets = (ROOT / "CMakePresets.json").read_text("utf-8")
    for preset in re.findall(r"preset[s]? (?:`)?([\w-]+)`?", CONTRIBUTING):
        assert preset == "after" or f'"{preset}"' in presets, preset
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    for test in re.findall(r"`(test_\w+)`", CONTRIBUTING):
        assert f"def {test}(" in sources, test
    for file in re.findall(r"`(?:[\w/]+/)?(test_\w+\.py)`", CONTRIBUTING):
        assert list((ROOT / "tests").rglob(file)), file


def test_the_tests_that_pages_name_are_there() -> None:
    for page in pages():
        for path in re.findall(r"`(tests/[\w/]+\.py)`", (ROOT / page).read_text("utf-8")):
            assert (ROOT / path).is_file(), (page, path)


def test_every_stage_is_in_the_table() -> None:
    order = re.search(r"ORDER = \(([^)]*)\)", (ROOT / "tools" / "test.py").read_text("utf-8"))
    assert order is not None
    table = CONTRIBUTING[CONTRIBUTING.index("| stage |") :]
    named = re.findall(r"^\| `(\w+)` \|", table[: table.index("\n\n")], re.MULTILINE)
    assert named == re.findall(r'"(\w+)"', order[1])


def commands(pattern: str) -> list[tuple[str, str]]:
    """What matches in the pages, a command that goes on in the next line being one line."""
    texts = ((page, (ROOT / page).read_text("utf-8").replace("\\\n", " ")) for page in pages())
    return [(page, line) for page, text in texts for line in re.findall(pattern, text, re.M)]


def parser_of(verb: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    import_module(f"bpte.cli.{verb}").configure(parser)
    return parser


@pytest.mark.parametrize(("page", "line"), commands(r"^ *(bpte \w+ [^\n]*)$"))
def test_bpte_takes_the_commands_of_a_page(page: str, line: str) -> None:
    """The words: files and boards are the reader's own."""
    _, verb, *words = shlex.split(line, comments=True)
    parser_of(verb).parse_args(words)


@pytest.mark.parametrize(("page", "line"), commands(r"`(bpte \w+ [^`\n]*)`"))
def test_bpte_has_the_options_that_a_page_names(page: str, line: str) -> None:
    _, verb, *words = shlex.split(line)
    if verb == "VERB":
        return
    has = {option for action in parser_of(verb)._actions for option in action.option_strings}
    assert {word for word in words if word.startswith("--")} <= has


@pytest.mark.parametrize(("page", "line"), commands(r"[` ](python \w+/[^`\n]*)"))
def test_scripts_that_pages_name_are_there(page: str, line: str) -> None:
    assert (ROOT / line.split()[1]).is_file(), page


def test_options_of_the_pytest_plugin_are_there() -> None:
    command = [sys.executable, "-m", "pytest", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    text = "".join((ROOT / page).read_text("utf-8") for page in pages())
    named = set(re.findall(r"--bpte-[a-z-]+", text))
    assert named and named <= set(re.findall(r"--bpte-[a-z-]+", done.stdout))
