# SPDX-License-Identifier: BSD-3-Clause
"""What `bpte inspect --board` says before is what a run says after, to the byte."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import bpte
from boards_support import LINKED, ROOT, build, demo_arrays, demo_program, pack, require
from bpte.cli import main
from bpte.run import elf as elf_files
from bpte.run import launcher
from bpte.run.footprint import Footprint, Place, Share, footprint, overflowed
from bpte.run.outcome import Outcome, State
from bpte.run.request import Refused
from changed_plan import with_planned_memory

DIGITS = ROOT / "examples" / "digits"
MODELS = ("mlp", "convnet", "mobilenet", "encoder")
EXPORTED = ("two_methods", "dynamic_batch", "scalar_input", "int8_tensors", "cnn_channels_last")
AWKWARD = ("sequence", "recurrent", "stateful", "unplanned", "writes_input", "scalar_outputs")


def request(bundle: Path, elf: Path | None, **more: Any) -> launcher.Request:
    here = launcher.Request(
        bundle, board="corstone-300", simulator="qemu", program=elf, timeout=120
    )
    return replace(here, **more)


def agree(asked: launcher.Request) -> Footprint:
    """Runs the first case, for which all of the bundle's memory is set aside."""
    before = footprint(asked)
    after = launcher.run(replace(asked, case=0)).transcript.resources
    assert after is not None
    assert before.resources == {name: getattr(after, name) for name in before.resources}
    assert before.fits is True and before.outcome == 0
    for place in before.places:
        assert place.used == sum(share.bytes or 0 for share in place.shares)
    return before


@pytest.fixture(scope="module")
def m7() -> Path:
    require("arm-none-eabi-g++", "qemu-system-arm")
    switch = "-DBPTE_ENGINE_STEPPING=ON"
    return build("mps2-an500", "reference", switch, target="bpte-firmware") / "bpte-firmware.elf"


@pytest.mark.parametrize("from_file", [False, True])
def test_digits_with_their_metrics(with_everything: Path, tmp_path: Path, from_file: bool) -> None:
    for name in ("digits", "digits_int8"):
        bundle = tmp_path / f"{name}.bpte"
        suite = ("--suite", str(DIGITS / f"{name}.toml"))
        assert main(["pack", str(DIGITS / f"{name}.pte"), *suite, "-o", str(bundle)]) == 0
        found = agree(request(bundle, with_everything, from_file=from_file))
        owners = [share.owner for place in found.places for share in place.shares]
        assert "metrics" in owners and "tables for forward" in owners


def test_models_on_both_processors(
    corstone_300: Path, m7: Path, reference_models: Any, tmp_path: Path
) -> None:
    for name in MODELS:
        bundle = pack(tmp_path / f"{name}.bpte", *reference_models(name))
        for board, elf in (
            ("corstone-300", corstone_300 / "bpte-firmware.elf"),
            ("mps2-an500", m7),
        ):
            agree(request(bundle, elf, board=board))
        agree(request(bundle, corstone_300 / "bpte-firmware.elf", from_file=True))


def test_exported_models(corstone_300: Path, example_models: Path, awkward_models: Path) -> None:
    """Steps with carried values, state, dynamic sizes, values that the plan does not place, several
    methods."""
    paths = [example_models / f"{name}.bpte" for name in EXPORTED]
    for bundle in (*paths, *(awkward_models / f"{name}.bpte" for name in AWKWARD)):
        found = agree(request(bundle, corstone_300 / "bpte-firmware.elf"))
        assert bool(found.resources["buffers"]) == (bundle.stem == "recurrent"), bundle


def test_a_bp08_file(corstone_300: Path, demo: Path, tmp_path: Path) -> None:
    """From a file it is read whole, and its program is used in there."""
    old = tmp_path / "old.bpte"
    assert main(["convert", str(demo), str(old), "--format", "bp08"]) == 0
    for from_file in (False, True):
        found = agree(request(old, corstone_300 / "bpte-firmware.elf", from_file=from_file))
        assert (found.resources["buffers"] or 0) >= from_file * old.stat().st_size


def test_external_weights(with_everything: Path, made_by: Callable[[Path, Path], Path]) -> None:
    pytest.importorskip("executorch.exir", reason="exporting models needs executorch")
    script = ROOT / "tests" / "runner" / "data_models.py"
    bundle = made_by(script, ROOT / "build" / "data-models") / "external.bpte"
    for from_file in (False, True):
        agree(request(bundle, with_everything, from_file=from_file))


