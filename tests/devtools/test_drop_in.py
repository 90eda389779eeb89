# SPDX-License-Identifier: BSD-3-Clause
"""bpte::devtools: a program written for ExecuTorch's C++ interface to bundled programs,
drop_in_tool, reads BP08 and BP09, and gives the verdicts that the executorch package gives.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import bpte

torch = pytest.importorskip("torch")
bindings = pytest.importorskip("executorch.extension.pybindings.portable_lib")
exir = pytest.importorskip("executorch.exir")

PROGRAMS = Path(__file__).resolve().parents[1] / "fixtures" / "program"
MLP = PROGRAMS / "mlp.pte"
FORMATS = ("bp08", "bp09")
#: bindings' exceptions name the error by its number in these words.
STATUS = re.compile(r"(?:status |error: )(?:0x)?([0-9a-f]+)", re.IGNORECASE)


@pytest.fixture(scope="module")
def tool(cpp_tool: Callable[[str], Path]) -> Path:
    return cpp_tool("drop_in_tool")


def lines_of(tool: Path, *arguments: str | Path) -> dict[str, list[str]]:
    """What the tool prints: first word of a line -> the others, of all lines that begin so."""
    command = [tool, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    lines: dict[str, list[str]] = {}
    for first, *others in map(str.split, done.stdout.splitlines()):
        lines.setdefault(first, []).extend(word.removeprefix("Error::") for word in others)
    return lines


class Answer(NamedTuple):
    load: str
    verify: list[str]
    statistics: str
    errors: list[float]


def ask(tool: Path, bundle: Path, case: int = 0, *tolerances: tuple[float, float]) -> Answer:
    """Verified with each (rtol, atol); with those of the interface when there is none."""
    words = [repr(number) for pair in tolerances or [(1e-5, 1e-8)] for number in pair]
    lines = lines_of(tool, "run", bundle, "forward", str(case), *words)
    (load,), (statistics,) = lines["load"], lines["statistics"]
    return Answer(load, lines["verify"], statistics, [float(word) for word in lines["errors"]])


def save(
    folder: Path, program: object, cases: Sequence[tuple[Any, Any]], format: str, name: str = "b"
) -> Path:
    suite = bpte.MethodTestSuite("forward", [bpte.MethodTestCase(x, y) for x, y in cases])
    path = folder / f"{name}-{format}.bpte"
    bpte.BundledProgram(program, [suite]).save(path, format=format)
    return path


def mlp_case(seed: int = 0) -> tuple[list[Any], list[Any]]:
    program = MLP.read_bytes()  # the module does not keep it alive
    module = bindings._load_for_executorch_from_buffer(program)
    x = torch.randn(2, 8, generator=torch.Generator().manual_seed(seed))
    return [x], [module.run_method("forward", (x,))[0].clone()]


@pytest.mark.parametrize("format", FORMATS)
def test_loads_runs_and_verifies(tool: Path, tmp_path: Path, format: str) -> None:
    right = mlp_case()
    x, y = mlp_case(1)
    bundle = save(tmp_path, MLP, [right, (x, [y[0] + 0.25]), (x, None)], format)
    assert ask(tool, bundle, 0) == Answer("Ok", ["Ok"], "Ok", [0, 0, 0, 0])
    wrong = ask(tool, bundle, 1, (1e-5, 1e-8), (0, 0.2501))
    assert (wrong.load, wrong.verify, wrong.statistics) == ("Ok", ["NotFound", "Ok"], "Ok")
    expected = y[0] + 0.25
    error = (expected - y[0]).abs()
    relative = error / torch.maximum(expected.abs(), y[0].abs())
    figures = [error.mean(), error.max(), relative.mean(), relative.max()]
    assert wrong.errors == pytest.approx([float(figure) for figure in figures], rel=1e-6)
    none = ask(tool, bundle, 2)
    assert (none.verify, none.statistics) == (["NotSupported"], "InvalidArgument")
    beyond = ask(tool, bundle, 3)
    assert (beyond.load, beyond.verify) == ("InvalidArgument", ["InvalidArgument"])


@pytest.mark.parametrize("format", FORMATS)
def test_another_method_s_suite_is_not_taken(tool: Path, tmp_path: Path, format: str) -> None:
    with bpte.open(save(tmp_path, MLP, [mlp_case()], format)) as bundle:
        renamed = bytes(bundle.program).replace(b"forward", b"forwarD")
    other = save(tmp_path, MLP, [mlp_case()], format, "other")
    data = other.read_bytes()
    assert data.count(bytes(MLP.read_bytes())) == 1
    other.write_bytes(data.replace(MLP.read_bytes(), renamed))
    lines = lines_of(tool, "run", other, "forwarD", "0", "0", "0")
    assert lines["load"] == lines["verify"] == ["InvalidArgument"]


@pytest.mark.parametrize("tolerances", [(-1.0, 0.0), (0.0, -1.0), (float("nan"), 1.0)])
def test_a_tolerance_is_a_number_not_below_zero(
    tool: Path, tmp_path: Path, tolerances: tuple[float, float]
) -> None:
    bundle = save(tmp_path, MLP, [mlp_case()], "bp09")
    assert ask(tool, bundle, 0, tolerances).verify == ["InvalidArgument"]


@pytest.mark.parametrize("format", FORMATS)
def test_where_the_program_lies(tool: Path, tmp_path: Path, format: str) -> None:
    bundle = save(tmp_path, MLP, [mlp_case()], format)
    place = ["at", str(bundle.read_bytes().index(MLP.read_bytes())), "size"]
    place.append(str(MLP.stat().st_size))
    for shift in ("0", "16", "48"):  # not at a multiple of BP09's base_alignment
        lines = lines_of(tool, "find", bundle, shift)
        assert lines["bundle"] == ["1"] and lines["program"] == ["Ok"]
        assert ["at", *lines["at"]] == lines["stated"] == place
    assert lines_of(tool, "find", bundle, "8")["program"] == ["InvalidArgument"]


def test_what_is_no_bundle(tool: Path, tmp_path: Path) -> None:
    for name, data in {"program": MLP.read_bytes(), "text": b"x" * 200}.items():
        path = tmp_path / name
        path.write_bytes(data)
        lines = lines_of(tool, "find", path)
        assert lines["bundle"] == ["0"] and lines["program"] == ["NotSupported"]
        assert lines["stated"] == ["at", "-1", "size", "0"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_bundle_that_is_cut_short(tool: Path, tmp_path: Path, format: str) -> None:
    data = save(tmp_path, MLP, [mlp_case()], format).read_bytes()
    path = tmp_path / "short.bpte"
    for size in (4, 8, 20, 127, 128, 500, len(data) - 1):
        path.write_bytes(data[:size])
        lines = lines_of(tool, "run", path, "forward", "0")
        if format == "bp08" and size == len(data) - 1 and lines["program"] == ["Ok"]:
            continue  # the last byte of a FlatBuffer may be padding
        assert lines["program"][0] in ("NotSupported", "InvalidExternalData")


def test_steps_are_not_run(tool: Path, tmp_path: Path) -> None:
    x, y = mlp_case()
    steps = [bpte.MethodTestCase(x, y)] * 2
    suite = bpte.MethodTestSuite("forward", [bpte.MethodTestCase(steps=steps)])
    bpte.BundledProgram(MLP, [suite]).save(tmp_path / "steps.bpte")
    answer = ask(tool, tmp_path / "steps.bpte")
    assert answer[:3] == ("NotSupported", ["NotSupported"], "NotSupported")


@pytest.mark.parametrize("format", FORMATS)
def test_each_byte_changed(tool: Path, tmp_path: Path, format: str) -> None:
    """No change ends the process. What passes has values, names or texts that no verdict reads."""
    lines = lines_of(tool, "mutate", save(tmp_path, MLP, [mlp_case()], format))
    refused, wrong, passed = (int(lines["refused"][i]) for i in (0, 2, 4))
    size = 3 * ((tmp_path / f"b-{format}.bpte").stat().st_size - MLP.stat().st_size)
    assert refused + wrong + passed == size
    if format == "bp09":  # every byte is under a checksum, but for the padding between segments
        assert wrong == 0
    assert refused > 0


# ---- Verdicts held against those of the executorch package


class Copy(torch.nn.Module):  # type: ignore[misc,name-defined]
    def forward(self, x: Any) -> Any:
        return x.clone()


INPUTS = {
    "float32": torch.tensor([1.0, -2.5, 1e-30, float("inf"), float("nan"), 3e38]),
    "float64": torch.tensor([1.0, -2.5, 1e-300, float("-inf"), float("nan")], dtype=torch.float64),
    "float16": torch.tensor([1.0, -2.5, 6e-8, float("inf"), float("nan")], dtype=torch.float16),
    "bfloat16": torch.tensor([1.0, -2.5, 3.0], dtype=torch.bfloat16),
    "int32": torch.tensor([1, -(2**31), 7], dtype=torch.int32),
    "int64": torch.tensor([1, -(2**63), 7], dtype=torch.int64),
    "uint8": torch.tensor([0, 255, 7], dtype=torch.uint8),
    "bool": torch.tensor([True, False]),
    "empty": torch.zeros(0, 3),
    "scalar": torch.tensor(2.0),
}


TOLERANCES = ((0.0, 0.0), (1e-5, 1e-8), (1e-2, 0.0), (0.0, 1.0), (1e9, 1e9))


@pytest.fixture(scope="module")
def copies() -> dict[str, bytes]:
    """A program that gives back its input, for each dtype."""
    return {
        name: exir.to_edge(torch.export.export(Copy(), (x,))).to_executorch().buffer
        for name, x in INPUTS.items()
    }


def off_by_little(x: Any) -> Any:
    """The first element changed by some 1e-3, or to its neighbour."""
    changed = x.clone()
    if x.dtype.is_floating_point:
        changed.view(-1)[0] *= 1.0079
    else:
        changed.view(-1)[0] = 0 if x.dtype != torch.uint8 else 1
    return changed


def upstream_s_verdict(data: bytes, rtol: float, atol: float) -> str:
    module = bindings._load_bundled_program_from_buffer(data)
    try:
        module.verify_result_with_bundled_expected_output("forward", 0, rtol, atol)
    except RuntimeError as error:
        assert STATUS.search(str(error)), error
        return "NotFound"
    return "Ok"


@pytest.mark.parametrize("name", INPUTS)
def test_verdicts_are_upstream_s(
    tool: Path, tmp_path: Path, copies: dict[str, bytes], name: str
) -> None:
    x = INPUTS[name]
    expected = {"same": x}
    if x.numel():
        expected["other"] = off_by_little(x)
    if x.dtype.is_floating_point and x.numel() > 3:
        expected["finite"] = torch.nan_to_num(x)
    for label, y in expected.items():
        old = save(tmp_path, copies[name], [([x], [y])], "bp08", label)
        new = save(tmp_path, copies[name], [([x], [y])], "bp09", label)
        wanted = [upstream_s_verdict(old.read_bytes(), *pair) for pair in TOLERANCES]
        for path in (old, new):
            assert ask(tool, path, 0, *TOLERANCES).verify == wanted, label


def test_bp09_ends_the_process_of_upstream_s_bindings(tmp_path: Path) -> None:
    """docs/drop-in.md says so. When it is no longer true, the page is to be changed."""
    path = save(tmp_path, MLP, [mlp_case()], "bp09")
    program = (
        "import sys; from executorch.extension.pybindings import portable_lib as bindings;"
        "bindings._load_bundled_program_from_buffer(open(sys.argv[1], 'rb').read())"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, check=False)
    assert done.returncode == -signal.SIGSEGV
