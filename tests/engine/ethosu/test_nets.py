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

# A layer, a keyword spotter, an autoencoder, a small residual network.
SLICE = ("conv_3x3", "ds_cnn", "autoencoder", "resnet8")


@pytest.mark.parametrize("name", SLICE)
@pytest.mark.parametrize("first", FIRST)
def test_equal_to_the_tosa_reference_model(
    cpp_tool: Callable[[str], Path], tmp_path: Path, name: str, first: str
) -> None:
    results = list(compare_all([name], 1, cpp_tool("ethosu_tool"), tmp_path, [first]))
    assert [result for result in results if result.verdict == "wrong"] == []
    verdicts = [result.verdict for result in results]
    assert verdicts.count("equal") == 2
    assert verdicts.count("within 1 of torch") == (name in LAYERS)


def test_all_targets_come_up() -> None:
    assert {options.target for first in FIRST for options in rows(first)} == set(TARGETS)


def test_there_are_enough_networks() -> None:
    assert len(NETWORKS) >= 64
    assert set(SLICE) <= set(NETWORKS)
