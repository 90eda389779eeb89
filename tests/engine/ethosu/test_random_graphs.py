# SPDX-License-Identifier: BSD-3-Clause
"""A slice of what `make ethosu-fuzz` does: the model over random graphs that Vela compiles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("ethosu.regor", reason="needs ethos-u-vela, which `make test` installs")
pytest.importorskip("tosa_reference_model", reason="needs tosa-tools, which `make test` installs")

from fuzz_graphs import Corpus, fuzz, pairwise
from known_defects import known_defect
from mutants import MODEL, MUTANTS, Mutant, mutated
from random_graphs import RandomGraph
from vela import FEATURES, MEMORY_MODES, TARGETS, Options

GRAPHS = 25  # of each target


@pytest.mark.parametrize("target", TARGETS)
def test_equal_to_the_tosa_reference_model(
    cpp_tool: Callable[[str], Path], tmp_path: Path, target: str
) -> None:
    first = 900_000_000 + 1000 * list(TARGETS).index(target)
    seeds = range(first, first + GRAPHS)
    tally = fuzz(cpp_tool("ethosu_tool"), target, seeds, tmp_path, Corpus(None))
    assert tally.wrong == []
    assert tally.known.total() <= 2
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


# docs/ethos-u.md names these.
@pytest.mark.parametrize(
    ("target", "seed", "defect"),
    [
        ("ethos-u55-128", 2_001_896, "32 bits behind a resized image"),
        ("ethos-u55-256", 3_003_720, "a table between transpositions"),
        ("ethos-u85-256", 7_003_317, "a depthwise with a multiplier in a part of a tensor"),
        ("ethos-u85-2048", 10_000_183, "a chain of 32 bits into a part of a tensor"),
        ("ethos-u85-256", 7_002_827, "a clamp or table behind a reversal"),
        ("ethos-u85-256", 7_002_345, "clamps or tables around transpositions"),
    ],
)
def test_a_known_defect_of_vela_explains_its_difference(
    cpp_tool: Callable[[str], Path], tmp_path: Path, target: str, seed: int, defect: str
) -> None:
    tally = fuzz(cpp_tool("ethosu_tool"), target, range(seed, seed + 1), tmp_path, Corpus(None))
    assert (tally.wrong, dict(tally.known)) == ([], {defect: 1})


def test_known_defects_are_narrow() -> None:
    """What they match could hide a mistake of the model."""
    for family in ("u55", "u85"):
        options = Options(f"ethos-{family}-128")
        graphs = [RandomGraph(seed, family).graph for seed in range(300)]
        matched = sum(bool(known_defect(graph, options)) for graph in graphs)
        assert 0 < matched <= 0.03 * len(graphs)


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
