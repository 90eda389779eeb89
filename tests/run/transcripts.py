# SPDX-License-Identifier: BSD-3-Clause
"""Writes result protocols (docs/result-protocol.md) record by record, right ones and wrong ones."""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

PREFIX = "#bpte "


def begin(cases: int, **more: Any) -> dict[str, Any]:
    return {
        "event": "begin",
        "protocol": 2,
        "target": "board",
        "engine": "reference",
        "engine_version": "0.1.0",
        "format": "BP09",
        "file_size": 4096,
        "metadata_crc32": "0123abcd",
        "program_crc32": "89ef4567",
        "verified": True,
        "program_offset": 1024,
        "program_size": 2048,
        "program_address": "0x71000400",
        "suites": 1,
        "bundle_cases": cases,
        "cases": cases,
        "unit": "cycles",
        **more,
    }


def passing_output(**more: Any) -> dict[str, Any]:
    return {
        "verdict": "pass",
        "kind": "tensor",
        "dtype": "float32",
        "shape": [2, 3],
        "numel": 6,
        "mismatches": 0,
        "nonfinite": 0,
        "max_abs": 1e-7,
        "mean_abs": 2e-8,
        "max_rel": 1e-6,
        "mean_rel": 2e-7,
        "sqnr_db": 120.5,
        "cosine": 1.0,
        "rtol": 1.3e-6,
        "atol": 1e-5,
        "max_outlier_share": 0.0,
        **more,
    }


def value(**more: Any) -> dict[str, Any]:
    """An element of `values`: a tensor of 24 bytes."""
    tensor = {"kind": "tensor", "dtype": "float32", "shape": [2, 3], "dim_order": [0, 1]}
    return tensor | {"size": 24, "crc32": "00000000"} | more


def failing_output(**more: Any) -> dict[str, Any]:
    failing = {
        "verdict": "fail",
        "reason": "elements",
        "mismatches": 1,
        "first": {"index": [1, 2], "expected": 1.5, "actual": 1.25},
        "max_abs": 0.25,
        "mean_abs": 0.042,
        "max_rel": 0.17,
        "mean_rel": 0.03,
        "sqnr_db": 22.5,
        "cosine": 0.999,
    }
    return passing_output(**failing | more)


def case(index: int, verdict: str = "pass", **more: Any) -> dict[str, Any]:
    record: dict[str, Any] = {
        "event": "case",
        "suite": 0,
        "method": "forward",
        "case": index,
        "verdict": verdict,
        "time": 1234,
    }
    if verdict == "pass":
        record["outputs"] = [passing_output()]
    elif verdict == "fail":
        record["outputs"] = [failing_output()]
    elif verdict == "unjudged":
        record["outputs"] = [passing_output(verdict="not_compared")]
    else:
        record |= {"error": "missing_operator", "message": "missing_operator: aten::sin.out"}
    return record | more


def measured(**more: Any) -> dict[str, Any]:
    """What a case adds to an accuracy."""
    return {"samples": 1, "hits": 1, "missed": [], **more}


def metric(verdict: str = "pass", hits: int = 1, samples: int = 1, **more: Any) -> dict[str, Any]:
    """An accuracy of so many samples, each of a case of its own."""
    record: dict[str, Any] = {
        "event": "metric",
        "suite": 0,
        "method": "forward",
        "metric": 0,
        "kind": "top_k_accuracy",
        "output": 0,
        "k": 1,
        "minimum": 0.5,
        "cases": samples,
        "samples": samples,
        "hits": hits,
        "verdict": verdict,
    }
    if verdict == "error":
        record |= {"error": "no_tensor", "message": "case 0: output 0 is no tensor of numbers"}
    else:
        record["value"] = hits / samples
    return record | more


def confusion(label: int, *found: int, **more: Any) -> dict[str, Any]:
    """A row of a confusion matrix: each class once."""
    row = {"event": "confusion", "suite": 0, "metric": 0, "label": label}
    return row | {"found": list(found), "counts": [1] * len(found)} | more


def resources(**more: Any) -> dict[str, Any]:
    return {"event": "resources", "planned_memory": 64, "stack": 32, **more}


def budget(amount: int | None = 64, limit: int = 64, **more: Any) -> dict[str, Any]:
    record = {"event": "budget", "budget": 0, "resource": "planned_memory", "limit": limit}
    if amount is None:
        return record | {"verdict": "error", "error": "not_measured"} | more
    return record | {"amount": amount, "verdict": "pass" if amount <= limit else "fail"} | more


def trace(index: int, instruction: int, **more: Any) -> dict[str, Any]:
    """A wrong output of an instruction."""
    record = {"event": "trace", "suite": 0, "case": index, "instruction": instruction, "output": 0}
    record |= {"kind": "kernel", "operator": "aten::add.out", "before": "right"}
    return record | {"result": failing_output()} | more


def summary(**more: Any) -> dict[str, Any]:
    """What a case says of its instructions."""
    return {"executed": 3, "compared": 3, "wrong": 0, "missed": 0} | more


def instruction_time(index: int, instruction: int, **more: Any) -> dict[str, Any]:
    """What an instruction took."""
    record = {"event": "profile", "suite": 0, "case": index, "run": 0, "instruction": instruction}
    return record | {"kind": "kernel", "operator": "aten::add.out", "time": 7} | more


def execution(index: int, **more: Any) -> dict[str, Any]:
    """What an execution took."""
    return {"event": "execution", "suite": 0, "case": index, "run": 0, "time": 20} | more


