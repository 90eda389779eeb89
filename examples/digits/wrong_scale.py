# SPDX-License-Identifier: BSD-3-Clause
"""Makes a bundle that fails: digits_int8.pte with one quantisation parameter wrong.

    python examples/digits/wrong_scale.py wrong.bpte

One dequantisation has the scale of the layer before, as a slip in an exporter or a converter makes
it. Inputs, expected outputs and trace are those of the right program, as this machine computes
them. docs/guides/red-to-cause.md goes from the red verdict to the instruction.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import bpte
from bpte.program import deserialize_pte, serialize_pte

HERE = Path(__file__).parent
CASES = 4
RIGHT, WRONG = 11, 18
"""Two instructions that dequantise, after the first and the second convolution."""
SCALE = 1
"""Which of their arguments is the scale."""


def wrong_program(program: bytes) -> bytes:
    """The program in which WRONG has the scale of RIGHT."""
    file = deserialize_pte(program)
    plan = file.program.execution_plan[0]

    def scale(instruction: int) -> Any:
        call = plan.chains[0].instructions[instruction].instr_args
        return plan.values[call.args[SCALE]].val

    scale(WRONG).double_val = scale(RIGHT).double_val
    return bytes(serialize_pte(file))


def traced_suite(program: bytes, folder: Path) -> bpte.MethodTestSuite:
    """The cases, each with what the right program and its instructions give."""
    with np.load(HERE / "samples.npz") as samples:
        cases = [bpte.MethodTestCase([image]) for image in samples["images"][:CASES]]
    # One step of the scores' quantisation: what lies between two levels is rounded either way.
    tolerance = bpte.Tolerance(rtol=0, atol=0.133)
    suite = bpte.MethodTestSuite("forward", cases, tolerance)
    inputs, traced = folder / "inputs.bpte", folder / "traced.bpte"
    bpte.BundledProgram(program, [suite]).save(inputs)
    bpte.record(None, traced, source=inputs, trace=True)
    with bpte.open(traced) as bundle:
        (suite_there,) = bundle.suites
        for case, recorded in zip(cases, suite_there.test_cases, strict=True):
            case.expected_outputs = [np.array(output) for output in recorded.expected_outputs]
            case.trace = [entry._replace(value=np.array(entry.value)) for entry in recorded.trace]
        # The instructions of the wrong program are the same.
        suite.traced_method = suite_there.traced_method._replace(program_crc32=None)
    return suite


def main(output: str) -> None:
    program = (HERE / "digits_int8.pte").read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        suite = traced_suite(program, Path(folder))
    bpte.BundledProgram(wrong_program(program), [suite]).save(output)


if __name__ == "__main__":
    main(sys.argv[1])
