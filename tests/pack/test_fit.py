# SPDX-License-Identifier: BSD-3-Clause
"""Suites against the programs that they are bundled with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpte
from bpte.pack.fit import fit
from bpte.pack.program_source import WrittenProgram

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "program"
X = np.ones((2, 8), np.float32)
Y = np.ones((2, 4), np.float32)


def pack(program: object, method: str, inputs: list[Any], outputs: list[Any]) -> bytes:
    case = bpte.MethodTestCase(inputs, outputs)
    suite = bpte.MethodTestSuite(method, [bpte.MethodTestCase(inputs), case])
    return bpte.BundledProgram(program, [suite]).to_bytes()


class Manager:
    """Writes itself in pieces, as ExecutorchProgramManager does."""

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()

    def write_to_file(self, file: Any) -> None:
        for at in range(0, len(self.data), 100):
            file.write(self.data[at : at + 100])


@pytest.mark.parametrize("kind", ["path", "str", "bytes", "memoryview", "manager"])
def test_what_fits_is_packed_from_every_kind_of_source(kind: str) -> None:
    path = FIXTURES / "mlp.pte"
    program: object = {
        "path": path,
        "str": str(path),
        "bytes": path.read_bytes(),
        "memoryview": memoryview(path.read_bytes()),
        "manager": Manager(path),
    }[kind]
    with bpte.Bundle.from_bytes(pack(program, "forward", [X], [Y])) as bundle:
        assert bytes(bundle.program) == path.read_bytes()
    with pytest.raises(bpte.PackError, match=r"case 0, input 0: .*another dtype"):
        pack(program, "forward", [X.astype(np.int32)], [Y])


@pytest.mark.parametrize(
    ("program", "method", "inputs", "outputs", "message"),
    [
        ("mlp", "encode", [X], [Y], "method 'encode': the program has no such method; it has forw"),
        ("mlp", "forward", [X, X], [Y], r"'forward', case 0: 2 inputs, the method takes 1: float3"),
        ("mlp", "forward", [], [], r"case 0: 0 inputs"),
        ("mlp", "forward", [1], [Y], r"case 0, input 0: an int, the program has float32\[2, 8\]"),
        ("mlp", "forward", [X.astype("f8")], [Y], r"input 0: float64\[2, 8\].* another dtype"),
        ("mlp", "forward", [X[0]], [Y], r"input 0: float32\[8\].* another rank"),
        ("mlp", "forward", [X[:1]], [Y], r"input 0: float32\[1, 8\].* another shape"),
        ("mlp", "forward", [X], [Y, Y], r"case 1: 2 expected outputs, the method gives 1"),
        ("mlp", "forward", [X], [1.0], r"case 1, output 0: a double, the program has"),
        ("mlp", "forward", [X], [Y.astype("i4")], r"case 1, output 0: .* another dtype"),
        ("mlp", "forward", [X], [Y.T], r"case 1, output 0: .* another shape"),
        ("mlp", "forward", [np.asfortranarray(X)], [Y], r"input 0: its bytes lie in dim_order \[1"),
        ("dynamic", "forward", [np.ones((8, 5), "f4"), 2.0], [], r"\[<=7, <=5\]: larger than its"),
        ("dynamic", "forward", [np.ones((3, 5), "f4"), 2], [], r"input 1: an int, the program has"),
        ("methods", "clamp", [X], [], r"method 'clamp', case 0, input 0: .* another rank"),
    ],
)
def test_what_does_not_fit_is_refused(
    program: str, method: str, inputs: list[Any], outputs: list[Any], message: str
) -> None:
    with pytest.raises(bpte.PackError, match=message):
        pack(FIXTURES / f"{program}.pte", method, inputs, outputs)


def test_smaller_than_a_bound_fits() -> None:
    for rows in (2, 7):
        pack(FIXTURES / "dynamic.pte", "forward", [np.ones((rows, 5), np.float32), 2.0], [])


def test_relayout_brings_inputs_into_the_program_s_order() -> None:
    laid_out = np.asfortranarray(np.arange(16, dtype=np.float32).reshape(2, 8))
    case = bpte.MethodTestCase([laid_out], [Y])
    bundled = bpte.BundledProgram(FIXTURES / "mlp.pte", [bpte.MethodTestSuite("forward", [case])])
    with bpte.Bundle.from_bytes(bundled.to_bytes(fit="relayout")) as bundle:
        read = bundle.suites[0].test_cases[0]
        assert read.info.inputs[0].dim_order == (0, 1)  # type: ignore[union-attr]
        assert np.array_equal(read.inputs[0], laid_out)


def test_a_program_that_cannot_be_inspected_is_packed_with_a_note(tmp_path: Path) -> None:
    suite = bpte.MethodTestSuite("forward", [bpte.MethodTestCase([X])])
    saved = bpte.BundledProgram(b"not a program", [suite]).save(tmp_path / "a.bpte")
    assert saved.notes == ["the program has no identifier of ExecuTorch: packed unchecked"]


def test_a_malformed_program_is_refused_unless_told_otherwise(tmp_path: Path) -> None:
    broken = (FIXTURES / "mlp.pte").read_bytes()[:300]
    suite = bpte.MethodTestSuite("forward", [bpte.MethodTestCase([X])])
    bundled = bpte.BundledProgram(broken, [suite])
    with pytest.raises(bpte.PackError, match="not a well-formed program"):
        bundled.save(tmp_path / "a.bpte")
    assert list(tmp_path.iterdir()) == []
    bundled.save(tmp_path / "a.bpte", fit="skip")


def test_only_the_front_of_a_program_that_writes_itself_is_looked_at() -> None:
    source = WrittenProgram(Manager(FIXTURES / "mlp.pte"))
    assert source.size == (FIXTURES / "mlp.pte").stat().st_size
    suites, notes = fit(source, [], {}, "strict")
    assert suites == [] and notes == []