def profiled(*times: int, cases: int = 1) -> list[dict[str, Any]]:
    """A right protocol of cases that were executed once for each of these times, and stepped
    through as often: each of two instructions took that time."""
    records = [begin(cases, profile=len(times))]
    for index in range(cases):
        for run, time in enumerate(times):
            records.append(execution(index, run=run, time=2 * time + 1))
            records += [instruction_time(index, k, run=run, time=time) for k in (0, 1)]
            records.append(execution(index, run=run, stepped=True, time=2 * time + 5))
        records.append(case(index))
    return [*records, end(records)]


def error(name: str, message: str, outcome: int, **more: Any) -> dict[str, Any]:
    return {"event": "error", "error": name, "message": message, "outcome": outcome, **more}


def outcome_of(records: list[dict[str, Any]]) -> int:
    verdicts = [r["verdict"] for r in records if r["event"] in ("case", "metric", "budget")]
    errors = [r["outcome"] for r in records if r["event"] == "error"]
    if "fail" in verdicts:
        return 1
    if errors:
        return int(errors[0])
    return 4 if "error" in verdicts or "pass" not in verdicts else 0


def end(records: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    crc = 0
    for record in records:
        crc = zlib.crc32((json.dumps(record) + "\n").encode(), crc)
    verdicts = [r["verdict"] for r in records if r["event"] == "case"]
    return {
        "event": "end",
        "passed": verdicts.count("pass"),
        "failed": verdicts.count("fail"),
        "errors": verdicts.count("error"),
        "unjudged": verdicts.count("unjudged"),
        "outcome": outcome_of(records),
        "crc32": f"{crc:08x}",
        **more,
    }


def lines(records: list[dict[str, Any]], newline: str = "\n") -> bytes:
    return "".join(PREFIX + json.dumps(record) + newline for record in records).encode()


def whole(*verdicts: str, newline: str = "\n") -> bytes:
    """A right protocol of one case for each verdict."""
    records = [begin(len(verdicts)), *(case(i, v) for i, v in enumerate(verdicts))]
    return lines([*records, end(records)], newline)


# --- Protocols about a bundle ---------------------------------------------------------------------

#: Where a stand-in puts the nonce that it was given.
NONCE = "@nonce@"


def edited(output: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """An output with each of its whole records changed. A checksum that was right stays right."""
    lines = output.splitlines(keepends=True)
    crcs = [0, 0]  # before and after the change
    for i, line in enumerate(lines):
        text = line.removeprefix(PREFIX.encode()).rstrip(b"\r\n")
        if not line.startswith(PREFIX.encode()) or not line.endswith(b"\n"):
            continue
        try:
            record = json.loads(text)
        except ValueError:
            continue
        if not isinstance(record, dict):
            continue
        if record.get("event") == "end" and record.get("crc32") == f"{crcs[0]:08x}":
            record["crc32"] = f"{crcs[1]:08x}"
        change(record)
        new = json.dumps(record).encode()
        crcs = [zlib.crc32(t + b"\n", crc) for t, crc in zip((text, new), crcs, strict=True)]
        lines[i] = PREFIX.encode() + new + line[len(line.rstrip(b"\r\n")) :]
    return b"".join(lines)


def about(output: bytes, bundle: Path) -> bytes:
    """A protocol whose begin record says that it is about this bundle, and gives back the nonce."""
    from bpte.run import identity

    found = identity.fingerprint(bundle)
    assert isinstance(found, identity.Fingerprint), found
    begin = {
        "nonce": NONCE,
        "format": found.format,
        "file_size": found.file_size,
        "metadata_crc32": f"{found.metadata_crc32:08x}",
        "program_crc32": f"{found.program_crc32:08x}",
        "program_offset": found.program_offset,
        "program_size": found.program_size,
        "suites": len(found.suites),
        "bundle_cases": found.cases,
    }

    def change(record: dict[str, Any]) -> None:
        if record.get("event") == "begin":
            record.update(begin)

    return edited(output, change)


def pack(path: Path, output: bytes, tolerances: Any = None) -> Path:
    """A bundle of as many cases as this protocol announces, each with one output that it says was
    judged, or not."""
    import numpy as np

    import bpte

    first = next((line for line in output.splitlines() if b'"begin"' in line), b"")
    count = json.loads(first.removeprefix(PREFIX.encode()))["cases"] if first else 1
    value = [np.zeros((2, 3), np.float32)]
    excluded = {
        json.loads(line.removeprefix(PREFIX.encode()))["case"]
        for line in output.splitlines()
        if b'"not_compared"' in line
    }
    cases = [
        bpte.MethodTestCase(
            value,
            value,
            tolerances=bpte.Tolerance(not_compared=True) if i in excluded else tolerances,
        )
        for i in range(count)
    ]
    suite = bpte.MethodTestSuite("forward", cases)
    bpte.BundledProgram(b"no program at all", [suite]).save(path, fit="skip", durable=False)
    return path


def answer(output: bytes, arguments: list[str]) -> bytes:
    """What a stand-in for a runner prints that was started with these arguments."""
    nonce = arguments[arguments.index("--nonce") + 1] if "--nonce" in arguments else ""

    def change(record: dict[str, Any]) -> None:
        if record.get("nonce") == NONCE:
            record["nonce"] = nonce

    return edited(output, change)


def stand_in(folder: Path, output: bytes, then: str = "sys.exit(0)") -> Path:
    """A stand-in for the runner: an executable that prints `output` with the nonce that it is
    given, then does something else."""
    script = folder / "stand-in"
    (folder / "output").write_bytes(output)
    script.write_text(
        f"#!{sys.executable}\n"
        "import os, signal, sys, time\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from transcripts import answer\n"
        f"output = open({str(folder / 'output')!r}, 'rb').read()\n"
        "sys.stdout.buffer.write(answer(output, sys.argv))\n"
        f"sys.stdout.flush()\n{then}\n"
    )
    script.chmod(0o755)
    return script
