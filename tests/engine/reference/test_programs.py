# SPDX-License-Identifier: BSD-3-Clause
"""Whole programs on the reference engine: models, state, dynamic shapes, and what is refused."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference_engine import Answer, Ordered, ReferenceEngine

torch = pytest.importorskip("torch")
pytest.importorskip("executorch")

from torch import nn  # noqa: E402
from torch.export import Dim, export  # noqa: E402

ROOT = Path(__file__).parents[3]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Exports a module to a file."""

    def do(module: nn.Module, inputs: tuple[Any, ...], config: Any = None, **options: Any) -> Path:
        from executorch.exir import to_edge

        path = tmp_path / "program.pte"
        edge = to_edge(export(module.eval(), inputs, strict=True, **options))
        path.write_bytes(edge.to_executorch(config).buffer)
        return path

    return do


def run(tool: Path, path: Path, *inputs: Any) -> Answer:
    with ReferenceEngine(tool, path) as engine:
        return engine.run(inputs)


def test_the_example_models_pass(
    reference_tool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "examples"), *sys.path])
    models = importlib.import_module("reference_models")
    for name in models.MODELS:
        models.write_model(name, tmp_path)
        with ReferenceEngine(reference_tool, tmp_path / f"{name}.pte") as engine:
            for case in range(models.CASES):
                given = np.load(tmp_path / f"{name}.case{case}.input0.npy")
                expected = np.load(tmp_path / f"{name}.case{case}.expected0.npy")
                answer = engine.run([given])
                assert answer.error == "ok", answer.message
                np.testing.assert_allclose(answer.outputs[0], expected, rtol=1e-4, atol=1e-5)
        assert answer.table_bytes < 2048  # on a 64-bit host; a board's pointers are half as large


def test_mutable_buffers_change_and_start_afresh(reference_tool: Path, write: Write) -> None:
    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("total", torch.zeros(3))

        def forward(self, x: Any) -> Any:
            self.total.add_(x)
            return self.total * 2

    path = write(Module(), (torch.ones(3),))
    x = np.array([1, 2, 3], np.float32)
    with ReferenceEngine(reference_tool, path) as engine:
        for keep, factor in [(False, 2), (True, 4), (True, 6), (False, 2)]:
            answer = engine.run([x], keep_state=keep)
            assert answer.error == "ok", answer.message
            np.testing.assert_array_equal(answer.outputs[0], factor * x)


def test_initial_states_are_loaded(reference_tool: Path, write: Write) -> None:
    from executorch.exir import ExecutorchBackendConfig
    from executorch.exir.passes.init_mutable_pass import InitializedMutableBufferPass

    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("total", torch.tensor([5.0, 6.0, 7.0]))

        def forward(self, x: Any) -> Any:
            self.total.add_(x)
            return self.total * 2

    config = ExecutorchBackendConfig(passes=[InitializedMutableBufferPass(["total"])])
    path = write(Module(), (torch.ones(3),), config)
    with ReferenceEngine(reference_tool, path) as engine:
        for keep, factor in [(False, 1), (True, 2), (False, 1)]:
            answer = engine.run([np.ones(3, np.float32)], keep_state=keep)
            assert answer.error == "ok", answer.message
            expected = 2 * (np.array([5, 6, 7], np.float32) + factor)
            np.testing.assert_array_equal(answer.outputs[0], expected)


def test_dynamic_shapes(reference_tool: Path, write: Write) -> None:
    from test_operators import operators_of

    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 4)

        def forward(self, x: Any) -> Any:
            rows = x.shape[0]
            y = torch.relu(self.layer(x)).view(rows * 2, 2)
            z = torch.softmax(y, -1).view(rows, 2, 2)
            halves = torch.relu(x).view(rows // 2, 12) + 1.0
            longer = torch.cat([x, torch.full((rows + 1, 6), 0.5)])
            shorter = x[: rows - 1] * 2.0
            mirrored = x[torch.abs(1 - torch.arange(rows))]
            return z.mean(1), halves, longer, shorter, mirrored, x.shape[0] - 1

    module = Module()
    rows = 2 * Dim("half", min=1, max=4)
    path = write(module, (torch.ones(4, 6),), dynamic_shapes={"x": {0: rows}})
    wanted = {
        "aten::sym_size.int",
        "executorch_prim::add.Scalar",
        "executorch_prim::et_view.default",
        "executorch_prim::floordiv.Scalar",
        "executorch_prim::mul.Scalar",
    }
    assert sorted(wanted - operators_of(path.read_bytes())) == []
    with ReferenceEngine(reference_tool, path) as engine:
        for count in (4, 8, 2, 6):
            x = torch.randn(count, 6)
            answer = engine.run([x.numpy()])
            assert answer.error == "ok", answer.message
            expected = [v.detach().numpy() if torch.is_tensor(v) else v for v in module(x)]
            for actual, value in zip(answer.outputs, expected, strict=True):
                np.testing.assert_allclose(actual, value, rtol=1e-5, atol=1e-6)
        answer = engine.run([np.zeros((9, 6), np.float32)])
        assert (answer.error, "at most" in answer.message) == ("invalid_input", True)


def test_inputs_and_outputs_without_a_plan(reference_tool: Path, write: Write) -> None:
    from executorch.exir import ExecutorchBackendConfig
    from executorch.exir.passes import MemoryPlanningPass

    class Module(nn.Module):
        def forward(self, x: Any, y: Any) -> Any:
            return x + y, x * y

    planning = MemoryPlanningPass(alloc_graph_input=False, alloc_graph_output=False)
    config = ExecutorchBackendConfig(memory_planning_pass=planning)
    path = write(Module(), (torch.ones(3), torch.ones(3)), config)
    a, b = np.array([1, 2, 3], np.float32), np.array([4, 5, 6], np.float32)
    answer = run(reference_tool, path, a, b)
    assert answer.error == "ok", answer.message
    np.testing.assert_array_equal(answer.outputs[0], a + b)
    np.testing.assert_array_equal(answer.outputs[1], a * b)


def test_scalar_inputs_are_those_of_the_export(reference_tool: Path, write: Write) -> None:
    class Module(nn.Module):
        def forward(self, x: Any, n: int, f: float, b: bool) -> Any:
            return x * n + f if b else x

    path = write(Module(), (torch.ones(2), 3, 0.5, True))
    x = np.ones(2, np.float32)
    answer = run(reference_tool, path, x, 3, 0.5, True)
    assert answer.error == "ok", answer.message
    np.testing.assert_array_equal(answer.outputs[0], [3.5, 3.5])
    for wrong in [(4, 0.5, True), (3, 0.25, True), (3, 0.5, False), (3.0, 0.5, True)]:
        assert run(reference_tool, path, x, *wrong).error == "invalid_input"


def test_channels_last_inputs(reference_tool: Path, write: Write) -> None:
    module = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last).eval()
    x = torch.randn(1, 3, 5, 6).to(memory_format=torch.channels_last)
    path = write(module, (x,))
    order = (0, 2, 3, 1)
    answer = run(reference_tool, path, Ordered(x.numpy(), order))
    assert answer.error == "ok", answer.message
    np.testing.assert_allclose(answer.outputs[0], module(x).detach(), rtol=1e-5, atol=1e-6)
    plain = run(reference_tool, path, x.contiguous().numpy())
    assert (plain.error, "dim_order" in plain.message) == ("invalid_input", True)


