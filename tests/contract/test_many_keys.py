# SPDX-License-Identifier: BSD-3-Clause
"""Lists of many keys and texts of any size: what is written, every reader opens, in time that grows
with the size alone; what readers refuse, the writer does not write."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import bpte

PROGRAM = b"a program".ljust(300, b"\0")


def save(path: Path, bundled: bpte.BundledProgram, **options: object) -> Path:
    bundled.save(path, fit="skip", durable=False, **options)  # type: ignore[arg-type]
    return path


def rules_in_cpp(tool: Path, path: Path) -> set[str]:
    done = subprocess.run([tool, path], capture_output=True, text=True, check=True, timeout=120)
    return {line.split("\t")[2] for line in done.stdout.splitlines()}


def test_10_000_suites(cpp_tool: Callable[[str], Path], tmp_path: Path) -> None:
    methods = [f"method{index}" for index in range(10_000)]
    case = bpte.MethodTestCase([1], [2])
    suites = [bpte.MethodTestSuite(method, [case]) for method in methods]
    path = save(tmp_path / "suites.bpte", bpte.BundledProgram(PROGRAM, suites))
    assert rules_in_cpp(cpp_tool("rule_of"), path) == {"ok"}
    with bpte.open(path, verify=True) as bundle:
        # In the order of their names, not in the one given.
        assert [suite.method_name for suite in bundle.suites] == sorted(methods)
        assert bundle.suite("method4711").test_cases[0].expected_outputs == [2]


def test_8_000_keys_of_4_000_bytes(cpp_tool: Callable[[str], Path], tmp_path: Path) -> None:
    # Alike but for their ends: the dearest to compare.
    keys = [f"{'k' * 3996}{index:04}" for index in reversed(range(8_000))]
    named = {f"n{index}": bytes([index % 251]) for index in reversed(range(8_000))}
    bundled = bpte.BundledProgram(
        PROGRAM, [], metadata=dict.fromkeys(keys, "value"), named_data=named
    )
    path = save(tmp_path / "keys.bpte", bundled)
    assert rules_in_cpp(cpp_tool("rule_of"), path) == {"ok"}
    with bpte.open(path, verify=True) as bundle:
        assert list(bundle.metadata) == sorted([*keys, "producer"])
        assert list(bundle.named_data_segments) == sorted(named)
        assert bytes(bundle.named_data("n4711")) == named["n4711"]


def test_a_text_of_34_mb(cpp_tool: Callable[[str], Path], tmp_path: Path) -> None:
    text = "ä" * (17 << 20)
    path = save(tmp_path / "text.bpte", bpte.BundledProgram(PROGRAM, [], metadata={"t": text}))
    assert rules_in_cpp(cpp_tool("rule_of"), path) == {"ok"}
    with bpte.open(path) as bundle:
        assert bundle.metadata["t"] == text


def test_bp08_holds_256_suites(cpp_tool: Callable[[str], Path], tmp_path: Path) -> None:
    suites = [bpte.MethodTestSuite(f"m{index}") for index in reversed(range(257))]
    with pytest.raises(bpte.PackError, match=r"at most 256 suites, these are 257: write BP09"):
        save(tmp_path / "257.bpte", bpte.BundledProgram(PROGRAM, suites), format="bp08")
    assert not (tmp_path / "257.bpte").exists()
    bundled = bpte.BundledProgram(PROGRAM, suites[:256])
    path = save(tmp_path / "256.bpte", bundled, format="bp08")
    with bpte.open(path) as bundle:
        assert {s.method_name for s in bundle.suites} == {s.method_name for s in suites[:256]}


@pytest.mark.parametrize("option", ["alignment", "payload_alignment"])
def test_no_alignment_above_2_mib(option: str, tmp_path: Path) -> None:
    case = bpte.MethodTestCase([1], [2])
    bundled = bpte.BundledProgram(PROGRAM, [bpte.MethodTestSuite("forward", [case])])
    for refused in (4 << 20, 1 << 31, 1 << 32, 1 << 40):
        with pytest.raises(bpte.PackError, match=f"{option} must be a power of two from .* to"):
            save(tmp_path / "no.bpte", bundled, **{option: refused})
    path = save(tmp_path / "most.bpte", bundled, **{option: 2 << 20})
    with bpte.open(path, verify=True) as bundle:
        assert bundle.header.base_alignment in (128, 2 << 20)
