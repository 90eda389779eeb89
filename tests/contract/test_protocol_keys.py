# SPDX-License-Identifier: BSD-3-Clause
"""schema/protocol.toml is what the runner writes, what the reader reads and what the page says."""

from __future__ import annotations

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
import transcripts as t
from bpte.format.trace import Instruction, TracedMethod, TraceOrigin, TraceValue
from bpte.run import records
from bpte.run.protocol_table import KEYS
from breakers import BREAKERS

ROOT = Path(__file__).parents[2]


def test_what_is_generated_is_current() -> None:
    command = [sys.executable, ROOT / "tools" / "protocol_keys.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


_SAMPLES = {
    "begin": t.begin(1),
    "trace": t.trace(0, 0),
    "profile": t.instruction_time(0, 0),
    "execution": t.execution(0),
    "case": t.case(0, "error"),
    "metric": t.metric(),
    "confusion": t.confusion(0, 1),
    "resources": t.resources(),
    "budget": t.budget(),
    "error": t.error("e", "m", 4),
    "end": t.end([]),
}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (name, key)
        for name in (*_SAMPLES, "output", "value", "first", "measured", "summary")
        for key in KEYS[name]
    ],
)
def test_the_reader_reads_every_key(name: str, key: str) -> None:
    """A value of a type that no key has is refused, and the refusal names record and key."""
    wrong: Any = [{"of": "no type"}]
    if name == "output":
        record = t.case(0, "fail", outputs=[t.failing_output() | {key: wrong}])
    elif name == "measured":
        record = t.case(0, measured=[t.measured(**{key: wrong})])
    elif name == "value":
        record = t.case(0, values=[t.value(**{key: wrong})])
    elif name == "summary":
        record = t.case(0, trace=t.summary() | {key: wrong})
    elif name == "first":
        record = t.case(0, "fail", outputs=[t.failing_output()])
        record["outputs"][0]["first"] = record["outputs"][0]["first"] | {key: wrong}
    else:
        record = _SAMPLES[name] | {key: wrong}
    inside = {"outputs": "output", "values": "value", "measured": "measured"}.get(key, name)
    with pytest.raises(records.ProtocolError, match=rf"^{inside}: '?"):
        records.parse_record(json.dumps(record))


def _collect(seen: dict[str, set[str]], output: bytes) -> None:
    for line in output.splitlines():
        if not line.startswith(b"#bpte "):
            continue
        record = json.loads(line.removeprefix(b"#bpte "))
        event = record.pop("event")
        seen[event].update(record)
        if event == "case":
            seen["summary"].update(record.get("trace", ()))
        for value in record.get("values", ()):
            seen["value"].update(value)
        for value in record.get("measured", ()):
            seen["measured"].update(value)
        for value in record.get("outputs", ()):
            seen["output"].update(value)
            seen["first"].update(value.get("first", ()))


def _run(*command: str | Path, **environment: str) -> bytes:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
        env=os.environ | environment,
    ).stdout


def _every_kind(folder: Path) -> Path:
    """A bundle for the echoing engine: a mismatch, and of the others each another kind, dtype and
    shape than expected."""
    values: list[Any] = [np.ones((2, 3), np.float32), np.array([1], np.int8), np.array(2.5)]
    values += [7, 1.5, True]
    wanted = [values[0] + 1, np.array([[1]], np.int16), 2, 8, 1.0, np.array([True])]
    floors = bpte.Tolerance(min_sqnr_db=3.0, min_cosine=0.5)
    case = bpte.MethodTestCase(values, wanted, name="named", tolerances=floors, labels=1)
    metrics = [
        bpte.Metric(bpte.MetricKind.TOP_K_ACCURACY, maximum=0.0),
        bpte.Metric(bpte.MetricKind.ROC_AUC, minimum=0.0),
        bpte.Metric(bpte.MetricKind.CONFUSION_MATRIX, classes=3),
        bpte.Metric(bpte.MetricKind.COSINE),
        bpte.Metric(bpte.MetricKind.COSINE, output=3),  # an integer
    ]
    suite = bpte.MethodTestSuite("echo", [case], metrics=metrics)
    path = folder / "echo.bpte"
    budgets = [
        bpte.Budget(bpte.BudgetResource.TIME_CYCLES, 1, "echo"),
        bpte.Budget(bpte.BudgetResource.TIME_NS, 1),
    ]
    bundled = bpte.BundledProgram(b"no program", [suite], budgets=budgets)
    bundled.save(path, fit="skip", durable=False)
    return path