class _Cond(nn.Module):
    def forward(self, x: Any) -> Any:
        return torch.cond(x.sum() > 0, lambda x: x + 1, lambda x: x - 1, (x,))


class _Lambda(nn.Module):
    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


@pytest.mark.parametrize(
    ("module", "x", "error", "message"),
    [
        (
            _Lambda(lambda x: torch.sort(x)[0]),
            torch.ones(3),
            "missing_operator",
            "not in this engine: aten::sort.values",
        ),
        (
            _Lambda(lambda x: torch.sort(torch.cumsum(torch.ceil(x), 0))[0]),
            torch.ones(3),
            "missing_operator",
            "not in this engine: aten::ceil.out, aten::cumsum.out, aten::sort.values",
        ),
        (_Lambda(torch.relu), torch.ones(3).double(), "unsupported", "float64"),
        (_Cond(), torch.ones(3), "unsupported", "JumpFalseCall"),
        (
            nn.ConvTranspose2d(1, 1, 2),
            torch.ones(1, 1, 3, 3),
            "unsupported",
            "transposed convolution",
        ),
    ],
    ids=["operator", "operators", "dtype", "control_flow", "mode"],
)
def test_what_is_missing_is_refused_by_name(
    module: nn.Module, x: Any, error: str, message: str, reference_tool: Path, write: Write
) -> None:
    # No input is given: what is refused is refused before anything runs.
    answer = run(reference_tool, write(module, (x,)))
    assert answer.error == error
    assert message in answer.message


def test_a_list_that_is_cut_off_says_so(reference_tool: Path, write: Write) -> None:
    names = (
        *("acos", "asin", "atan", "acosh", "asinh", "atanh", "cosh", "sinh", "tan"),
        *("ceil", "floor", "round", "trunc", "sign", "log1p", "log2", "log10"),
    )

    def everything(x: Any) -> Any:
        for name in names:
            x = getattr(torch, name)(x)
        return x

    answer = run(reference_tool, write(_Lambda(everything), (torch.ones(3),)))
    assert answer.error == "missing_operator"
    assert "aten::acos.out, aten::asin.out, aten::atan.out, aten::acosh.out" in answer.message
    assert answer.message.endswith("...")


@pytest.mark.parametrize("index", [3, -4])
def test_an_index_beyond_its_dimension_fails(
    index: int, reference_tool: Path, write: Write
) -> None:
    path = write(_Lambda(lambda i: torch.arange(3.0)[i]), (torch.tensor([0, 2]),))
    answer = run(reference_tool, path, np.array([-3, 2]))
    assert answer.error == "ok", answer.message
    np.testing.assert_array_equal(answer.outputs[0], [0, 2])
    answer = run(reference_tool, path, np.array([0, index]))
    assert answer.error == "execution_failed"
    assert "aten::index.Tensor_out: an index lies outside of its dimension" in answer.message


def test_delegates_are_refused_by_name(reference_tool: Path, tmp_path: Path) -> None:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program = to_edge_transform_and_lower(
        export(nn.Linear(4, 3).eval(), (torch.ones(2, 4),)), partitioner=[XnnpackPartitioner()]
    ).to_executorch()
    path = tmp_path / "delegate.pte"
    path.write_bytes(program.buffer)
    answer = run(reference_tool, path)
    assert answer.error == "missing_backend"
    assert "XnnpackBackend" in answer.message


def test_the_embedded_programs_are_what_their_script_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ROOT / "tests/engine/reference"
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    assert importlib.import_module("make_programs").render() == (folder / "programs.h").read_text()
