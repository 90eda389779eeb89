# SPDX-License-Identifier: BSD-3-Clause
"""How fast outputs are judged, with full statistics, in one thread: ratios within one run.

    python benchmarks/compare.py [--elements N] [--rounds R]

Bandwidth is that of one tensor's bytes: judging reads two tensors, memcpy reads one and writes
one, so both move twice as much. "of memcpy" is memcpy's time for a tensor of that dtype over the
judge's. Every figure is the best of several rounds, each of which times everything in turn.
Builds what it needs in build/benchmark.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "benchmark"
VARIANTS = {
    "judge": "compare_benchmark",
    "judge without AVX2": "compare_benchmark_baseline",
    "judge, small variant": "compare_benchmark_small",
}
DTYPES = {
    "float32": (6, np.float32),
    "float16": (5, np.float16),
    "bfloat16": (15, ml_dtypes.bfloat16),
    "float64": (7, np.float64),
    "int8": (1, np.int8),
    "uint8": (0, np.uint8),
    "int16": (2, np.int16),
    "int32": (3, np.int32),
    "int64": (4, np.int64),
}


def build() -> dict[str, ctypes.CDLL]:
    configure = [
        *("cmake", "-S", ROOT, "-B", BUILD, "-DCMAKE_BUILD_TYPE=RelWithDebInfo"),
        *("-DBPTE_ENGINE_EXECUTORCH=OFF", "-DBPTE_ENGINE_REFERENCE=OFF"),
        *("-DBPTE_BUILD_RUNNER=OFF", "-DBPTE_BUILD_TESTS=OFF"),
        "-DBPTE_BUILD_BENCHMARKS=ON",
    ]
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    make = ["cmake", "--build", BUILD, "-j", str(os.cpu_count() or 2), "--target"]
    subprocess.run([*make, *VARIANTS.values()], check=True, stdout=subprocess.DEVNULL)
    libraries = {}
    for name, target in VARIANTS.items():
        (path,) = BUILD.rglob(f"lib{target}.so")
        library = ctypes.CDLL(str(path))
        library.judge.restype = ctypes.c_bool
        library.plain_loop.restype = ctypes.c_uint64
        libraries[name] = library
    return libraries


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def judging(
    library: ctypes.CDLL,
    dtype: int,
    sizes: tuple[int, ...],
    sides: tuple[tuple[np.ndarray, tuple[int, ...]], tuple[np.ndarray, tuple[int, ...]]],
) -> Callable[[], None]:
    """A call that judges two arrays, given as they lie in memory with their dim_orders."""
    c_sizes = (ctypes.c_int32 * len(sizes))(*sizes)
    (e, e_order), (a, a_order) = sides
    c_e_order = (ctypes.c_uint8 * len(sizes))(*e_order)
    c_a_order = (ctypes.c_uint8 * len(sizes))(*a_order)
    mismatches = ctypes.c_uint64()
    size = ctypes.c_size_t(e.nbytes)
    rank = ctypes.c_size_t(len(sizes))

    def call() -> None:
        ok = library.judge(
            *(dtype, rank, c_sizes, c_e_order, pointer(e), c_a_order, pointer(a), size),
            ctypes.byref(mismatches),
        )
        assert ok

    return call


def best(rounds: int, calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    times = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            begin = time.thread_time()  # not what other processes took
            call()
            times[name] = min(times[name], time.thread_time() - begin)
    return times


def show(title: str, times: dict[str, float], nbytes: int, count: int) -> None:
    print(f"\n{title}")
    rival = f"{'judge is faster':>16}" if "judge" in times else ""
    print(f"  {'':34} {'GB/s':>7} {'ns/element':>11} {'of memcpy':>10} {rival}")
    for name, seconds in times.items():
        rate = f"{nbytes / seconds / 1e9:7.2f} {seconds / count * 1e9:11.3f}"
        ratio = f"{times['memcpy'] / seconds:10.2f}"
        faster = f"{seconds / times['judge']:15.2f}x" if "judge" in times else ""
        print(f"  {name:34} {rate} {ratio} {faster}".rstrip())


def data_sets(rng: np.random.Generator, e: np.ndarray, by: int | float) -> dict[str, np.ndarray]:
    """The actual values: equal, 5 % of them `by` off, and all of them by 1 to 20 times that."""
    some = np.where(rng.random(e.size, np.float32) < 0.05, e + e.dtype.type(by), e)
    factors = rng.integers(1, 21, e.size, np.uint8).astype(e.dtype)
    return {
        "equal": e.copy(),
        "5 % off by one": some.astype(e.dtype),
        "all wrong": (e + factors * e.dtype.type(by)).astype(e.dtype),
    }


def show_dtype(
    judge: ctypes.CDLL,
    rng: np.random.Generator,
    name: str,
    number: int,
    dtype: np.dtype,
    count: int,
    rounds: int,
) -> None:
    integer = dtype.kind in "iu"
    values = rng.standard_normal(count, np.float32)
    e = (values * 30 + (128 if dtype.kind == "u" else 0) if integer else values).astype(dtype)
    to = np.empty_like(e)
    size = ctypes.c_size_t(e.nbytes)
    calls: dict[str, Callable[[], object]] = {
        "memcpy": lambda: judge.copy_bytes(pointer(to), pointer(e), size)
    }
    for what, a in data_sets(rng, e, 1 if integer else 0.25).items():
        calls[what] = judging(judge, number, (count,), ((e, (0,)), (a, (0,))))
    show(name, best(rounds, calls), e.nbytes, count)


def main() -> None:
    parser = argparse.ArgumentParser(description="Times the judging of outputs.")
    parser.add_argument("--elements", type=int, default=1 << 24)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    count, rounds = options.elements // 4096 * 4096, options.rounds
    libraries = build()
    judge = libraries["judge"]
    rng = np.random.default_rng(0)
    signal = rng.standard_normal(count, np.float32)
    noise = signal * (1 + 1e-7 * rng.standard_normal(count, np.float32)).astype(np.float32)

    e, a, to = signal, noise.astype(np.float32), np.empty_like(signal)
    statistics = (ctypes.c_double * 8)()
    nbytes = ctypes.c_size_t(e.nbytes)
    calls: dict[str, Callable[[], object]] = {
        "memcpy": lambda: judge.copy_bytes(pointer(to), pointer(e), nbytes)
    }
    for name, library in libraries.items():
        calls[name] = judging(library, 6, (count,), ((e, (0,)), (a, (0,))))
    calls["plain loop, same statistics"] = lambda: judge.plain_loop(
        *(pointer(e), pointer(a), ctypes.c_size_t(count)),
        *(ctypes.c_double(1.3e-6), ctypes.c_double(1e-5), statistics),
    )
    calls["numpy.allclose, verdict only"] = lambda: np.allclose(a, e, rtol=1.3e-6, atol=1e-5)
    show(f"float32, {count:,} elements", best(rounds, calls), e.nbytes, count)

    sizes = (count // 4096, 64, 64)
    wrong = a + np.float32(1)
    transposed = np.ascontiguousarray(a.reshape(sizes).transpose(0, 2, 1))
    last = ((e, (0, 2, 1)), (a, (0, 2, 1)))
    calls = {
        "memcpy": calls["memcpy"],
        "judge": calls["judge"],
        "every element wrong": judging(judge, 6, (count,), ((e, (0,)), (wrong, (0,)))),
        "same order, not the logical one": judging(judge, 6, sizes, last),
        "orders differ": judging(judge, 6, sizes, ((e, (0, 1, 2)), (transposed, (0, 2, 1)))),
    }
    show("float32, harder", best(rounds, calls), e.nbytes, count)

    for name, (number, numpy_type) in DTYPES.items():
        show_dtype(judge, rng, name, number, np.dtype(numpy_type), count, rounds)


if __name__ == "__main__":
    main()