def test_one_step_more_does_not_fit(corstone_300: Path, tmp_path: Path) -> None:
    """The arena has 2 MiB, and plans are rounded up to 16 bytes."""
    elf = corstone_300 / "bpte-firmware.elf"
    program = tmp_path / "large.pte"
    for size, over in ((0x200000, 0), (0x200001, 16), (8_400_000_000, 8_400_000_000 - 0x200000)):
        program.write_bytes(with_planned_memory(demo_program(), size))
        bundle = pack(tmp_path / "large.bpte", program, demo_arrays())
        asked = request(bundle, elf)
        found = footprint(asked)
        arena = next(place for place in found.places if place.name == "arena")
        assert arena.over == over
        assert found.outcome == (Outcome.MISMATCH if over else Outcome.PASSED)
        result = launcher.run(asked)
        assert result.state is (State.NOT_RUN if over else State.PASSED), result.message
        assert ("out_of_memory: planned memory" in result.message) == bool(over)


@pytest.fixture
def small_board(tmp_path: Path) -> Callable[..., Path]:
    """Corstone-300 with other numbers in its board.toml."""

    def make(*changes: tuple[str, str]) -> Path:
        folder = tmp_path / "small-board"
        shutil.copytree(ROOT / "boards" / "corstone-300", folder, dirs_exist_ok=True)
        text = (ROOT / "boards" / "corstone-300" / "board.toml").read_text()
        for old, new in (('name = "corstone-300"', 'name = "small-board"'), *changes):
            assert old in text
            text = text.replace(old, new)
        (folder / "board.toml").write_text(text)
        toolchain = (folder / "toolchain.cmake").read_text()
        toolchain = toolchain.replace("${CMAKE_CURRENT_LIST_DIR}/../../cmake", "${BPTE_CMAKE_DIR}")
        (folder / "toolchain.cmake").write_text(toolchain)
        return folder

    return make


def test_memories_one_byte_too_small(
    corstone_300: Path, demo: Path, small_board: Callable[..., Path], capsys: pytest.CaptureFixture
) -> None:
    elf = corstone_300 / "bpte-firmware.elf"
    whole = footprint(request(demo, elf))
    ram = next(place.used for place in whole.places if place.name == "ram")
    size = demo.stat().st_size
    for used, old, name in (
        (size, "load_size = 0x0F000000", "bundle"),
        (ram, "ram = { origin = 0x30000000, length = 0x80000 }", "ram"),
    ):
        for room, code in ((used, 0), (used - 1, 1)):
            number = old.split()[2 if name == "bundle" else -2]
            folder = small_board((old, old.replace(number, str(room))))
            words = ["inspect", str(demo), "--board", str(folder), "--elf", str(elf)]
            assert main(words) == code, (name, room)
            shown = capsys.readouterr().out
            assert ("DOES NOT FIT: 1 bytes are missing" in shown) == bool(code), shown
            assert main([*words, "--json"]) == code
            facts = json.loads(capsys.readouterr().out)
            (memory,) = (each for each in facts["memories"] if each["name"] == name)
            assert (facts["fits"], memory["size"], memory["over"]) == (code == 0, room, code)


def test_the_firmware_that_it_builds(corstone_300: Path) -> None:
    """Has the operators of the bundle's program alone, and is the one that a run takes."""
    found = agree(request(LINKED, None, operators_from=(LINKED,)))
    built = footprint(request(LINKED, None))
    assert built == found
    every = footprint(request(LINKED, corstone_300 / "bpte-firmware.elf")).resources["flash"]
    assert 10_000 < (built.resources["flash"] or 0) < (every or 0) - 10_000


