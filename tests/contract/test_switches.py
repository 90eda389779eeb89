# SPDX-License-Identifier: BSD-3-Clause
"""A core that is built without a feature refuses the bundles that need it, whether their header
says so or not; without traces it opens them."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from breakers import ACCEPTED

CORE = Path(__file__).parents[2] / "runtime" / "bpte" / "core"
PROGRAM = """
#include <bpte/core/bundle.h>
#include <cstdio>
alignas(4096) static uint8_t file[1 << 20];
int main(int, char** argv) {
  std::FILE* const in = std::fopen(argv[1], "rb");
  const size_t size = std::fread(file, 1, sizeof file, in);
  std::puts(bpte::to_string(bpte::Bundle::open({file, size}).fault().error));
}
"""
BITS = {"STEPS": 1, "METRICS": 2, "BUDGETS": 4, "TRACE": 0}


def with_features(data: bytes, change: int) -> bytes:
    """The bits taken off the header, its checksum made right again."""
    changed = bytearray(data)
    (features,) = struct.unpack_from("<I", changed, 52)
    struct.pack_into("<II", changed, 52, features & ~change, 0)
    (end,) = struct.unpack_from("<Q", changed, 24)
    struct.pack_into("<I", changed, 56, zlib.crc32(changed[:end]))
    return bytes(changed)


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
@pytest.mark.parametrize("switch", BITS)
def test_without(switch: str, tmp_path: Path) -> None:
    source = tmp_path / "open.cpp"
    source.write_text(PROGRAM)
    tool = tmp_path / "open"
    subprocess.run(
        [
            *("g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror"),
            *(f"-DBPTE_CORE_{switch}=0", f"-I{CORE.parents[1]}", source),
            *(*sorted(CORE.glob("*.cpp")), *sorted(CORE.glob("internal/*.cpp")), "-o", tool),
        ],
        check=True,
    )

    def rule(data: bytes) -> str:
        path = tmp_path / "file"
        path.write_bytes(data)
        done = subprocess.run([tool, path], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    (every,) = [item.make() for item in ACCEPTED if item.name == "every-part"]
    (plain,) = [item.make() for item in ACCEPTED if str(item) == "BP09-plain"]
    assert rule(plain) == "ok"
    if switch == "TRACE":
        assert rule(every) == "ok"
    else:
        assert rule(every) == "unknown_feature"
        assert rule(with_features(every, BITS[switch])) == "feature_bits"
