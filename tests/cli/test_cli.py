# SPDX-License-Identifier: BSD-3-Clause
"""The command line: pack, inspect, check, extract, convert, and how it fails."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpte
from bpte.cli import VERBS, _output, main

ROOT = Path(__file__).resolve().parents[2]
MLP = ROOT / "tests" / "fixtures" / "program" / "mlp.pte"
BPTE = (sys.executable, "-c", "import sys; from bpte.cli import main; sys.exit(main())")
DYNAMIC = ROOT / "tests" / "fixtures" / "program" / "dynamic.pte"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with arrays that fit the fixtures' programs."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.arange(16, dtype=np.float32).reshape(2, 8))
    np.save("y.npy", np.ones((2, 4), np.float32))
    np.savez("both.npz", x=np.ones((2, 8), np.float32), y=np.zeros((2, 4), np.float32))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(word) for word in words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_pack_check_inspect_extract(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = ("--case", "in=x.npy", "out=y.npy", "name=first")
    more = ("--case", "in=both.npz:x", "out=both.npz:y", "--rtol", "0.5", "--meta", "model=mlp")
    code, out, err = run(capsys, "pack", MLP, *case, *more, "-o", "m.bpte")
    assert (code, err) == (0, "")
    assert out.startswith("m.bpte: BP09")
    assert run(capsys, "check", "m.bpte")[0] == 0
    code, out, _ = run(capsys, "inspect", "m.bpte")
    assert code == 0
    for text in ("BP09", "forward case 0 (first)", "float32[2, 8]", "rtol 0.5", "model: mlp"):
        assert text in out
    code, out, _ = run(capsys, "extract", "m.bpte", "-o", "out.pte")
    assert code == 0
    assert Path("out.pte").read_bytes() == MLP.read_bytes()


def test_inspect_json_says_everything(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("extra").write_bytes(b"extra")
    run(capsys, "pack", MLP, "--case", "in=x.npy", "-o", "m.bpte", "--data", "k=extra")
    facts = json.loads(run(capsys, "inspect", "m.bpte", "--json")[1])
    assert facts["header"]["file_size"] == Path("m.bpte").stat().st_size
    program = facts["segments"][facts["program"]["segment"]]
    assert program["holds"] == "program" and program["size"] == MLP.stat().st_size
    content = Path("m.bpte").read_bytes()
    start = program["file_offset"]
    assert content[start : start + program["size"]] == MLP.read_bytes()
    (suite,) = facts["suites"]
    value = suite["cases"][0]["inputs"][0]
    assert (value["dtype"], value["sizes"], value["dim_order"]) == ("float32", [2, 8], [0, 1])
    stored = np.frombuffer(content, np.float32, 16, value["file_offset"])
    assert np.array_equal(stored.reshape(2, 8), np.load("x.npy"))
    assert facts["named_data"] == {"k": 2}


def test_inspect_of_a_pte(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "inspect", DYNAMIC)
    assert code == 0
    assert "float32[<=7, <=5], double" in out
    facts = json.loads(run(capsys, "inspect", DYNAMIC, "--json")[1])
    assert facts["methods"][0]["name"] == "forward"


def test_suite_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inner = folder / "suites"
    inner.mkdir()
    np.save(inner / "x.npy", np.ones((3, 5), np.float32))
    np.save(inner / "half.npy", np.arange(4, dtype=np.uint16))
    np.save(inner / "image.npy", np.arange(24, dtype=np.int8).reshape(1, 2, 3, 4))
    (inner / "suite.toml").write_text(
        """
        [metadata]
        model = "dynamic"
        [[suite]]
        method = "forward"
        tolerance = { rtol = 1, nan_policy = "ignore" }
        [[suite.case]]
        name = "one"
        inputs = ["x.npy", 2.0]
        outputs = ["x.npy"]
        tolerances = [{ min_sqnr_db = 30 }]
        [[suite.case]]
        inputs = ["x.npy", 3.5]
        [[suite]]
        method = "other"
        [[suite.case]]
        inputs = [1, true, { file = "half.npy", dtype = "bfloat16" },
                  { file = "image.npy", dim_order = [0, 2, 3, 1] }]
        """
    )
    words = ("pack", DYNAMIC, "--suite", "suites/suite.toml", "-o", "m.bpte")
    code, _, err = run(capsys, *words)
    assert code == 2 and "method 'other': the program has no such method" in err
    assert not Path("m.bpte").exists()
    assert run(capsys, *words, "--no-fit")[0] == 0
    with bpte.open("m.bpte", verify=True) as bundle:
        assert bundle.metadata["model"] == "dynamic"
        first = bundle.suites[0].test_cases[0]
        assert first.name == "one" and first.inputs[1] == 2.0
        assert first.tolerance(0) == bpte.Tolerance(min_sqnr_db=30)
        assert bundle.suites[0].tolerances == [bpte.Tolerance(1, nan_policy=bpte.NanPolicy.IGNORE)]
        other = bundle.suites[1].test_cases[0]
        assert other.inputs[:2] == [1, True]
        assert other.inputs[2].dtype.name == "bfloat16"
        assert other.info.inputs[3].dim_order == (0, 2, 3, 1)  # type: ignore[union-attr]
        assert np.array_equal(other.inputs[3], np.load(inner / "image.npy"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[[suite", "not valid TOML"),
        ("[[suit]]", "unknown key 'suit'"),
        ("suite = 3", "must be a list"),
        ("[[suite]]\nmethod = 3", "method must be a text"),
        ('[[suite]]\n[[suite.case]]\ninputs = ["no.npy"]', "no.npy"),
        ('[[suite]]\n[[suite.case]]\ninputs = ["both.npz:z"]', "no member 'z', it has x, y"),
        ('[[suite]]\n[[suite.case]]\ninputs = ["both.npz"]', "say which member"),
        ('[[suite]]\n[[suite.case]]\ninputs = ["suite.toml"]', "is not a .npy or .npz file"),
        ('[[suite]]\n[[suite.case]]\ninputs = [{file = "x.npy", dim_order = [0, 0]}]', "permut"),
        ('[[suite]]\n[[suite.case]]\ninputs = [{file = "x.npy", dtype = "int8"}]', "another size"),
        ("[[suite]]\ntolerance = { rtol = -1 }", "rtol must not be negative"),
        ('[[suite]]\ntolerance = { rtol = "x" }', "rtol must be a number"),
        ('[[suite]]\ntolerance = { nan_policy = "x" }', "nan_policy must be one of unequal"),
    ],
)
def test_suite_files_that_are_wrong(
    content: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("suite.toml").write_text(content)
    code, _, err = run(capsys, "pack", MLP, "--suite", "suite.toml", "-o", "m.bpte")
    assert code == 2
    assert message in err
    assert not Path("m.bpte").exists()


def test_convert_both_ways(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "pack", MLP, "--case", "in=x.npy", "out=y.npy", "name=n", "-o", "new.bpte")
    words = ("convert", "new.bpte", "old.bpte", "--format", "bp08")
    code, _, err = run(capsys, *words)
    assert code == 2 and "BP08 cannot carry the name 'n' of method 'forward', case 0" in err
    assert not Path("old.bpte").exists()
    code, out, err = run(capsys, *words, "--drop", "--json")
    assert code == 0 and "note: BP08 cannot carry the name" in err
    assert json.loads(out)["program_offset"] % 128 == 0
    assert run(capsys, "check", "old.bpte")[0] == 0
    assert run(capsys, "convert", "old.bpte", "again.bpte")[0] == 0
    with bpte.open("again.bpte", verify=True) as bundle:
        assert bytes(bundle.program) == MLP.read_bytes()
    run(capsys, "extract", "old.bpte", "-o", "old.pte")
    assert Path("old.pte").read_bytes() == MLP.read_bytes()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("check", "missing.bpte"), 2),
        (("inspect", "missing.bpte"), 2),
        (("extract", "missing.bpte", "-o", "x"), 2),
        (("pack", "missing.pte", "--case", "in=x.npy", "-o", "x"), 2),
        (("pack", ".", "--case", "in=x.npy", "-o", "x"), 2),
        (("pack", str(MLP), "--case", "in=x.npy", "-o", "no/such/folder/x"), 2),
        (("pack", str(MLP), "--case", "in=x.npy", "-o", "."), 2),
        (("pack", str(MLP), "--case", "in=missing.npy", "-o", "x"), 2),
        (("pack", str(MLP), "--case", "what=1", "-o", "x"), 2),
        (("pack", str(MLP), "--case", "in", "-o", "x"), 2),
        (("pack", str(MLP), "--case", "in=x.npy", "--alignment", "100", "-o", "x"), 2),
        (("pack", str(MLP), "-o", "x"), 2),
        (("pack", str(MLP), "--suite", "empty.toml", "-o", "x"), 2),
        (("pack", str(MLP), "--suite", "one.toml", "--rtol", "1", "-o", "x"), 2),
        (("pack", str(MLP), "--suite", "one.toml", "--atol", "1", "-o", "x"), 2),
        (("pack", str(MLP), "--suite", "one.toml", "--method", "forward", "-o", "x"), 2),
        (("pack", "x.npy", "--case", "in=x.npy", "-o", "x"), 2),
        (("pack", "both.npz", "--case", "in=x.npy", "-o", "x"), 2),
        (("pack", "m.bpte", "--case", "in=x.npy", "-o", "x"), 2),
        (("check", "x.npy"), 3),
        (("inspect", "x.npy"), 3),
        (("convert", "x.npy", "x"), 3),
        (("extract", "x.npy", "-o", "x"), 3),
        (("extract", "m.bpte", "-o", "m.bpte"), 2),
        (("convert", "m.bpte", "m.bpte"), 2),
        (("extract", "m.bpte", "-o", "/dev/null"), 2),
    ],
)
def test_exit_codes(
    words: tuple[str, ...], code: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "pack", MLP, "--case", "in=x.npy", "-o", "m.bpte")
    Path("empty.toml").write_text("[[suite]]")
    Path("one.toml").write_text("[[suite]]\n[[suite.case]]\ninputs = ['x.npy']")
    before = Path("m.bpte").read_bytes()
    found, out, err = run(capsys, *words)
    assert found == code, err
    assert err.startswith(f"bpte {words[0]}: ") and err.count("\n") == 1 and out == ""
    assert Path("m.bpte").read_bytes() == before
    assert not Path("x").exists() and not list(folder.glob(".*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("x.npy", "--case", "in=1"), "not an ExecuTorch program: bytes 4-5 are not 'ET'. To pack"),
        (("both.npz", "--case", "in=1"), "it is an archive, as torch.save"),
        (("m.bpte", "--case", "in=1"), "it is a bundle already"),
        ((str(MLP),), "no test cases: give them by --case or --suite"),
        ((str(MLP), "--suite", "s.toml", "--rtol", "1"), "--rtol is for the cases of --case"),
    ],
)
def test_what_pack_refuses(
    words: tuple[str, ...], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("s.toml").write_text("")
    run(capsys, "pack", MLP, "--case", "in=x.npy", "-o", "m.bpte")
    code, _, err = run(capsys, "pack", *words, "-o", "x")
    assert code == 2 and message in err
    assert not Path("x").exists()


def test_what_is_no_program_is_packed_when_told_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "pack", "both.npz", "--case", "in=1", "--no-fit", "-o", "x")[0] == 0
    with bpte.open("x", verify=True) as bundle:
        assert bytes(bundle.program) == Path("both.npz").read_bytes()


def test_inspect_looks_once_at_each_case(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not once for each segment: 30,000 segments took half a minute."""
    from bpte.cli import inspect

    cases = [bpte.MethodTestCase([np.array([i])]) for i in range(300)]
    bpte.BundledProgram(b"p", [bpte.MethodTestSuite("f", cases)]).save("m.bpte")

    class Counting:
        looks = 0

        def __init__(self, case: Any) -> None:
            self.case = case

        def __getattr__(self, name: str) -> Any:
            Counting.looks += 1
            return getattr(self.case, name)

    with bpte.open("m.bpte") as bundle:
        for show in (inspect._text, inspect.bundle_facts):
            (suite,) = bundle.suites
            suite.test_cases = [Counting(case) for case in suite.test_cases]  # type: ignore[misc]
            show(bundle)
            assert Counting.looks <= 20 * 300
            Counting.looks = 0


