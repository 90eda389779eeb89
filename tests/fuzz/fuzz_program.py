# SPDX-License-Identifier: BSD-3-Clause
"""Fuzzes the readers and writers of ``bpte.program``.

    python tests/fuzz/fuzz_program.py --seconds 60 [--seed N] [--sanitize]

Reading: valid files with bytes, offsets and lengths overwritten, cut, or moved. Both readers must
take or refuse the same files, with equal objects; nothing but ProgramError may come out, in
bounded time. Writing (where executorch is installed): valid objects with a part replaced by
something odd. Both writers must write the same bytes or refuse with the same words, and what they
write must read back equal.

``--sanitize`` builds the accelerator with AddressSanitizer and UBSan first, in a folder of its
own. A crash ends the program; the seed that it printed last repeats it.
"""

from __future__ import annotations

import argparse
import os
import random
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "tests" / "program")]
FIXTURES = ROOT / "tests" / "fixtures" / "program"
SLOW = 5.0  # seconds that no file of a few kB may take


def mutate(data: bytes, pick: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(pick.choice((1, 1, 1, 2, 3, 8, 30))):
        if not out:
            break
        at = pick.randrange(len(out))
        kind = pick.randrange(7)
        word = at & ~3
        if kind == 0:
            out[at] = pick.randrange(256)
        elif kind == 1:
            out[at] ^= 1 << pick.randrange(8)
        elif kind == 2 and word + 4 <= len(out):
            value = pick.choice((0, 1, 3, 4, 8, len(out), 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF))
            struct.pack_into("<I", out, word, value)
        elif kind == 3 and word + 4 <= len(out):
            old = struct.unpack_from("<I", out, word)[0]
            struct.pack_into("<I", out, word, (old + pick.choice((-8, -4, -1, 1, 4, 8))) % 2**32)
        elif kind == 4:
            # An offset from here to somewhere else: shared and crossed objects.
            if word + 4 <= len(out):
                target = pick.randrange(len(out))
                struct.pack_into("<I", out, word, (target - word) % 2**32)
        elif kind == 5:
            size = pick.randrange(1, 33)
            source = pick.randrange(len(out))
            out[at : at + size] = out[source : source + size]
        elif pick.random() < 0.2:
            del out[at:]
    return bytes(out)


class Reading:
    """One round per seed: a damaged file to all readers."""

    def __init__(self) -> None:
        from bpte.program import _codec

        self.codec = _codec
        self.records = _codec.records()
        self.paths = [False, True] if _codec.native_available() else [False]
        self.files = [path.read_bytes() for path in sorted(FIXTURES.glob("*.pte"))]

    def round(self, seed: int) -> str:
        from bpte.program import ProgramError, inspect

        pick = random.Random(seed)
        data = mutate(pick.choice(self.files), pick)
        results = []
        for path in self.paths:
            try:
                results.append(
                    self.codec.decode(self.records, memoryview(data), views=True, native=path)
                )
            except ProgramError as error:
                results.append(str(error))
        if isinstance(results[0], str):
            assert results[0] == results[-1]
        else:
            assert not isinstance(results[-1], str)
            assert flat(results[0][0]) == flat(results[-1][0])
        try:
            inspect(data)
        except ProgramError:
            return "refused"
        return "read"


def flat(value: Any) -> Any:
    """Records as tuples, so that they compare; floats by their bits."""
    if hasattr(value, "__slots__"):
        return (type(value).__name__, *(flat(getattr(value, name)) for name in value.__slots__))
    if isinstance(value, list):
        return [flat(item) for item in value]
    if isinstance(value, float):
        return struct.pack("d", value)
    return bytes(value) if isinstance(value, memoryview) else value


class Writing:
    """One round per seed: a program with odd parts to both writers."""

    def __init__(self) -> None:
        from bpte.program import _codec

        self.codec = _codec
        self.binding = _codec.executorch()
        self.alignments = self.binding.alignments(None, None)
        self.paths = [False, True] if _codec.native_available() else [False]

    def odd(self, pick: random.Random) -> Any:
        cycle: list[Any] = []
        cycle.append(cycle)
        return pick.choice(
            [
                None, True, 0, 1, -1, 2**31, 2**63, 2**64, -(2**63) - 1, 1.0, -0.0, float("nan"),
                "", "inf", "\ud800", b"", b"x" * 40, bytearray(3), memoryview(b"ab"), [], [None],
                [1.5], [[]], ["x"], (1, 2), {}, set(), object(), cycle, 10**400, 1e39, range(3),
            ]
        )  # fmt: skip

    def spoil(self, value: Any, pick: random.Random) -> None:
        """Replaces one part of the program, somewhere."""
        import dataclasses

        while True:
            if dataclasses.is_dataclass(value):
                names = [field.name for field in dataclasses.fields(value)]
                if not names:
                    return
                name = pick.choice(names)
                inner = getattr(value, name, None)
                deeper = dataclasses.is_dataclass(inner) or (isinstance(inner, list) and inner)
                if deeper and pick.random() < 0.8:
                    value = inner
                    continue
                setattr(value, name, self.odd(pick))
                return
            at = pick.randrange(len(value))
            inner = value[at]
            if dataclasses.is_dataclass(inner) and pick.random() < 0.8:
                value = inner
                continue
            value[at] = self.odd(pick)
            return

    def round(self, seed: int) -> str:
        from bpte.program import ProgramError
        from random_programs import RandomPrograms, same

        pick = random.Random(seed)
        program = RandomPrograms(self.binding, seed % 997).program()
        for _ in range(pick.choice((0, 1, 1, 1, 2))):
            self.spoil(program, pick)
        results: list[Any] = []
        for path in self.paths:
            try:
                results.append(
                    self.codec.encode(self.binding, program, self.alignments, native=path)
                )
            except ProgramError as error:
                assert "cannot be written: " not in error.rule, error
                results.append(str(error))
        assert results[0] == results[-1]
        if isinstance(results[0], str):
            return "refused"
        once, _ = self.codec.decode(self.binding, memoryview(results[0]))
        again = self.codec.encode(self.binding, once, self.alignments)
        twice, _ = self.codec.decode(self.binding, memoryview(again))
        assert same(once, twice)
        return "written"


def sanitized(folder: Path) -> dict[str, str]:
    """Builds the package with a sanitized accelerator in ``folder``; the environment to use it."""
    package = folder / "bpte"
    subprocess.run(["cp", "-r", str(ROOT / "python" / "bpte"), str(package)], check=True)
    target = package / "program" / f"_native{sysconfig.get_config_var('EXT_SUFFIX')}"
    target.unlink(missing_ok=True)
    flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-O1", "-g"]
    sources = sorted((ROOT / "python" / "bpte" / "program" / "_native").glob("*.cpp"))
    subprocess.run(
        [
            *("g++", "-std=c++17", "-fPIC", "-shared", *flags),
            *("-I", sysconfig.get_path("include"), "-o", target, *sources),
        ],
        check=True,
    )
    library = subprocess.check_output(["g++", "-print-file-name=libasan.so"], text=True).strip()
    standard = subprocess.check_output(["g++", "-print-file-name=libstdc++.so"], text=True).strip()
    return {
        **os.environ,
        "LD_PRELOAD": f"{library} {standard}",
        "ASAN_OPTIONS": "detect_leaks=0,allocator_may_return_null=1",
        "PYTHONMALLOC": "malloc",
        "BPTE_FUZZ_PACKAGE": str(folder),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, help="one round only")
    parser.add_argument("--sanitize", action="store_true")
    parser.add_argument("--only", choices=["reading", "writing"])
    arguments = parser.parse_args()
    if arguments.sanitize:
        with tempfile.TemporaryDirectory() as folder:
            command = [argument for argument in sys.argv[1:] if argument != "--sanitize"]
            environment = sanitized(Path(folder))
            return subprocess.run([sys.executable, __file__, *command], env=environment).returncode
    if "BPTE_FUZZ_PACKAGE" in os.environ:
        sys.path.insert(0, os.environ["BPTE_FUZZ_PACKAGE"])
    rounds: list[Any] = [] if arguments.only == "writing" else [Reading()]
    if arguments.only != "reading":
        try:
            rounds.append(Writing())
        except ImportError as error:
            print(f"no fuzzing of the writers: {error}")
    start = time.monotonic()
    counts: dict[str, int] = {}
    seed = arguments.seed if arguments.seed is not None else random.randrange(2**40)
    print(f"from seed {seed}", flush=True)
    while True:
        for one in rounds:
            began = time.monotonic()
            try:
                outcome = one.round(seed)
                assert time.monotonic() - began < SLOW, "too slow"
            except BaseException:
                print(f"{type(one).__name__}: seed {seed}", flush=True)
                raise
            counts[outcome] = counts.get(outcome, 0) + 1
        if arguments.seed is not None or time.monotonic() - start > arguments.seconds:
            break
        seed += 1
    print(f"to seed {seed}: {counts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
