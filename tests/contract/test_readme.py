# SPDX-License-Identifier: BSD-3-Clause
"""What README shows is what works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_python_lines_pack_a_bundle_that_passes(tmp_path: Path, bpte_runner: Path) -> None:
    pytest.importorskip("torch", reason="README's ten lines export a model")
    pytest.importorskip("executorch.exir", reason="README's ten lines export a model")
    subprocess.run([sys.executable, "-c", block("python")], cwd=tmp_path, check=True)
    subprocess.run([bpte_runner, tmp_path / "model.bpte"], check=True)


def test_the_cpp_lines_are_those_of_the_consumer() -> None:
    """tests/consumer/test_consumer.py builds and runs them."""
    source = (ROOT / "tests" / "consumer" / "main.cpp").read_text(encoding="utf-8")
    assert block("cpp") in source


def test_every_verb_shown_exists() -> None:
    from bpte.cli import VERBS

    shown = set(re.findall(r"^bpte (\w+) ", README, re.MULTILINE))
    assert shown and shown <= set(VERBS)


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).exists(), target
