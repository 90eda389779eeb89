# SPDX-License-Identifier: BSD-3-Clause
"""Writes result protocols (docs/result-protocol.md) record by record, right ones and wrong ones."""

from __future__ import annotations

import json
import zlib
from typing import Any

PREFIX = "#bpte "


def begin(cases: int, **more: Any) -> dict[str, Any]:
    return {
        "event": "begin",
        "protocol": 1,
        "target": "board",
        "engine": "reference",
        "engine_version": "0.1.0",
        "format": "BP09",
        "file_size": 4096,
        "program_offset": 1024,
        "program_size": 2048,
        "program_address": "0x71000400",
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
        record["outputs"] = []
    else:
        record |= {"error": "missing_operator", "message": "missing_operator: aten::sin.out"}
    return record | more


def error(name: str, message: str, outcome: int, **more: Any) -> dict[str, Any]:
    return {"event": "error", "error": name, "message": message, "outcome": outcome, **more}


def outcome_of(records: list[dict[str, Any]]) -> int:
    verdicts = [r["verdict"] for r in records if r["event"] == "case"]
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