def _steps(folder: Path) -> Path:
    """A bundle for the echoing engine: a case with a step."""
    values: list[Any] = [np.ones(1, np.float32)] * 6
    case = bpte.MethodTestCase(steps=[bpte.MethodTestCase(values, values)])
    path = folder / "steps.bpte"
    suites = [bpte.MethodTestSuite("echo", [case])]
    budgets = [bpte.Budget(bpte.BudgetResource.TIME_CYCLES, 1)]
    bundled = bpte.BundledProgram(b"no program", suites, budgets=budgets)
    bundled.save(path, fit="skip", durable=False)
    return path


def _traced(folder: Path) -> Path:
    """A bundle for the echoing engine: a step with a trace, of whose instructions all is known."""
    values: list[Any] = [np.ones(1, np.float32)] * 6
    trace = [
        TraceValue(
            Instruction(chain, 0, None, "echo.out", "node", "module", "model.py:1"), 0, wrong
        )
        for chain, wrong in ((0, np.zeros(1, np.float32)), (1, np.ones(1, np.float32)))
    ]
    # Operations inside of a delegate: one that is seen, one that is not.
    trace += [TraceValue(Instruction(1, 1, number), 0, np.ones(1, np.float32)) for number in (7, 8)]
    case = bpte.MethodTestCase(steps=[bpte.MethodTestCase(values, values, trace=trace)])
    path = folder / "traced.bpte"
    suite = bpte.MethodTestSuite("echo", [case], traced_method=TracedMethod(TraceOrigin.EAGER))
    bpte.BundledProgram(b"no program", [suite]).save(path, fit="skip", durable=False)
    return path


def test_the_runner_writes_every_key_and_no_other(
    cpp_tool: Callable[[str], Path],
    bpte_runner: Path,
    tmp_path: Path,
    demo_bundle: Path,
    ethosu_bundle: Path,
) -> None:
    seen: dict[str, set[str]] = {name: set() for name in KEYS}
    options = ("--method", "forward", "--case", "1", "--nonce", "n", "--rtol", "0", "--atol", "0")
    _collect(seen, _run(bpte_runner, demo_bundle, *options))
    tool = cpp_tool("runner_tool")
    echo = _every_kind(tmp_path)
    _collect(seen, _run(tool, echo, "none"))
    # A wire that nobody listens at: its target says so and ends.
    _collect(seen, _run(bpte_runner, demo_bundle, "--outputs", "pull"))
    _collect(seen, _run(tool, echo, "once"))
    _collect(seen, _run(tool, echo, "execute", "out_of_memory"))
    _collect(seen, _run(bpte_runner, demo_bundle, "--teach"))
    _collect(seen, _run(bpte_runner, ethosu_bundle))
    _collect(seen, _run(tool, _steps(tmp_path), "none"))
    traced = _traced(tmp_path)
    for how in ("all", "strict"):
        settings = {"TRACE": how, "ISOLATE": "1", "DUMP": "0", "OPERATIONS": "1"}
        _collect(seen, _run(tool, traced, "once", **settings))
    _collect(seen, _run(tool, traced, "none", PROFILE="1"))
    options = ("--trace", "--trace-rtol", "0", "--trace-atol", "0")
    _collect(seen, _run(bpte_runner, demo_bundle, *options))
    path = tmp_path / "broken.bpte"
    for breaker in BREAKERS:
        if seen["error"] == set(KEYS["error"]):
            break
        path.write_bytes(breaker.make())
        _collect(seen, _run(tool, path, "none"))
    assert seen == {name: set(keys) for name, keys in KEYS.items()}
