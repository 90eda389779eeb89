# SPDX-License-Identifier: BSD-3-Clause
"""The core's table of element types: Python's and the schema's say the same, and nothing in the
core can forget a row."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from bpte.format import scalar_type
from bpte.format.tensor_data import TensorData
from bpte.run import compare, outputs_file

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "runtime" / "bpte" / "core" / "scalar_type.h"

PRINT = r"""
#include <bpte/core/scalar_type.h>
#include <cstdio>
int main() {
#define ROW(enumerator, number, name, stored, encoding, rtol, atol) \
  std::printf("%d %s %zu %g %g\n", number, name, \
              bpte::element_size(bpte::ScalarType::enumerator), double(rtol), double(atol));
  BPTE_FOR_EACH_SCALAR_TYPE(ROW)
}
"""


def test_python_has_the_same_table(tmp_path: Path) -> None:
    source, program = tmp_path / "print.cpp", tmp_path / "print"
    source.write_text(PRINT)
    core = ROOT / "runtime" / "bpte" / "core" / "scalar_type.cpp"
    include = f"-I{ROOT / 'runtime'}"
    subprocess.run(["g++", "-std=c++17", include, source, core, "-o", program], check=True)
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in printed.splitlines()]
    assert [
        (int(number), name, int(size), (float(rtol), float(atol)))
        for number, name, size, rtol, atol in rows
    ] == [
        (
            int(t),
            scalar_type.dtype_name(t),
            scalar_type.ELEMENT_SIZE[t],
            scalar_type.default_bounds(t),
        )
        for t in scalar_type.ScalarType
    ]


@pytest.mark.parametrize("number", scalar_type.ScalarType)
def test_the_largest_value_is_what_the_type_says(number: scalar_type.ScalarType) -> None:
    torch = pytest.importorskip("torch", reason="torch knows every type's largest value")
    dtype = getattr(torch, scalar_type.dtype_name(number))
    largest = torch.finfo(dtype).max if dtype.is_floating_point else None
    assert scalar_type.largest_finite(number) == largest


@pytest.mark.parametrize("number", scalar_type.ScalarType)
def test_python_computes_with_and_stores_what_numpy_lacks(number: scalar_type.ScalarType) -> None:
    """As types of numpy's own."""
    name = scalar_type.dtype_name(number)
    dtype = np.dtype(getattr(ml_dtypes, name, name))
    data = np.array([0, 1, 1], dtype).tobytes()
    elements = compare.elements(TensorData(number, (3,), (0,), lambda: iter([data])))
    assert (elements.dtype.type.__module__, elements.tolist()) == ("numpy", [0, 1, 1])
    stored = np.dtype(outputs_file._stored_dtype(number))
    size = scalar_type.ELEMENT_SIZE[number]
    assert (stored.type.__module__, stored.itemsize) == ("numpy", size)


def test_the_specification_names_every_type() -> None:
    text = (ROOT / "schema" / "README.md").read_text("utf-8").replace("\n ", "")
    listed = re.search(r"a scalar type \(ExecuTorch's numbers: ([^)]*)\)", text)
    assert listed is not None
    assert listed[1].split(", ") == [
        scalar_type.dtype_name(number) for number in scalar_type.ScalarType
    ]


def test_the_schema_has_the_same_numbers() -> None:
    table = re.findall(r"ROW\(k(\w+), (\d+),", TABLE.read_text(encoding="utf-8"))
    schema = (ROOT / "schema" / "scalar_type.fbs").read_text(encoding="utf-8")
    numbers = {name.lower(): int(n) for name, n in re.findall(r"^\s*(\w+) = (\d+)", schema, re.M)}
    assert len(table) == len(scalar_type.ScalarType)
    for name, number in table:
        assert numbers[name.lower()] == int(number)


@pytest.mark.parametrize("small", [0, 1])
def test_a_type_that_cannot_be_compared_does_not_compile(tmp_path: Path, small: int) -> None:
    shutil.copytree(ROOT / "runtime", tmp_path / "runtime")
    header = tmp_path / "runtime" / "bpte" / "core" / "scalar_type.h"
    text = header.read_text(encoding="utf-8")
    last_row = re.findall(r"ROW\(k.*\)(?=\n\n)", text)[-1]

    def compile_core(row: str) -> str:
        header.write_text(text.replace(last_row, f"{last_row} \\\n  {row}"), encoding="utf-8")
        errors = ""
        for name in ("compare.cpp", "internal/vector_kernels.cpp", "scalar_type.cpp"):
            command = ["g++", "-std=c++17", "-fsyntax-only", f"-DBPTE_CORE_SMALL={small}"]
            source = header.with_name("x").parent / name
            done = subprocess.run(
                [*command, f"-I{tmp_path / 'runtime'}", source],
                check=False,
                capture_output=True,
                text=True,
            )
            errors += done.stderr
        return errors

    assert "Float8" in compile_core('ROW(kFloat8, 40, "float8", uint8_t, Float8, 0, 0)')
    # With an encoding that the core can read, a row is all that it takes.
    assert compile_core('ROW(kOther, 40, "other", uint8_t, Bool, 0, 0)') == ""
