# SPDX-License-Identifier: BSD-3-Clause
"""Weights beside the program: what is held against it when it is packed, and a bundle as the base
of another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from data_file_writer import data_file

import bpte
from bpte.cli import main

ROOT = Path(__file__).resolve().parents[2]
W = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture(scope="session")
def models(made_by: Callable[[Path, Path], Path]) -> Path:
    pytest.importorskip("executorch.exir", reason="exporting models needs executorch")
    return made_by(ROOT / "tests" / "runner" / "data_models.py", ROOT / "build" / "data-models")


def bundled(models: Path, **weights: object) -> bpte.BundledProgram:
    case = bpte.MethodTestCase([np.zeros((2, 6), np.float32)])
    suite = bpte.MethodTestSuite("encode", [case])
    files = {f"{name}.ptd": data for name, data in weights.items()}
    return bpte.BundledProgram(models / "external.pte", [suite], weights=files)


def test_an_exported_program_brings_its_data_files(models: Path) -> None:
    """data_models.py packs ExecuTorch's own object, and names no file."""
    with bpte.open(models / "external.bpte") as bundle:
        assert list(bundle.named_data_info) == ["decoder.ptd", "encoder.ptd"]
        for name, info in bundle.named_data_info.items():
            extent = bundle.segment_extent(info.segment)
            content = (models / "external.bpte").read_bytes()[extent.offset : extent.end]
            assert content == (models / "external" / name).read_bytes()


def test_what_no_file_has_is_named(models: Path) -> None:
    encoder, decoder = (models / "external" / f"{name}.ptd" for name in ("encoder", "decoder"))
    bundled(models, encoder=encoder, decoder=decoder).check()
    with pytest.raises(
        bpte.PackError,
        match=r"'decode': the program needs external tensors that 'encoder\.ptd' does not have: "
        r"'module\.decoder\.weight', 'module\.decoder\.bias'",
    ):
        bundled(models, encoder=encoder).check()
    with pytest.raises(bpte.PackError, match=r"no data file .* was given for: 'module\.shared'"):
        bundled(models).check()
    assert bundled(models).check(fit="skip") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (data_file({"module.shared": W}), r"'module.shared' of 'x.ptd' is float32\[2, 3\], the"),
        (data_file({"module.shared": b"12 bytes ..."}), "of 'x.ptd' has no dtype and shape"),
        (data_file({"module.decoder.bias": W}), "'decoder.ptd' and 'x.ptd' have one key 'module.d"),
        (data_file({"w": W}, version=3), "'x.ptd' is not a well-formed data file .*version: is 3"),
        (data_file({"w": W})[:-1], "'x.ptd' is not a well-formed data file .* do not fit a file"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(models: Path, content: bytes, message: str) -> None:
    files: dict[str, object] = {"decoder": models / "external" / "decoder.ptd", "x": content}
    with pytest.raises(bpte.PackError, match=message):
        bundled(models, **files).check()


def test_inspect_names_the_external_tensors(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(models / "external.pte")]) == 0
    shown = capsys.readouterr().out
    assert shown.count("external tensor") == 2  # methods
    assert "module.decoder.weight  float32[6, 3]     72" in shown


def other_suite(folder: Path) -> Path:
    np.save(folder / "z.npy", np.zeros((2, 3), np.float32))
    path = folder / "other.toml"
    path.write_text('[metadata]\nwhat = "other"\n[[suite]]\nmethod = "decode"\n'
                    '[[suite.case]]\nname = "zeros"\ninputs = ["z.npy"]\n')  # fmt: skip
    return path


def test_a_base_keeps_program_and_weights(models: Path, tmp_path: Path) -> None:
    old, new = models / "external.bpte", tmp_path / "new.bpte"
    words = ["pack", "--base", str(old), "--suite", str(other_suite(tmp_path)), "-o", str(new)]
    assert main(words) == 0
    with bpte.open(old) as before, bpte.open(new) as after:
        after.verify()
        assert [suite.method_name for suite in after.suites] == ["decode"]
        assert [case.name for case in after.suites[0].test_cases] == ["zeros"]
        assert after.metadata["what"] == "other"
        for extents in ([b.program_extent] for b in (before, after)):
            assert extents[0].size == (models / "external.pte").stat().st_size
        assert list(after.named_data_info) == list(before.named_data_info)
    assert main(["extract", str(new), "-o", str(tmp_path / "p.pte")]) == 0
    assert (tmp_path / "p.pte").read_bytes() == (models / "external.pte").read_bytes()
    (tmp_path / "out").mkdir()
    assert main(["extract", str(new), "--ptd", "-o", str(tmp_path / "out")]) == 0
    for path in sorted((models / "external").iterdir()):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_a_base_is_checked(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray((models / "external.bpte").read_bytes())
    with bpte.open(models / "external.bpte") as bundle:
        content[bundle.program_extent.offset + 100] ^= 1
    old, new = tmp_path / "old.bpte", tmp_path / "new.bpte"
    old.write_bytes(content)
    suite = str(other_suite(tmp_path))
    assert main(["pack", "--base", str(old), "--suite", suite, "--no-fit", "-o", str(new)]) == 3
    assert "segment_checksum" in capsys.readouterr().err
    assert not new.exists()
    assert main(["pack", "--base", str(old), "--suite", suite, "-o", str(old)]) != 0  # itself
    assert old.read_bytes() == content


def test_a_program_or_a_base(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = ["--suite", str(other_suite(tmp_path)), "-o", str(tmp_path / "new.bpte")]
    for words in ([], ["p.pte", "--base", "b.bpte"]):
        assert main(["pack", *words, *suite]) != 0
        assert "give either a program or --base" in capsys.readouterr().err