def bpte_command(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    return subprocess.run(
        [*BPTE, *words],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        **options,
    )


def test_every_verb_is_a_module_and_every_module_a_verb() -> None:
    modules = {path.stem for path in (ROOT / "python" / "bpte" / "cli").glob("[!_]*.py")}
    assert set(VERBS) == modules


def test_usage() -> None:
    assert bpte_command().returncode == 2
    unknown = bpte_command("fry")
    assert unknown.returncode == 2 and "no verb 'fry'" in unknown.stderr
    version = bpte_command("--version")
    assert version.returncode == 0 and version.stdout == f"bpte {bpte.__version__}\n"
    for verb in VERBS:
        text = bpte_command(verb, "--help")
        assert text.returncode == 0
        assert "example" in text.stdout and f"bpte {verb} " in text.stdout, verb


def test_nothing_heavy_is_imported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "pack", MLP, "--case", "in=x.npy", "-o", "m.bpte")
    for words in (["inspect", "m.bpte"], ["check", "m.bpte"], ["--version"]):
        done = subprocess.run(
            [
                *(sys.executable, "-c"),
                "import sys\nfrom bpte.cli import main\n"
                f"try: main({words!r})\nexcept SystemExit: pass\n"
                "print(sorted({'torch', 'executorch', 'numpy', 'flatbuffers'} & set(sys.modules)))",
            ],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
            check=True,
        )
        assert done.stdout.splitlines()[-1] == "[]", words


