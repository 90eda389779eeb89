# SPDX-License-Identifier: BSD-3-Clause
"""A slice of what `make ethosu-nets` does: the model over networks that ExecuTorch lowers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("ethosu.regor", reason="needs ethos-u-vela, which `make test` installs")
pytest.importorskip("tosa_reference_model", reason="needs tosa-tools, which `make test` installs")
pytest.importorskip(
    "executorch.backends.arm", reason="needs executorch, which `make test` installs"
)

from compare_nets import FIRST, compare_all, rows
from networks import LAYERS, NETWORKS
from vela import TARGETS

# A layer, a keyword spotter, an autoencoder; not each for both, as each takes seconds.
SLICE = (
    ("conv_3x3", "ethos-u55-128"),
    ("conv_3x3", "ethos-u85-256"),
    ("ds_cnn", "ethos-u55-128"),
    ("autoencoder", "ethos-u85-256"),
)


@pytest.mark.parametrize(("name", "first"), SLICE)
def test_equal_to_the_tosa_reference_model(
    cpp_tool: Callable[[str], Path], tmp_path: Path, name: str, first: str
) -> None:
    results = list(compare_all([name], 1, cpp_tool("ethosu_tool"), tmp_path, [first]))
    assert [result for result in results if result.verdict == "wrong"] == []
    delegates = {result.network for result in results if result.verdict == "equal"}
    verdicts = [result.verdict for result in results]
    assert verdicts.count("equal") == 2 * len(delegates) > 0
    assert verdicts.count("within 1 of torch") == (name in LAYERS)


def test_all_targets_come_up() -> None:
    assert {options.target for first in FIRST for options in rows(first)} == set(TARGETS)


def test_there_are_enough_networks() -> None:
    assert len(NETWORKS) >= 64
    assert {first for _, first in SLICE} == set(FIRST)
