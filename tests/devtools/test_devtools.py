# SPDX-License-Identifier: BSD-3-Clause
"""ExecuTorch's own code against ours: its readers take the BP08 files that we write, we take its,
and bpte.devtools answers as executorch.devtools does.

Needs executorch with its Python bindings, and torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpte
from bpte import devtools
from bpte.devtools.bundled_program import schema
from bpte.pack import convert

torch = pytest.importorskip("torch")
bindings = pytest.importorskip("executorch.extension.pybindings.portable_lib")
upstream = pytest.importorskip("executorch.devtools.bundled_program.core")
upstream_config = pytest.importorskip("executorch.devtools.bundled_program.config")
upstream_serialize = pytest.importorskip("executorch.devtools.bundled_program.serialize")

MLP = Path(__file__).resolve().parents[1] / "fixtures" / "program" / "mlp.pte"


@pytest.fixture(scope="module")
def cases() -> list[tuple[Any, Any]]:
    """Inputs, and what the runtime of the executorch package makes of them."""
    program = MLP.read_bytes()  # the module does not keep it alive
    module = bindings._load_for_executorch_from_buffer(program)
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(2, 8, generator=generator) for _ in range(3)]
    return [(x, module.run_method("forward", (x,))[0].clone()) for x in inputs]


def bundle(cases: list[tuple[Any, Any]]) -> bpte.BundledProgram:
    suite = bpte.MethodTestSuite("forward", [bpte.MethodTestCase([x], [y]) for x, y in cases])
    return bpte.BundledProgram(MLP, [suite])


def verify(data: bytes, case: int) -> None:
    module = bindings._load_bundled_program_from_buffer(data)
    module.verify_result_with_bundled_expected_output("forward", case)


def test_upstream_s_runtime_verifies_our_bp08(cases: list[tuple[Any, Any]]) -> None:
    data = bundle(cases).to_bytes(format="bp08")
    for case in range(len(cases)):
        verify(data, case)
    x, y = cases[1]
    wrong = bundle([cases[0], (x, y + 0.01)]).to_bytes(format="bp08")
    verify(wrong, 0)
    with pytest.raises(RuntimeError):
        verify(wrong, 1)


def test_upstream_s_runtime_verifies_what_was_converted(
    cases: list[tuple[Any, Any]], tmp_path: Path
) -> None:
    bundle(cases).save(tmp_path / "new.bpte")
    convert.convert(tmp_path / "new.bpte", tmp_path / "old.bpte", format="bp08")
    verify((tmp_path / "old.bpte").read_bytes(), 2)


def upstream_bundle(cases: list[tuple[Any, Any]]) -> Any:
    suite = upstream_config.MethodTestSuite(
        "forward", [upstream_config.MethodTestCase([x], [y]) for x, y in cases]
    )
    return upstream.BundledProgram(None, [suite], str(MLP))


def test_what_upstream_writes_is_read_and_converted(
    cases: list[tuple[Any, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "old.bpte"
    path.write_bytes(
        upstream_serialize.serialize_from_bundled_program_to_flatbuffer(upstream_bundle(cases))
    )
    convert.convert(path, tmp_path / "new.bpte")
    for name in ("old.bpte", "new.bpte"):
        with bpte.open(tmp_path / name, verify=True) as read:
            assert bytes(read.program) == MLP.read_bytes()
            for case, (x, y) in zip(read.suites[0].test_cases, cases, strict=True):
                assert np.array_equal(case.inputs[0], x) and np.array_equal(
                    case.expected_outputs[0], y
                )


def test_upstream_deserialises_what_we_serialise(cases: list[tuple[Any, Any]]) -> None:
    ours = bundle(cases).to_bytes(format="bp08")
    theirs = upstream_serialize.deserialize_from_flatbuffer_to_bundled_program(ours)
    mine = devtools.deserialize_from_flatbuffer_to_bundled_program(ours)
    assert theirs.version == mine.version == 2
    assert bytes(theirs.program) == mine.program == MLP.read_bytes()
    for their_case, my_case in zip(
        theirs.method_test_suites[0].test_cases,
        mine.method_test_suites[0].test_cases,
        strict=True,
    ):
        for their_value, my_value in zip(their_case.inputs, my_case.inputs, strict=True):
            assert isinstance(my_value.val, schema.Tensor)
            assert int(their_value.val.scalar_type) == my_value.val.scalar_type
            assert list(their_value.val.sizes) == my_value.val.sizes
            assert bytes(their_value.val.data) == my_value.val.data
            assert list(their_value.val.dim_order) == my_value.val.dim_order


def test_devtools_names(cases: list[tuple[Any, Any]]) -> None:
    suite = devtools.MethodTestSuite(
        "forward", [devtools.MethodTestCase(inputs=(x,), expected_outputs=y) for x, y in cases]
    )
    bundled = devtools.BundledProgram(None, [suite], str(MLP))
    data = devtools.serialize_from_bundled_program_to_flatbuffer(bundled)
    verify(data, 0)
    again = devtools.deserialize_from_flatbuffer_to_bundled_program(data)
    assert again == bundled.serialize_to_schema()
    assert again.program == MLP.read_bytes()


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [((1,), ()), ((), ()), (("x",), ()), ((torch.zeros(2, 8),), (0, 0.0))],
    ids=["kind", "count", "text", "outputs"],
)
def test_devtools_asserts(inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
    class Program:
        def write_to_file(self, file: Any) -> None:
            file.write(MLP.read_bytes())

    case = devtools.MethodTestCase((torch.zeros(2, 8),))
    suite = devtools.MethodTestSuite("forward", [case])
    devtools.BundledProgram(Program(), [suite])
    case.inputs, case.expected_outputs = list(inputs), list(outputs)
    with pytest.raises(AssertionError):
        devtools.BundledProgram(Program(), [suite])
    with pytest.raises(AssertionError):
        devtools.BundledProgram(Program(), [devtools.MethodTestSuite("wrong", [])])
    with pytest.raises(RuntimeError):
        devtools.BundledProgram(None, [suite])
    with pytest.raises(RuntimeError):
        devtools.BundledProgram(Program(), [suite], str(MLP))


# ---- Outputs in another memory order than the program's


class Double(torch.nn.Module):  # type: ignore[misc,name-defined]
    def forward(self, x: Any) -> Any:
        return x * 2


def exported(model: Any, inputs: tuple[Any, ...], **config: Any) -> Any:
    exir = pytest.importorskip("executorch.exir")
    program = torch.export.export(model.eval(), inputs)
    return exir.to_edge(program).to_executorch(exir.ExecutorchBackendConfig(**config))


def transposed_twice() -> tuple[Any, tuple[Any, ...], Any]:
    x = torch.randn(3, 4)
    return Double(), (x,), (x * 2).t().contiguous().t()


def gru() -> tuple[Any, tuple[Any, ...], Any]:
    model = torch.nn.GRU(4, 5, batch_first=True)
    x = torch.randn(2, 3, 4)
    with torch.no_grad():
        return model, (x,), model(x)


@pytest.mark.parametrize("make", [transposed_twice, gru])
def test_outputs_are_laid_out_as_upstream_compares_them(make: Any, tmp_path: Path) -> None:
    """Upstream's verifier ends the process where strides differ, so they are looked at first."""
    torch.manual_seed(0)
    model, inputs, outputs = make()
    manager = exported(model, inputs)
    theirs = upstream.BundledProgram(
        manager,
        [
            upstream_config.MethodTestSuite(
                "forward", [upstream_config.MethodTestCase(inputs, outputs)]
            )
        ],
    )
    wanted = upstream_serialize.serialize_from_bundled_program_to_flatbuffer(theirs)
    verify(wanted, 0)

    suite = devtools.MethodTestSuite("forward", [devtools.MethodTestCase(inputs, outputs)])
    by_devtools = devtools.serialize_from_bundled_program_to_flatbuffer(
        devtools.BundledProgram(manager, [suite])
    )
    flat = outputs if isinstance(outputs, tuple) else (outputs,)
    case = bpte.MethodTestCase(list(inputs), list(flat))
    bundled = bpte.BundledProgram(manager, [bpte.MethodTestSuite("forward", [case])])
    bundled.save(tmp_path / "new.bpte")
    convert.convert(tmp_path / "new.bpte", tmp_path / "old.bpte", format="bp08")
    for data in (
        by_devtools,
        bundled.to_bytes(format="bp08"),
        (tmp_path / "old.bpte").read_bytes(),
    ):
        assert output_orders(data) == output_orders(wanted)
        verify(data, 0)
    with bpte.open(tmp_path / "old.bpte") as read:
        for mine, given in zip(read.suites[0].test_cases[0].expected_outputs, flat, strict=True):
            assert np.array_equal(mine, given.numpy())