def test_a_reader_that_has_had_enough_is_no_error(folder: Path) -> None:
    cases = [bpte.MethodTestCase([i]) for i in range(20000)]
    bpte.BundledProgram(b"p", [bpte.MethodTestSuite("f", cases)]).save("m.bpte", durable=False)
    process = subprocess.Popen(
        [*BPTE, "inspect", "m.bpte"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait() == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_columns_are_as_wide_as_their_widest_text() -> None:
    rows = [(1, "a", "x"), (1000, "日本", "y"), (22, "b", "z")]
    assert _output.table(("count", "name", ""), rows, "rl").splitlines() == [
        "  count  name",
        "      1  a     x",
        "   1000  日本  y",
        "     22  b     z",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("seconds", "bars"), [(0.5, False), (3.0, True)])
def test_progress_is_for_what_takes_long_and_for_terminals(
    seconds: float, bars: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(_output.time, "monotonic", lambda: now)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    start = _output.progress("packing")
    assert start is not None
    step = start(30 << 20)
    for _ in range(30):
        now += seconds / 30
        step(1 << 20)
    text = terminal.getvalue()
    assert bool(text) == bars
    if bars:
        assert text.endswith("100% of 30 MiB, 10 MiB/s   \n")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert _output.progress("packing") is None


def test_progress_ends_where_it_said(tmp_path: Path) -> None:
    totals: list[int] = []
    done: list[int] = []

    def progress(total: int) -> Callable[[int], None]:
        totals.append(total)
        done.append(0)

        def step(count: int) -> None:
            done[-1] += count

        return step

    case = bpte.MethodTestCase([np.ones(5), np.zeros(1000, np.int8)])
    bundled = bpte.BundledProgram(MLP, [bpte.MethodTestSuite("f", [case])])
    for format in ("bp09", "bp08"):
        bundled.save(tmp_path / "m", format=format, fit="skip", progress=progress)
        with bpte.open(tmp_path / "m") as bundle:
            bundle.extract_program(tmp_path / "p", progress=progress)
    with bpte.open(tmp_path / "m") as bundle:
        bundle.verify(progress)
    assert done == totals and len(totals) == 4
