# SPDX-License-Identifier: BSD-3-Clause
"""Serializing ``Program`` objects: this package against executorch and FlatBuffers' C++.

    python benchmarks/program.py                    the programs of the table
    python benchmarks/program.py --corpus DIR       files of tests/program/corpus.py as well
    python benchmarks/program.py --large 1G         a whole file with that much constant data
    python benchmarks/program.py --cold             first calls, each in a process of its own

All of one row is measured in one process, in turns; times are CPU time (all of it is
single-threaded; flatc's process counts with the JSON path), the best of the turns, in
milliseconds, and memory is tracemalloc's peak (which does not see flatc's process). Only the
ratios mean anything. "json" is executorch's JSON encoder and flatc, "direct" its Python packer,
"c++" the object API of FlatBuffers, which starts from C++ objects and walks nothing of Python's.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import math
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "program")]

from bpte.program import (  # noqa: E402
    _codec,
    _header,
    deserialize_pte,
    serialize_pte,
)


def upstream(module: str) -> Any:
    return importlib.import_module(f"executorch.exir._serialize.{module}")


def json_path(program: Any) -> bytes:
    flatc = upstream("_flatbuffer")
    with tempfile.TemporaryDirectory() as folder:
        schema = flatc._prepare_schema(folder)
        source = Path(folder) / "data.json"
        source.write_text(upstream("_program")._program_to_json(program))
        flatc._flatc_compile(folder, schema.root_path, str(source))
        return (Path(folder) / "data.pte").read_bytes()


def cpu_seconds() -> float:
    """Of this process and of those it waited for: other processes do not count, as they would
    on a clock on the wall."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def in_turns(
    tasks: dict[str, Callable[[], Any]], seconds: float, turns: int = 2
) -> dict[str, float]:
    """Best milliseconds of each task, in turns until ``seconds`` are used up, but at least in
    ``turns``. In each turn a task runs a few times, the first of which warms the caches."""
    best = dict.fromkeys(tasks, math.inf)
    end = time.perf_counter() + seconds
    turn = 0
    while turn < turns or time.perf_counter() < end:
        gc.collect()
        for name, task in tasks.items():
            left = 10
            while left > 0:
                start = cpu_seconds()
                task()
                spent = 1000 * (cpu_seconds() - start)
                best[name] = min(best[name], spent)
                left -= 1 if spent < 30 else 3 if spent < 1000 else 10
        turn += 1
    return best


