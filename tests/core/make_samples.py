# SPDX-License-Identifier: BSD-3-Clause
"""Writes samples.h beside this script: bundles as byte arrays, for tests that have no file system.

    python tests/core/make_samples.py

A test holds samples.h against what this script gives.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "contract"))

from breakers import ACCEPTED, Model  # noqa: E402

# Files whose length is a multiple of their base alignment end right at a guard page when they begin
# at such a multiple.
MULTIPLE = 128


def build(format: str, name: str) -> bytes:
    (item,) = (a for a in ACCEPTED if a.format == format and a.name == name)
    if format == "BP08":
        data = item.make()
        return data + bytes(-len(data) % 16)

    def make(size: int) -> bytes:
        model = Model(format)
        item.change(model)
        # The last segment has no structure of its own: named data.
        model.segments[-1].content = bytes(i * 37 % 256 for i in range(size))
        return model.build()

    return make(10 + -len(make(10)) % MULTIPLE)


def render() -> str:
    samples = {
        "kPlain": build("BP09", "plain"),
        "kLongerHeader": build("BP09", "longer-header"),
        "kTolerances": build("BP09", "tolerance-for-each-output"),
        "kPlainBP08": build("BP08", "plain"),
        "kKeys": build("BP09", "keys-in-order"),
        "kKeysBP08": build("BP08", "keys-in-order"),
    }
    lines = [
        "// SPDX-License-Identifier: BSD-3-Clause",
        "#pragma once",
        "",
        "// Made by make_samples.py: do not edit.",
        "",
        "#include <cstdint>",
        "",
        "// clang-format off",
        "namespace bpte_test {",
    ]
    for name, data in samples.items():
        lines += ["", f"alignas(128) inline constexpr uint8_t {name}[{len(data)}] = {{"]
        for start in range(0, len(data), 24):
            lines.append("  " + "".join(f"{byte}," for byte in data[start : start + 24]))
        lines.append("};")
    lines += ["", "}  // namespace bpte_test", "// clang-format on", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    (HERE / "samples.h").write_text(render(), encoding="utf-8")
