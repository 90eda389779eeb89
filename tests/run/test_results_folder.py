# SPDX-License-Identifier: BSD-3-Clause
"""Results as files: what is written for every kind of run, read again, and refused."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import transcripts as t
from bpte.cli import run as cli
from bpte.format.scalar_type import ScalarType, dtype_name
from bpte.format.tensor_data import TensorData
from bpte.pack.tensors import from_numpy
from bpte.run import document, launcher, outputs_file, report, results_folder
from bpte.run.kept import KeptOutput
from bpte.run.outcome import State
from bpte.run.outputs_file import kept_of, value_of
from bpte.run.records import CaseKey
from bpte.run.request import Request
from bpte.run.results_error import ResultsError

SCHEMA = json.loads((Path(__file__).parents[2] / "schema" / "results.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
_CRASH = "os.kill(os.getpid(), signal.SIGSEGV)"
_FAULT = t.lines([t.begin(2)]) + b"bpte-fault: BusFault pc=0x10000234\n"
_FAILING = [t.failing_output(first={"index": [0, 0], "expected": "nan", "actual": 1.0}, nonfinite=1,
                             mean_abs=0.06, mean_rel=0.04)]  # fmt: skip
_NAN = [t.begin(1), t.case(0, "fail", outputs=_FAILING)]
_MALFORMED = [t.begin(2), t.error("program_malformed", "it is not one", 3, suite=0, offset=7)]
_FORGED = [t.begin(1), t.case(0, outputs=[t.passing_output(max_abs=-1.0)])]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    states = SCHEMA["properties"]["state"]["enum"]
    assert sorted(states) == sorted(state.value for state in State)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _written(folder: Path, output: bytes, then: str, *more: str) -> tuple[int, Path]:
    """The exit code of `bpte run -o`, and the folder."""
    bundle = t.pack(folder / "any.bpte", output)
    program = t.stand_in(folder, t.about(output, bundle), then)
    results = folder / "results"
    arguments = [str(bundle), "--elf", str(program), "-o", str(results), "--timeout", "20", *more]
    return cli.main(arguments), results


@pytest.mark.parametrize(
    ("output", "then", "state"),
    [
        (t.whole("pass", "pass"), "sys.exit(0)", State.PASSED),
        (t.whole("pass", "unjudged"), "sys.exit(0)", State.PASSED),
        (t.whole("pass", "fail"), "sys.exit(1)", State.MISMATCH),
        (t.lines([*_NAN, t.end(_NAN)]), "sys.exit(1)", State.MISMATCH),
        (t.whole("pass", "error"), "sys.exit(4)", State.NOT_RUN),
        (t.whole("unjudged"), "sys.exit(4)", State.NOT_RUN),
        (t.whole(), "sys.exit(4)", State.NOT_RUN),
        (t.lines([*_MALFORMED, t.end(_MALFORMED)]), "sys.exit(3)", State.MALFORMED),
        (b"", "print('bpte: usage: no method x'); sys.exit(2)", State.USAGE),
        (b"", "sys.exit('no flag -x')", State.NOT_STARTED),
        (t.whole("pass")[:-9], "sys.exit(0)", State.CUT_SHORT),
        (b"", "sys.exit(0)", State.CUT_SHORT),
        (t.lines([t.begin(2), t.case(0)]), _CRASH, State.DIED),
        (t.whole("pass"), "sys.exit(1)", State.DIED),
        (_FAULT, "sys.exit(70)", State.FAULTED),
        (t.lines([*_FORGED, t.end(_FORGED)]), "sys.exit(0)", State.CONTRADICTORY),
    ],
)
def test_every_kind_of_run(tmp_path: Path, output: bytes, then: str, state: State) -> None:
    code, folder = _written(tmp_path, output, then)
    written = json.loads((folder / "results.json").read_text())
    VALIDATOR.validate(written)
    assert (written["state"], written["exit_code"]) == (state.value, code)
    run = results_folder.read(folder)
    assert document.as_dict(run) == written
    assert _names(folder) == ["junit.xml", "log.txt", "results.json"]
    assert (folder / "junit.xml").read_bytes() == report.as_junit(run)
    ElementTree.parse(folder / "junit.xml")
    if state in (State.PASSED, State.MISMATCH):
        assert cli.main(["--log", str(folder / "log.txt")]) == code


@pytest.mark.parametrize(
    ("then", "arguments", "state"),
    [
        ("time.sleep(60)", ("--timeout", "0.5"), State.TIMED_OUT),
        ("sys.exit(0)", ("--method", "nothing"), State.ANOTHER_BUNDLE),
        ("sys.exit(0)", ("--case", "nothing"), State.USAGE),
        ("sys.exit(0)", ("--board", "nowhere"), State.USAGE),
    ],
)
def test_runs_that_end_otherwise(
    tmp_path: Path, then: str, arguments: tuple[str, ...], state: State
) -> None:
    output = t.lines([t.begin(2), t.case(0)]) if state is State.TIMED_OUT else t.whole("pass")
    code, folder = _written(tmp_path, output, then, *arguments)
    written = json.loads((folder / "results.json").read_text())
    VALIDATOR.validate(written)
    assert (written["state"], written["exit_code"]) == (state.value, code)
    assert document.as_dict(results_folder.read(folder)) == written
    name = arguments[0].removeprefix("--")
    assert name == "board" or str(written["options"][name]) == arguments[1]


def test_a_recorded_output(tmp_path: Path) -> None:
    log = tmp_path / "uart.txt"
    log.write_bytes(t.whole("pass", "fail") + t.whole("pass", "pass"))
    assert cli.main(["--log", str(log), "-o", str(tmp_path / "results")]) == 0
    written = json.loads((tmp_path / "results" / "results.json").read_text())
    VALIDATOR.validate(written)
    assert (written["earlier_runs"], written["identity"]) == (1, None)
    assert document.as_dict(results_folder.read(tmp_path / "results")) == written


def test_what_is_printed_is_what_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, folder = _written(tmp_path, t.whole("pass"), "sys.exit(0)", "--json")
    assert capsys.readouterr().out == (folder / "results.json").read_text()


def test_no_path_of_the_machine(demo_bundle: Path, tmp_path: Path, bpte_runner: Path) -> None:
    """Only the paths that the caller gave."""
    run = launcher.run(Request(demo_bundle, program=bpte_runner))
    text = document.as_json(run)
    for path in (demo_bundle, bpte_runner):
        text = text.replace(str(path), "")
    assert str(Path(__file__).parents[2]) not in text and str(tmp_path) not in text
    moved = replace(run, command=("/usr/bin/qemu-system-arm", "-kernel", "./program"))
    assert document.as_dict(moved)["command"][0] == "qemu-system-arm"


def test_the_log_cannot_act_on_a_terminal(tmp_path: Path) -> None:
    output = b"\x1b[2Jhello\r\n\x00\xff\r" + "\u202e".encode() + b"\n" + t.whole("pass")
    code, folder = _written(tmp_path, output, "sys.exit(0)")
    log = (folder / "log.txt").read_text()
    assert code == 0
    assert all(line.isprintable() for line in log.split("\n"))
    assert log.splitlines()[0] == r"\x1b[2Jhello"
    assert cli.main(["--log", str(folder / "log.txt")]) == 0


def test_a_target_that_never_stops_talking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_folder, "MOST_LOG", 1000)
    _, folder = _written(tmp_path, b"0123456789\n" * 500, "sys.exit(0)")
    assert (folder / "log.txt").read_text().splitlines()[-1] == "(the target says more)"
    assert (folder / "log.txt").stat().st_size < 1100


# --- The folder -----------------------------------------------------------------------------------


def test_results_are_replaced_and_other_folders_are_not(tmp_path: Path) -> None:
    code, folder = _written(tmp_path, t.whole("pass"), "sys.exit(0)")
    before = (folder / "results.json").stat().st_ino
    (folder / "outputs.npz").write_bytes(b"of an earlier run")
    assert _written(tmp_path, t.whole("pass", "fail"), "sys.exit(1)") == (1, folder)
    assert (folder / "results.json").stat().st_ino != before
    assert _names(folder) == ["junit.xml", "log.txt", "results.json"]
    assert _names(tmp_path) == ["any.bpte", "output", "results", "stand-in"]
    assert code == 0


@pytest.mark.parametrize("name", ["notes.txt", "results.json", "junit.xml/"])
def test_a_folder_of_somebody_elses_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    folder = tmp_path / "results"
    if name.endswith("/"):
        (folder / name).mkdir(parents=True)
    else:
        folder.mkdir()
        (folder / name).write_text("{}")
    assert _written(tmp_path, t.whole("pass"), "sys.exit(0)")[0] == 2
    assert "results: is there already" in capsys.readouterr().err
    assert _names(folder) == [name.rstrip("/")]
    assert not (tmp_path / "started").exists()


def test_an_empty_folder_a_link_and_a_missing_place(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "results").symlink_to("real")
    assert _written(tmp_path, t.whole("pass"), "sys.exit(0)")[0] == 0
    assert (tmp_path / "results").is_symlink()
    assert (tmp_path / "real" / "results.json").is_file()
    (tmp_path / "file").write_text("")
    for name in ("file", "nowhere/results"):
        assert (
            _written(tmp_path, t.whole("pass"), "sys.exit(0)", "-o", str(tmp_path / name))[0] == 2
        )


def test_an_input_is_not_replaced(tmp_path: Path) -> None:
    _, folder = _written(tmp_path, t.whole("pass"), "sys.exit(0)")
    before = (folder / "log.txt").read_bytes()
    assert bpte_main("run", "--log", str(folder / "log.txt"), "-o", str(folder)) == 2
    assert (folder / "log.txt").read_bytes() == before


def bpte_main(*words: str) -> int:
    from bpte.cli import main

    return main(words)


def test_a_killed_writers_folder_is_removed(tmp_path: Path) -> None:
    from bpte.files.atomic import temporary_name

    litter = tmp_path / temporary_name("results")
    litter.mkdir()
    (litter / "log.txt").write_text("half")
    assert _written(tmp_path, t.whole("pass"), "sys.exit(0)")[0] == 0
    assert not litter.exists()


# --- Reading --------------------------------------------------------------------------------------


def _edits() -> dict[str, Callable[[dict[str, Any]], Any]]:
    def last(document: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = document["cases"][-1]
        return found

    return {
        "not results of bpte": lambda d: d.update(format="other"),
        "results of version 2": lambda d: d.update(version=2),
        "exit_code is 0": lambda d: d.update(exit_code=0),
        "the cases do not show it": lambda d: d.update(state="passed", exit_code=0),
        "verdict 'pass' contradicts": lambda d: last(d).update(verdict="pass"),
        "'seconds' is missing": lambda d: d.pop("seconds"),
        "'log' holds something other": lambda d: d.update(log=[1]),
        "there is no state": lambda d: d.update(state="glorious"),
        "a case's result is 'passed'": lambda d: last(d).update(result="passed"),
        "is there twice": lambda d: d["cases"].append(d["cases"][0]),
        "2 cases were announced": lambda d: d["cases"].pop(0),
        "case: 'suite' is not": lambda d: last(d).update(suite="x"),
        "begin: 'cases' is missing": lambda d: d["begin"].pop("cases"),
        "what a kept output is": lambda d: last(d).update(kept=[{"name": "../x"}]),
        "'metadata_crc32' is not a checksum": lambda d: d["identity"].update(metadata_crc32="z"),
    }


@pytest.mark.parametrize("reason", _edits())
def test_an_edited_document_is_refused(tmp_path: Path, reason: str) -> None:
    _, folder = _written(tmp_path, t.whole("pass", "fail"), "sys.exit(1)")
    file = folder / "results.json"
    edited = json.loads(file.read_text())
    _edits()[reason](edited)
    file.write_text(json.dumps(edited))
    with pytest.raises(ResultsError, match=reason):
        results_folder.read(folder)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_document_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "results.json").write_bytes(text)
    with pytest.raises(ResultsError, match=r"results\.json: not"):
        results_folder.read(tmp_path)


# --- Kept outputs ---------------------------------------------------------------------------------


def _values() -> list[Any]:
    random = np.random.default_rng(1)
    values: list[Any] = [7, -1.5, True, float("nan")]
    for scalar_type in ScalarType:
        dtype = np.dtype(getattr(ml_dtypes, dtype_name(scalar_type), dtype_name(scalar_type)))
        array = random.integers(0, 2, (2, 3, 4)).astype(dtype)
        values += [from_numpy(array), from_numpy(array, (2, 0, 1))]
    empty = np.zeros((0, 3), np.float32)
    return [*values, from_numpy(empty), from_numpy(np.array(1.5, np.float32))]


def _kept(*values: Any) -> list[KeptOutput]:
    return [kept_of(value) for value in values]


def test_kept_outputs_come_back_bit_for_bit(tmp_path: Path) -> None:
    values = _values()
    stored = outputs_file.write(
        tmp_path / "outputs.npz", {CaseKey(0, 3): _kept(*values), CaseKey(1, 0): []}
    )
    entries = {
        place: [outputs_file.parse(e.as_dict()) for e in some] for place, some in stored.items()
    }
    for some in stored.values():
        for entry in some:
            jsonschema.Draft202012Validator(
                {**SCHEMA["$defs"]["kept"], "$defs": SCHEMA["$defs"]}
            ).validate(entry.as_dict())
    file = outputs_file.KeptFile(tmp_path / "outputs.npz", entries)
    assert file[CaseKey(1, 0)] == []
    for value, again in zip(values, map(value_of, file[CaseKey(0, 3)]), strict=True):
        if isinstance(value, TensorData):
            assert isinstance(again, TensorData)
            facts = (value.scalar_type, value.sizes, value.dim_order)
            assert (again.scalar_type, again.sizes, again.dim_order) == facts
            assert again.same_bytes(value)
        else:
            assert type(again) is type(value) and repr(again) == repr(value)


def test_numpy_reads_kept_outputs(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    half = array.astype(ml_dtypes.bfloat16)
    values = {CaseKey(0, 1): _kept(from_numpy(array, (1, 0)), from_numpy(half), 5)}
    outputs_file.write(tmp_path / "outputs.npz", values)
    with np.load(tmp_path / "outputs.npz") as arrays:
        assert np.array_equal(arrays["suite0_case1_output0"], array)
        assert np.array_equal(arrays["suite0_case1_output1"].view(ml_dtypes.bfloat16), half)
        assert arrays["suite0_case1_output2"] == 5


@pytest.mark.parametrize("damage", ["flip", "other", "cut", "gone", "array"])
def test_a_changed_file_of_outputs_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "outputs.npz"
    array = np.arange(6, dtype=np.float32)
    stored = outputs_file.write(path, {CaseKey(0, 0): _kept(from_numpy(array))})
    if damage == "other":
        outputs_file.write(path, {CaseKey(0, 0): _kept(from_numpy(array + 1))})
    elif damage == "array":
        outputs_file.write(path, {CaseKey(0, 0): _kept(from_numpy(array.astype(np.int32)))})
    elif damage == "gone":
        outputs_file.write(path, {})
    else:
        data = bytearray(path.read_bytes())
        data[170] ^= 1
        path.write_bytes(data[: 60 if damage == "cut" else None])
    with pytest.raises(ResultsError, match=r"outputs\.npz: suite0_case0_output0"):
        outputs_file.KeptFile(path, stored)[CaseKey(0, 0)]


def test_the_same_values_make_the_same_file(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        outputs_file.write(tmp_path / name, {CaseKey(0, 0): _kept(*_values())})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


# --- Whatever a file holds ------------------------------------------------------------------------


def _everywhere(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places in a document."""
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _everywhere(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _everywhere(item, (*path, index))


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_document_stops_the_reader_or_acts_on_a_terminal(tmp_path: Path, data: Any) -> None:
    records = [t.begin(2), t.case(0, name="a"), t.case(1, "fail")]
    run = launcher.judge_log(Path("log"), [t.lines([*records, t.end(records)])])
    written = document.as_dict(run)
    places = [place for place in _everywhere(written) if place]
    for place in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=2)):
        holder: Any = written
        try:
            for key in place[:-1]:
                holder = holder[key]
            holder[place[-1]] = data.draw(_ANYTHING)
        except (LookupError, TypeError):
            continue  # an edit before this one replaced the place
    (tmp_path / "results.json").write_text(json.dumps(written))
    try:
        read = results_folder.read(tmp_path)
    except ResultsError as error:
        assert str(error).isprintable()
        return
    assert read.outcome == run.outcome or read.outcome != 0
    assert report.table(read).replace("\n", "").isprintable()
    ElementTree.fromstring(report.as_junit(read))
    document.as_json(read)


@settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_file_of_outputs_stops_the_reader(tmp_path: Path, data: Any) -> None:
    """A value comes back as it was, or not at all."""
    path = tmp_path / "outputs.npz"
    array = from_numpy(np.arange(7, dtype=np.int16))
    stored = outputs_file.write(path, {CaseKey(0, 0): _kept(array)})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        (value,) = outputs_file.KeptFile(path, stored)[CaseKey(0, 0)]
    except ResultsError:
        return
    again = value_of(value)
    assert isinstance(again, TensorData) and again.same_bytes(array)
