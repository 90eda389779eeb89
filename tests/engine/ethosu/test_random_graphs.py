# SPDX-License-Identifier: BSD-3-Clause
"""A slice of what `make ethosu-fuzz` does: the model over random graphs that Vela compiles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("ethosu.regor", reason="needs ethos-u-vela, which `make test` installs")
pytest.importorskip("tosa_reference_model", reason="needs tosa-tools, which `make test` installs")

from fuzz_graphs import Corpus, fuzz, pairwise
from mutants import MODEL, MUTANTS, Mutant, mutated
from vela import FEATURES, MEMORY_MODES, TARGETS

GRAPHS = 40  # of each target


@pytest.mark.parametrize("target", TARGETS)
def test_equal_to_the_tosa_reference_model(
    cpp_tool: Callable[[str], Path], tmp_path: Path, target: str
) -> None:
    first = 900_000_000 + 1000 * list(TARGETS).index(target)
    seeds = range(first, first + GRAPHS)
    tally = fuzz(cpp_tool("ethosu_tool"), target, seeds, tmp_path, Corpus(None))
    assert tally.wrong == []
    assert tally.equal >= GRAPHS * 0.6, tally.counts


# What random graphs found once.
@pytest.mark.parametrize(
    ("target", "seed"),
    [("ethos-u65-512", 5_002_120)],  # a convolution into one channel leaves the second core nothing
)
def test_found_before(
    cpp_tool: Callable[[str], Path], tmp_path: Path, target: str, seed: int
) -> None:
    tally = fuzz(cpp_tool("ethosu_tool"), target, range(seed, seed + 1), tmp_path, Corpus(None))
    assert (tally.equal, tally.wrong) == (1, [])


def test_options_come_in_all_pairs() -> None:
    rows = pairwise("ethos-u85-256")
    assert {row.memory_mode for row in rows} == set(MEMORY_MODES["u85"])
    for feature in FEATURES:
        for other in FEATURES:
            states = {(feature in row.disabled, other in row.disabled) for row in rows}
            assert len(states) == (2 if feature == other else 4)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_changes_the_model(mutant: Mutant) -> None:
    """`make ethosu-mutants` takes minutes; that what it changes is there is seen at once."""
    text = (MODEL / "internal" / mutant.file).read_text()
    assert mutated(mutant, text) != text


def test_there_are_enough_mutants() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 30