def test_what_the_linker_misses(tmp_path: Path) -> None:
    """By its own words, and of memories that are named as in a board's memory.ld."""
    require("arm-none-eabi-g++")
    (tmp_path / "large.s").write_text(".section .text\n.space 1000\n.section .bss\n.space 4096\n")
    script = """MEMORY { ROM_ : ORIGIN = 0, LENGTH = 900  RAM_ : ORIGIN = 0x1000, LENGTH = 4096 }
        REGION_ALIAS("ROM", ROM_)  REGION_ALIAS("CODE", ROM_)
        SECTIONS { .text : { *(.text) } > CODE  .bss : { *(.bss) . += 8; } > RAM_ }"""
    (tmp_path / "memory.ld").write_text(script)
    words = ("-nostdlib", "-T", "memory.ld", "large.s", "-o", "large.elf")
    done = subprocess.run(
        ["arm-none-eabi-gcc", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert overflowed(done.stderr) == {"rom": 100, "ram": 8}
    lacking = Place("flash", 900, (Share("the firmware: there is none", None),), lacking=100)
    assert (lacking.over, lacking.fits) == (100, False)


def test_without_a_compiler(
    demo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """It says what it cannot know, and is not green."""
    monkeypatch.setenv("PATH", "/nonexistent")
    assert main(["inspect", str(demo), "--board", "corstone-300"]) == 4
    shown = capsys.readouterr().out
    assert "not known to fit" in shown and "arm-none-eabi-g++ is missing" in shown
    found = footprint(request(demo, None))
    assert found.fits is None
    assert (found.resources["planned_memory"], found.resources["engine_memory"]) == (2432, 72)
    assert found.resources["flash"] is None


def test_a_delegate_and_executorch_are_not_guessed(
    corstone_300: Path, demo: Path, ethosu_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elf = corstone_300 / "bpte-firmware.elf"
    absent = footprint(request(ethosu_bundle, elf))
    assert absent.outcome == 4 and absent.resources["planned_memory"] is None
    monkeypatch.setenv("PATH", "/nonexistent")
    shipped = footprint(request(demo, None, engine="executorch"))
    assert shipped.outcome == 4 and shipped.resources["engine_memory"] is None
    assert shipped.resources["planned_memory"] == 2432


def test_what_is_no_firmware_of_the_board(
    corstone_300: Path, m7: Path, demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    elf = corstone_300 / "bpte-firmware.elf"
    with pytest.raises(Refused, match=r"bpte-firmware\.elf is no firmware for corstone-300"):
        footprint(request(demo, m7))
    spoilt = tmp_path / "spoilt.elf"
    subprocess.run(["arm-none-eabi-strip", "-o", spoilt, elf], check=True)
    with pytest.raises(Refused, match="no firmware of bpte: it has no symbol"):
        footprint(request(demo, spoilt))
    whole = elf.read_bytes()
    for data in (b"", b"\x7fELF", whole[:40], demo_program().read_bytes()):
        spoilt.write_bytes(data)
        with pytest.raises(elf_files.ElfError, match=r"spoilt\.elf: "):
            elf_files.symbols(spoilt)
    for cut in range(52, len(whole), len(whole) // 50):
        spoilt.write_bytes(whole[:cut])
        with pytest.raises(elf_files.ElfError, match="damaged"):
            elf_files.symbols(spoilt)
    assert main(["inspect", str(demo), "--board", "corstone-300", "--elf", str(spoilt)]) == 2
    assert "damaged" in capsys.readouterr().err


def test_a_firmware_that_cannot_run_the_bundle(
    corstone_300: Path, demo: Path, example_models: Path, tmp_path: Path
) -> None:
    """It would not be run: that it fits is not said."""
    elf = corstone_300 / "bpte-firmware.elf"
    program = tmp_path / "other.pte"
    program.write_bytes(demo_program().read_bytes().replace(b"aten::relu", b"aten::relv"))
    others = (
        (pack(tmp_path / "other.bpte", program, demo_arrays()), "aten::relv.out"),
        (_with(tmp_path, metrics=[bpte.Metric(bpte.MetricKind.COSINE)]), "BPTE_RUNNER_METRICS"),
        (_with(tmp_path, [bpte.Budget(bpte.BudgetResource.FLASH, 1)]), "BPTE_RUNNER_BUDGETS"),
    )
    for bundle, lacks in others:
        with pytest.raises(Refused, match=f"lacks what the bundle needs: {lacks}") as refused:
            footprint(request(bundle, elf))
        assert refused.value.state is State.NOT_RUN
        result = launcher.run(request(bundle, elf))
        assert result.state is State.NOT_RUN, result.message
    with pytest.raises(Refused, match="the engine is reference, not executorch"):
        footprint(request(demo, elf, engine="executorch"))
    with pytest.raises(Refused, match="no multiple of the bundle's alignment"):
        footprint(request(demo, elf, load_address=0x71000010))


def _with(folder: Path, budgets: Sequence[bpte.Budget] = (), **more: Any) -> Path:
    cases = [bpte.MethodTestCase([x], [y]) for x, y in demo_arrays()]
    suite = bpte.MethodTestSuite("forward", cases, **more)
    path = folder / f"{len(budgets)}.bpte"
    bpte.BundledProgram(demo_program(), [suite], budgets=budgets).save(path, durable=False)
    return path


def test_usage(demo: Path, capsys: pytest.CaptureFixture) -> None:
    for words, says in (
        ([str(demo), "--from-file"], "--from-file has no effect without --board"),
        ([str(demo), "--board", "nowhere"], "no board 'nowhere'"),
        ([str(demo_program()), "--board", "corstone-300"], "is a program without test cases"),
        ([str(demo), "--board", "host", "--linked"], "runs no firmware"),
    ):
        assert main(["inspect", *words]) == 2
        assert says in capsys.readouterr().err


def test_a_board_that_nothing_emulates(demo: Path) -> None:
    require("arm-none-eabi-g++")
    elf = build("corstone-320", "reference", target="bpte-firmware") / "bpte-firmware.elf"
    found = footprint(request(demo, elf, board="corstone-320"))
    assert found.fits is True and (found.resources["flash"] or 0) > 10_000


def test_carries_are_counted_twice(corstone_300: Path, awkward_models: Path) -> None:
    """This step's values and the next one's."""
    path = awkward_models / "recurrent.bpte"
    found = footprint(request(path, corstone_300 / "bpte-firmware.elf"))
    with bpte.open(path) as bundle:
        steps = [s for suite in bundle.suites for case in suite.test_cases for s in case.info.steps]
    carried = {sum(-(-s.inputs[c.input].size // 16) * 16 for c in s.carries) for s in steps}
    assert found.resources["buffers"] == 2 * max(carried)