def peak(task: Callable[[], Any]) -> int:
    """Bytes at the peak of a task, its result included."""
    gc.collect()
    tracemalloc.start()
    try:
        task()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def geometric(values: list[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def load(path: Path) -> tuple[Any, Any, bytes]:
    """The program as the file's FlatBuffer has it, the whole PTEFile, and the FlatBuffer."""
    data = path.read_bytes()
    header = _header.read(memoryview(data))
    size = header.program_size if header else len(data)
    program = upstream("_flatbuffer_program")._flatbuffer_to_program(data[:size])
    return program, upstream("_program").deserialize_pte_binary(data), data


def tasks_for(program: Any, pte: Any) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """What writes, what reads, and both FlatBuffers."""
    direct = upstream("_flatbuffer_program")
    binding = _codec.executorch()
    alignments = binding.alignments(None, None)
    theirs = direct._program_to_flatbuffer(program).data
    ours = _codec.encode(binding, program, alignments)
    paths = {"pure": False, **({"native": True} if _codec.native_available() else {})}
    write: dict[str, Any] = {"direct": lambda: direct._program_to_flatbuffer(program)}
    read: dict[str, Any] = {"direct": lambda: direct._flatbuffer_to_program(theirs)}
    for name, path in paths.items():
        write[name] = lambda path=path: _codec.encode(binding, program, alignments, native=path)
        read[name] = lambda path=path: _codec.decode(binding, memoryview(ours), native=path)
    write["whole direct"] = lambda: upstream("_program").serialize_pte_binary(pte)
    write["whole ours"] = lambda: serialize_pte(pte)
    return write, read, ours, theirs


def table(folder: Path, seconds: float, checker: Path | None) -> None:
    import program_models

    folder.mkdir(parents=True, exist_ok=True)
    ratios: dict[str, list[float]] = {}

    def note(name: str, value: float) -> str:
        ratios.setdefault(name, []).append(value)
        return f"{value:6.1f}"

    print(
        f"{'program':16}{'bytes':>8}{'ours':>8} |{'json':>8}{'direct':>8}{'pure':>8}{'native':>8}"
        f"{'c++':>8} | {'d/pure':>6} {'d/nat':>6} {'j/nat':>6} {'whole':>6} |{'read':>8}{'pure':>8}"
        f"{'native':>8}{'c++':>8} | {'d/pure':>6} {'d/nat':>6} | {'memory: % of direct':>6}"
    )
    for name in program_models.TABLE:
        path = folder / f"{name.replace(', ', '_').replace(' ', '_')}.pte"
        if not path.exists():
            path.write_bytes(program_models.export_pte(name))
        program, pte, _ = load(path)
        write, read, ours, theirs = tasks_for(program, pte)
        json_time = in_turns({"json": lambda program=program: json_path(program)}, 0)["json"]
        wrote, was_read = in_turns(write, seconds), in_turns(read, seconds)
        memory = {task: peak(write[task]) for task in ("direct", "pure", "native") if task in write}
        floor = [math.nan, math.nan]
        if checker is not None:
            (folder / "floor.bin").write_bytes(theirs)
            out = subprocess.check_output([checker, "time", folder / "floor.bin", "50"], text=True)
            floor = [int(part) / 1e6 for part in out.split()[:2]]
        native = "native" in wrote
        line = (
            f"{name:16}{len(theirs):8}{len(ours):8} |{json_time:8.1f}{wrote['direct']:8.2f}"
            f"{wrote['pure']:8.3f}{wrote.get('native', math.nan):8.3f}{floor[1]:8.3f} | "
            f"{note('serialize: direct / pure', wrote['direct'] / wrote['pure'])} "
        )
        if native:
            line += f"{note('serialize: direct / native', wrote['direct'] / wrote['native'])} "
            line += f"{note('serialize: json / native', json_time / wrote['native'])} "
        whole = wrote["whole direct"] / wrote["whole ours"]
        line += (
            f"{note('whole file: direct / ours', whole)} |{was_read['direct']:8.2f}"
            f"{was_read['pure']:8.3f}{was_read.get('native', math.nan):8.3f}{floor[0]:8.3f} | "
            f"{note('read: direct / pure', was_read['direct'] / was_read['pure'])} "
        )
        if native:
            line += f"{note('read: direct / native', was_read['direct'] / was_read['native'])} | "
        for path_name in ("pure", "native"):
            if path_name in memory:
                share = 100 * memory[path_name] / memory["direct"]
                line += f"{path_name} {note(f'memory: {path_name}, % of direct', share)} "
        print(line, flush=True)
    print("geometric means:")
    for name, values in ratios.items():
        print(f"  {name:28} {geometric(values):8.1f}")


def corpus(folder: Path) -> None:
    """Geometric means over many small programs."""
    ratios: dict[str, list[float]] = {}
    files = sorted(folder.glob("*.pte"))
    for path in files:
        program, pte, _ = load(path)
        write, read, ours, theirs = tasks_for(program, pte)
        wrote, was_read = in_turns(write, 0, 1), in_turns(read, 0, 1)
        for name in ("pure", "native"):
            if name in wrote:
                for kind, times in (("serialize", wrote), ("read", was_read)):
                    ratios.setdefault(f"{kind}: direct / {name}", []).append(
                        times["direct"] / times[name]
                    )
        whole = wrote["whole direct"] / wrote["whole ours"]
        ratios.setdefault("whole file: direct / ours", []).append(whole)
        ratios.setdefault("bytes: ours, % of direct", []).append(100 * len(ours) / len(theirs))
    print(f"geometric means over {len(files)} programs of {folder.name}:")
    for name, values in ratios.items():
        low, high = min(values), max(values)
        print(f"  {name:28} {geometric(values):8.1f}   ({low:.1f} ... {high:.1f})")


def large(size: int, folder: Path) -> None:
    """A file with ``size`` bytes of constants: time and memory beyond the objects themselves."""
    import program_models

    classes = importlib.import_module("executorch.exir.schema")
    path = folder / "mlp.pte"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(program_models.export_pte("mlp"))
    pte = deserialize_pte(path)
    count = 64
    pte.program.constant_buffer = [
        classes.Buffer(b""),
        *(classes.Buffer(os.urandom(4096) * (size // count // 4096)) for _ in range(count)),
    ]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        target, copied = Path(scratch) / "large.pte", Path(scratch) / "copy.pte"

        def rss() -> int:
            return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        def write_only() -> None:
            with target.open("wb") as file:
                serialize_pte(pte).write_to_file(file)

        before = rss()
        used = peak(write_only)
        grown = rss() - before
        times: dict[str, float] = {"ours": math.inf, "copy": math.inf, "save": math.inf}
        for _ in range(3):
            for name, task in (
                ("ours", write_only),
                ("copy", lambda: shutil.copyfile(target, copied)),
                ("save", lambda: serialize_pte(pte).save(target)),
            ):
                (copied if name == "copy" else target).unlink(missing_ok=True)
                start = time.perf_counter()
                task()
                times[name] = min(times[name], time.perf_counter() - start)
                os.sync()
        print(
            f"{size / 1e9:.2f} GB of constants: written in {times['ours']:.2f} s, copied by the "
            f"kernel in {times['copy']:.2f} s, saved with fsync in {times['save']:.2f} s; beyond "
            f"the objects: tracemalloc {used / 1e6:.2f} MB, resident {grown / 1e6:.2f} MB"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=Path, default=HERE.parent / "build" / "programs",
                        help="where the table's programs are kept")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=4.0, help="for each cell of the table")
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--large", metavar="BYTES", help="for example 256M or 1G")
    parser.add_argument("--no-table", action="store_true")
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--processes", type=int, default=3, help="for each figure of --cold")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if not _codec.native_available():
        print("the native accelerator is not built: pure Python only")
    if arguments.cold:
        import program_cold

        program_cold.main(arguments.programs, arguments.processes)
        return 0
    if not arguments.no_table:
        import object_api

        try:
            arguments.programs.mkdir(parents=True, exist_ok=True)
            checker = object_api.build(arguments.programs)
        except object_api.Unavailable as reason:
            print(f"no C++ floor: {reason}")
            checker = None
        table(arguments.programs, arguments.seconds, checker)
    if arguments.corpus:
        corpus(arguments.corpus)
    if arguments.large:
        unit = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(arguments.large[-1].upper())
        number = arguments.large[:-1] if unit else arguments.large
        large(int(number) * (unit or 1), arguments.programs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