def output_orders(data: bytes) -> list[list[int]]:
    bundled = devtools.deserialize_from_flatbuffer_to_bundled_program(data)
    values = bundled.method_test_suites[0].test_cases[0].expected_outputs
    return [value.val.dim_order for value in values]  # type: ignore[union-attr]


def test_external_constants_go_along(tmp_path: Path) -> None:
    manager = exported(torch.nn.Linear(3, 4), (torch.randn(2, 3),), external_constants=True)
    manager.write_tensor_data_to_file(tmp_path)
    (written,) = tmp_path.iterdir()
    path = tmp_path / "m.bpte"
    bpte.BundledProgram(manager).save(path)
    with bpte.open(path, verify=True) as bundle:
        (info,) = bundle.named_data_info.values()
        assert (info.role, info.file_name) == (bpte.NamedDataRole.PTD, written.name)
    before = written.read_bytes()
    written.unlink()
    with bpte.open(path) as bundle:
        assert bundle.extract_weights(tmp_path) == [(written, len(before))]
    assert written.read_bytes() == before


def test_external_constants_are_not_lost_in_silence(tmp_path: Path) -> None:
    manager = exported(torch.nn.Linear(3, 4), (torch.randn(2, 3),), external_constants=True)
    for drop in (False, True):
        with pytest.raises(bpte.PackError, match=r"external constants in .*\.ptd, .* BP08 cannot"):
            bpte.BundledProgram(manager).save(tmp_path / "m.bpte", format="bp08", drop=drop)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(AssertionError, match="external constants"):
        devtools.BundledProgram(manager, [])
