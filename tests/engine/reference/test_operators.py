# SPDX-License-Identifier: BSD-3-Clause
"""Every operator of the reference engine against ExecuTorch's own results."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference_engine import ReferenceEngine

torch = pytest.importorskip("torch")
pytest.importorskip("executorch")

from operator_cases import GROUPS, Case, Group  # noqa: E402

SOURCE = Path(__file__).parents[3] / "runtime/bpte/engine/reference"
# What a program with dynamic shapes or mutable state needs is exported by test_programs.py.
ELSEWHERE = {
    "aten::copy_",
    "aten::sym_size.int",
    "executorch_prim::add.Scalar",
    "executorch_prim::et_view.default",
    "executorch_prim::floordiv.Scalar",
    "executorch_prim::mul.Scalar",
    "executorch_prim::sub.Scalar",
}


def supported_operators() -> set[str]:
    text = (SOURCE / "operators.def").read_text()
    return set(re.findall(r'^BPTE_OPERATOR\("(\w+::[\w.]+)", \w+\)$', text, re.MULTILINE))


def export(group: Group, cases: Sequence[Case]) -> bytes:
    """One program that computes all the cases; their inputs and outputs one after the other."""
    from executorch.exir import EdgeCompileConfig, ExecutorchBackendConfig, to_edge
    from executorch.exir.passes import MemoryPlanningPass

    class Module(torch.nn.Module):
        def forward(self, *inputs: Any) -> Any:
            outputs: list[Any] = []
            at = 0
            for case in cases:
                result = case.function(*inputs[at : at + len(case.inputs)])
                at += len(case.inputs)
                outputs.extend(result if isinstance(result, (tuple, list)) else [result])
            return tuple(outputs)

    flat = tuple(value for case in cases for value in case.inputs)
    config = EdgeCompileConfig(
        _skip_dim_order=not group.dim_order,
        preserve_ops=[getattr(torch.ops.aten, name).default for name in group.keep],
    )
    edge = to_edge(torch.export.export(Module(), flat, strict=False), compile_config=config)
    return bytes(
        edge.to_executorch(
            ExecutorchBackendConfig(memory_planning_pass=MemoryPlanningPass())
        ).buffer
    )


def run_executorch(program: Path, inputs: Sequence[Any]) -> list[Any]:
    from executorch.runtime import Runtime, Verification

    method = (
        Runtime.get()
        .load_program(program, verification=Verification.Minimal)
        .load_method("forward")
    )
    return [output.clone() for output in method.execute(list(inputs))]


def operators_of(program: bytes) -> set[str]:
    from executorch.exir._serialize._program import deserialize_pte_binary

    plans = deserialize_pte_binary(program).program.execution_plan
    return {
        f"{op.name}.{op.overload}" if op.overload else op.name
        for plan in plans
        for op in plan.operators
    }


@pytest.fixture(scope="module")
def seen() -> Iterator[set[str]]:
    yield set()


@pytest.mark.parametrize("name", GROUPS)
def test_operators_agree_with_executorch(
    name: str, reference_tool: Path, tmp_path: Path, seen: set[str]
) -> None:
    import executorch.kernels.quantized  # noqa: F401  (its operators' out variants)

    torch.manual_seed(0)
    group = GROUPS[name]()
    program = export(group, group.cases)
    seen |= operators_of(program)
    path = tmp_path / f"{name}.pte"
    path.write_bytes(program)
    inputs = [value for case in group.cases for value in case.inputs]
    if group.eager:
        results = [case.function(*case.inputs) for case in group.cases]
        expected = [t for r in results for t in (r if isinstance(r, (tuple, list)) else [r])]
    else:
        expected = run_executorch(path, inputs)
    with ReferenceEngine(reference_tool, path) as engine:
        answer = engine.run([value.numpy() for value in inputs])
    assert answer.error == "ok", answer.message
    assert len(answer.outputs) == len(expected)

    at = 0
    wrong: list[str] = []
    for case in group.cases:
        result = case.function(*case.inputs)
        for _ in result if isinstance(result, (tuple, list)) else [result]:
            actual, wanted = answer.outputs[at], expected[at].numpy()
            at += 1
            assert isinstance(actual, np.ndarray)
            if actual.dtype != wanted.dtype or actual.shape != wanted.shape:
                shapes = f"{actual.dtype}{actual.shape}, not {wanted.dtype}{wanted.shape}"
                wrong.append(f"{case.name}: {shapes}")
            elif not np.allclose(actual, wanted, rtol=1e-5, atol=2e-6, equal_nan=True):
                error = np.abs(actual.astype(np.float64) - wanted).max()
                wrong.append(f"{case.name}: off by up to {error}")
    assert at == len(expected)
    assert not wrong, "\n".join(wrong)


def test_every_operator_was_compared(seen: set[str]) -> None:
    """Runs after the groups: an operator that no group's program calls is untested."""
    if not seen:
        pytest.skip("the comparisons did not run in this process")
    assert sorted(supported_operators() - ELSEWHERE - seen) == []
