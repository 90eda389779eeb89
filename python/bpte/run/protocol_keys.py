# SPDX-License-Identifier: BSD-3-Clause
"""The result protocol's keys. Generated from schema/protocol.toml by
tools/protocol_keys.py; do not edit."""

from __future__ import annotations

from typing import NamedTuple


class Key(NamedTuple):
    """What a key holds; `of`: the values that its type allows here."""

    type: str
    required: bool = True
    of: tuple[str | int, ...] = ()


PROTOCOL = 2

#: Records and the objects in them.
KEYS: dict[str, dict[str, Key]] = {
    "begin": {
        "protocol": Key("integer"),
        "nonce": Key("text", required=False),
        "target": Key("text"),
        "engine": Key("text", required=False),
        "engine_version": Key("text", required=False),
        "format": Key("text", required=False),
        "file_size": Key("integer", required=False),
        "metadata_crc32": Key("crc32", required=False),
        "program_crc32": Key("crc32", required=False),
        "verified": Key("boolean", required=False),
        "program_offset": Key("integer", required=False),
        "program_size": Key("integer", required=False),
        "program_address": Key("address", required=False),
        "suites": Key("integer", required=False),
        "bundle_cases": Key("integer", required=False),
        "method": Key("text", required=False),
        "case": Key("index", required=False),
        "rtol": Key("real", required=False),
        "atol": Key("real", required=False),
        "cases": Key("count"),
        "unit": Key("text", required=False),
    },
    "case": {
        "suite": Key("integer"),
        "method": Key("text"),
        "case": Key("integer"),
        "name": Key("text", required=False),
        "time": Key("integer", required=False),
        "outputs": Key("outputs", required=False),
        "verdict": Key("verdict", of=("pass", "fail", "error", "unjudged")),
        "error": Key("text", required=False),
        "message": Key("text", required=False),
    },
    "output": {
        "verdict": Key("verdict", of=("pass", "fail", "not_compared")),
        "reason": Key("text", required=False),
        "kind": Key("text", required=False),
        "dtype": Key("text", required=False),
        "shape": Key("sizes", required=False),
        "actual_kind": Key("text", required=False),
        "actual_dtype": Key("text", required=False),
        "actual_shape": Key("sizes", required=False),
        "numel": Key("integer", required=False),
        "mismatches": Key("integer", required=False),
        "nonfinite": Key("integer", required=False),
        "first": Key("first", required=False),
        "max_abs": Key("real", required=False),
        "mean_abs": Key("real", required=False),
        "max_rel": Key("real", required=False),
        "mean_rel": Key("real", required=False),
        "sqnr_db": Key("real", required=False),
        "cosine": Key("real", required=False),
        "rtol": Key("real", required=False),
        "atol": Key("real", required=False),
        "max_outlier_share": Key("real", required=False),
        "min_sqnr_db": Key("real", required=False),
        "min_cosine": Key("real", required=False),
    },
    "first": {
        "index": Key("sizes", required=False),
        "expected": Key("number"),
        "actual": Key("number"),
    },
    "error": {
        "error": Key("text"),
        "message": Key("text", required=False),
        "outcome": Key("outcome", of=(3, 4)),
        "suite": Key("integer", required=False),
        "case": Key("integer", required=False),
        "input": Key("integer", required=False),
        "output": Key("integer", required=False),
        "segment": Key("integer", required=False),
        "offset": Key("integer", required=False),
        "value": Key("integer", required=False),
        "expected": Key("integer", required=False),
    },
    "end": {
        "passed": Key("integer"),
        "failed": Key("integer"),
        "errors": Key("integer"),
        "unjudged": Key("integer"),
        "outcome": Key("outcome", of=(0, 1, 3, 4)),
        "crc32": Key("crc32"),
    },
}
