# SPDX-License-Identifier: BSD-3-Clause
"""Breaks one rule of the Ethos-U model at a time, and asks whether the tests notice.

    make ethosu-mutants
    python tests/engine/ethosu/mutants.py [NAME...]

Each mutant changes a line of the model, is compiled, and runs the delegates of
tests/fixtures/ethosu, then random graphs. It is caught when an output differs or the model refuses.
A survivor is a rule that nothing tests: the exit code is 1. So it is when a mutant is noticed of
which the list says that no delegate can.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from test_ethosu import DELEGATES, load, with_multiplier, with_zero_point

ROOT = Path(__file__).parents[3]
MODEL = ROOT / "runtime" / "bpte" / "engine" / "ethosu"
LIBRARIES = [
    ROOT / "build/host/runtime/bpte" / name
    for name in (
        "engine/libbpte_engine.a",
        "core/libbpte_core.a",
    )
]
FLAGS = ("-std=c++17", "-O1", "-fno-exceptions", "-fno-rtti", "-w")
# So many random graphs for each of these, where no fixture notices.
TARGETS = ("ethos-u55-128", "ethos-u65-512", "ethos-u85-256", "ethos-u85-1024", "ethos-u55-32")
GRAPHS = 120


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str  # in internal/
    before: str  # stands there once
    after: str
    unseen: str = ""  # why no delegate of Vela's can notice it


MUTANTS = (
    # Scales and rounding.
    Mutant("double rounding", "scaling.h", "product += value >= 0 ? first : -first;", ";"),
    Mutant("double rounding's sign", "scaling.h", "value >= 0 ? first : -first", "first"),
    Mutant(
        "truncation",
        "scaling.h",
        "product += (uint64_t{1} << shift) - 1;",
        ";",
        unseen="no operator of TOSA truncates",
    ),
    Mutant("halves up", "scaling.h", "uint64_t{1} << (shift - 1);", "0;"),
    Mutant("rounding down", "scaling.h", "if (rounding == Rounding::kDown)", "if (false)"),
    Mutant(
        "unsigned multiplier",
        "scaling.h",
        "* scale.multiplier;",
        "* static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(scale.multiplier)));",
    ),
    Mutant("bias of 40 bits", "channel_scales.h", "uint64_t{entry[4]} << 32, 40", "0, 32"),
    Mutant("shift of a channel", "channel_scales.h", "entry[9] & 63u", "entry[9] & 31u"),
    Mutant(
        "bias of 48 bits",
        "channel_scales.h",
        "load<uint16_t>(entry + 4)} << 32, 48",
        "0} << 32, 32",
    ),
    Mutant(
        "multiplier of 15 bits",
        "channel_scales.h",
        "load<uint16_t>(entry + 6) & 0x7FFFu",
        "load<uint16_t>(entry + 6) & 0x3FFFu",
    ),
    # What operations end in.
    Mutant(
        "zero point of a 32-bit OFM", "output.cpp", "bytes >= 4 && !has_table ? 0", "bytes > 8 ? 0"
    ),
    Mutant("lower limit", "output.h", "if (value < minimum_) value = minimum_;", ""),
    Mutant("upper limit", "output.h", "if (value > maximum_) value = maximum_;", ""),
    Mutant("rounding of a slope", "output.cpp", "(slope + 64) >> 7", "slope >> 7"),
    Mutant("wide table", "output.cpp", "base * 128 + slope", "base * 128"),
    Mutant("table's number", "output.cpp", "(function - kTable0) * kTableStep", "0"),
    Mutant("table's number, Ethos-U85", "output.cpp", "bits >> 5 & 7", "0"),
    Mutant("transposition", "output.cpp", "{0, 2, 1}, {1, 2, 0}", "{2, 1, 0}, {1, 2, 0}"),
    Mutant("reversal", "output.cpp", "sizes[reversed_] - 1 - from[reversed_]", "from[reversed_]"),
    # Elementwise.
    Mutant("shift of 8-bit operands", "elementwise.cpp", "kShift8 = 19", "kShift8 = 20"),
    Mutant("shift of 16-bit operands", "elementwise.cpp", "kShift16 = 14", "kShift16 = 15"),
    Mutant("swapped operands", "elementwise.cpp", "(broadcast & kIfm2IsA) != 0", "false"),
    Mutant("no multiplier for 32 bits", "elementwise.cpp", "scale.multiplier = 1;", ";"),
    Mutant(
        "rounding of SHR",
        "elementwise.cpp",
        "u85 ? output.rounding() : Rounding::kNatural",
        "u85 ? Rounding::kNatural : Rounding::kDown",
    ),
    Mutant(
        "SHL",
        "elementwise.cpp",
        "static_cast<uint32_t>(a) << (static_cast<uint32_t>(b) & 31)",
        "static_cast<uint32_t>(a) << (static_cast<uint32_t>(b) & 15)",
    ),
    Mutant(
        "CLZ", "elementwise.cpp", "bit != 0 && (value & bit) == 0", "bit > 1 && (value & bit) == 0"
    ),
    Mutant(
        "broadcast of depth",
        "elementwise.cpp",
        "kBroadcastDepth) != 0 ? 0 : c",
        "kBroadcastDepth) != 8 ? c : 0",
    ),
    Mutant(
        "broadcast of IFM",
        "elementwise.cpp",
        "op.ifm.broadcast = registers.get(Narrow::IFM_BROADCAST);",
        "op.ifm.broadcast = registers.get(Narrow::IFM_BROADCAST) & kConstantU85;",
    ),
    Mutant(
        "zero point of a constant",
        "elementwise.cpp",
        "operand.value -= operand.map.zero_point();",
        "",
    ),
    Mutant("scale of operand B", "elementwise.cpp", "b = apply(b_scale, b, b_rounding);", ""),
    Mutant(
        "comparison's true", "elementwise.cpp", "return a > b ? -1 : 0;", "return a > b ? 1 : 0;"
    ),
    # Feature maps and windows.
    Mutant("bricks", "feature_map.h", "(c >> 4) * stride_c_", "(c >> 4) * 16 * element_.bytes"),
    Mutant(
        "tile to the right",
        "feature_map.h",
        "const bool right = x >= width0_;",
        "const bool right = false;",
        unseen="Vela cuts feature maps below each other only",
    ),
    Mutant("tile below", "feature_map.h", "below ? y - height : y", "y"),
    Mutant("address of the tile below", "feature_map.h", "(below ? 2 : 0)", "0"),
    Mutant("padding", "window.h", "tap * dilation - before", "tap * dilation"),
    Mutant("dilation", "window.h", "tap * dilation - before", "tap - before"),
    Mutant(
        "upscaling by zeros",
        "window.h",
        "upscale == Upscale::kZeros && (position & 1) != 0 ? -1 :",
        "",
    ),
    Mutant("stride of 3", "window.cpp", "1 + bit(0) + 2 * bit(6)", "1 + bit(0)"),
    # Pooling.
    Mutant(
        "reciprocal",
        "pooling.cpp",
        "(uint64_t{1} << (bits + k)) + (uint64_t{1} << k)",
        "(uint64_t{1} << (bits + k))",
    ),
    Mutant(
        "average over what is there",
        "pooling.cpp",
        "reciprocal(count != 0 ? count : 1, 31)",
        "output.scale()",
    ),
    Mutant("minimum", "pooling.cpp", "value < result", "value > result"),
    Mutant(
        "zero point of a sum",
        "pooling.cpp",
        "sum += int64_t{ifm.read(pixel + ifm.channel(c))} - ifm.zero_point();",
        "sum += int64_t{ifm.read(pixel + ifm.channel(c))};",
        unseen="Vela takes it off before",
    ),
    # Convolution and the order of its weights.
    Mutant(
        "IFM blocks of 16 bits",
        "weight_order_u55.cpp",
        "part_kernel || op_.wide_ifm() ? 16 : 32",
        "part_kernel ? 16 : 32",
    ),
    Mutant("kernel's rounding, 16 bits", "weight_order_u55.cpp", "op_.wide_ifm() ? 2 : 4", "4"),
    Mutant(
        "dilation of large kernels",
        "weight_order_u55.cpp",
        "const int32_t columns = 8 / op_.window.dilation_x();",
        "const int32_t columns = 8;",
    ),
    Mutant("ublocks of 32 MACs", "convolution.cpp", "config.macs == 32 ? 4 : 8", "8"),
    Mutant(
        "two cores",
        "weight_order_u55.cpp",
        "o * op_.cores + core_ - block_first_",
        "o + core_ - block_first_",
    ),
    Mutant("IFM blocks backwards", "weight_order_u85.cpp", "block_ % 2 == 0 ? k", "true ? k"),
    Mutant("kernel rows backwards", "weight_order_u85.cpp", "row % 2 == 0 ? k", "true ? k"),
    Mutant(
        "phases of the stride", "weight_order_u85.cpp", "by_stride ? op.window.stride_x() : 1", "1"
    ),
    Mutant("depthwise padding", "weight_order_u85.cpp", "op.macs <= 512 ? 2 : 6", "2"),
    Mutant(
        "kernel's rounding, Ethos-U85", "weight_order_u85.cpp", "wide || op.sparse ? 10 : 5", "5"
    ),
    Mutant("weights of two in four", "weight_order_u85.cpp", "wide ? 64 : 128", "64"),
    Mutant(
        "interleaved channels",
        "weight_order_u85.cpp",
        "group += kInterleave * op_.cores",
        "group += kInterleave",
    ),
    Mutant("zero point of IFM2's weights", "convolution.cpp", "- op.ifm2.zero_point()", ""),
    Mutant(
        "kept accumulators",
        "accumulators.h",
        "return sums_[index(y, x, c)];",
        "return 0;",
        unseen="Vela keeps them for three-dimensional convolutions and the like",
    ),
    Mutant(
        "accumulators from IFM2",
        "accumulators.h",
        "case Input::kOfIfm2:\n      return",
        "case Input::kOfIfm2:\n      return 0 *",
    ),
    Mutant(
        "fast weights' adjustment",
        "weights.cpp",
        "(value) - zero_adjust_",
        "(value)",
        unseen="weights of int8 without a zero point need none",
    ),
    Mutant("runs of fast weights", "weights.cpp", "at_ += others_ * fast_bits_;", ""),
    # The same with vectors.
    Mutant(
        "vectors: halves up",
        "fast_convolution.cpp",
        "_mm256_add_epi64(_mm256_mul_epi32(value, multiplier), half)",
        "_mm256_mul_epi32(value, multiplier)",
    ),
    Mutant("vectors: shift", "fast_convolution.cpp", "scale.multiplier *= 2;", ";"),
    Mutant(
        "vectors: zero point",
        "fast_convolution.cpp",
        "found = _mm256_add_epi32(found, zero_point_);",
        "",
    ),
    Mutant(
        "vectors: lower limit",
        "fast_convolution.cpp",
        "_mm256_max_epi32(found, minimum_)",
        "found",
    ),
    Mutant(
        "vectors: signed elements",
        "fast_convolution.cpp",
        "is_signed ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes)",
        "_mm256_cvtepu8_epi16(bytes)",
    ),
    Mutant(
        "vectors: last channels",
        "fast_convolution.cpp",
        "if (count >= kGroup) {",
        "if (count >= 1) {",
    ),
    # Resize and DMA.
    Mutant("nearest", "resize.cpp", "2 * dy >= y.scale", "2 * dy > y.scale"),
    Mutant("resize's offset", "resize.cpp", "(twelve ^ 0x800) - 0x800", "twelve"),
    Mutant("address in the tables", "dma.cpp", "offset = to - tables;", "offset = 0;"),
)


@dataclass(frozen=True)
class Case:
    container: bytes
    inputs: bytes
    expected: bytes


def fixtures() -> Iterator[Case]:
    for name in DELEGATES:
        yield Case(*load(name))
    yield Case(*with_zero_point())
    yield Case(*with_multiplier())


def random_graphs() -> Iterator[Case]:
    """In a process of its own for each, as fuzz_graphs.py says why."""
    for target in TARGETS:
        command = [sys.executable, __file__, "--graphs", target]
        done = subprocess.run(command, capture_output=True, check=False)
        for line in done.stdout.split(b"\n"):
            if line.startswith(b"case "):
                yield Case(*(bytes.fromhex(part.decode()) for part in line.split()[1:]))


def print_graphs(target: str) -> None:
    from fuzz_graphs import pairwise
    from random_graphs import RandomGraph
    from vela import NotCompiled, compile_graph, reference_outputs

    options = pairwise(target)
    first = 500_000_000
    for seed in range(first, first + GRAPHS):
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            continue
        chosen = options[seed % len(options)]
        graph = RandomGraph(seed, chosen.family)
        flatbuffer, inputs = graph.flatbuffer(), graph.input_values()
        try:
            container = compile_graph(flatbuffer, chosen, len(graph.graph.outputs))
            outputs = reference_outputs(flatbuffer, inputs)
        except (NotCompiled, ValueError):
            os._exit(0)
        parts = [container] + [b"".join(a.tobytes() for a in part) for part in (inputs, outputs)]
        print("case", *(part.hex() for part in parts), flush=True)
        os._exit(0)


class Build:
    """The model and its tool, compiled file by file, from a copy of the sources."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "source"
        shutil.copytree(ROOT / "runtime", self.root / "runtime")
        self.model = self.root / MODEL.relative_to(ROOT)
        tool = shutil.copy(Path(__file__).parent / "ethosu_tool.cpp", self.root)
        self.sources = [*sorted(self.model.rglob("*.cpp")), Path(tool)]
        with ThreadPoolExecutor(2) as pool:
            objects = pool.map(self._compile, self.sources)
            self.objects = dict(zip(self.sources, objects, strict=True))

    def _compile(self, source: Path, name: str = "") -> Path:
        target = self.folder / f"{name}{source.stem}.o"
        command = ["g++", *FLAGS, f"-I{self.root / 'runtime'}", "-c", source, "-o", target]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{source.name} does not compile:\n{done.stderr}")
        return target

    def tool(self, mutant: Mutant | None) -> Path:
        """The tool with that mutant in it."""
        objects = dict(self.objects)
        if mutant:
            path = self.model / "internal" / mutant.file
            original = path.read_text()
            path.write_text(mutated(mutant, original))
            header = path.suffix == ".h"
            changed = [s for s in self.sources if header or s == path]
            with ThreadPoolExecutor(2) as pool:
                compiled = pool.map(lambda s: self._compile(s, "mutated-"), changed)
                objects |= dict(zip(changed, compiled, strict=True))
            path.write_text(original)
        tool = self.folder / ("mutated-tool" if mutant else "tool")
        subprocess.run(["g++", *objects.values(), *LIBRARIES, "-o", tool], check=True)
        return tool


def mutated(mutant: Mutant, text: str) -> str:
    """The file's text with the mutant in it. ValueError: what it changes is not there once."""
    if text.count(mutant.before) != 1:
        raise ValueError(
            f"{mutant.name}: {mutant.file} has its text {text.count(mutant.before)} times"
        )
    return text.replace(mutant.before, mutant.after)


def notices(tool: Path, folder: Path, case: Case) -> bool:
    (folder / "delegate").write_bytes(case.container)
    (folder / "inputs").write_bytes(case.inputs)
    command = [tool, "run", folder / "delegate", folder / "inputs", folder / "outputs"]
    done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    return done.returncode != 0 or (folder / "outputs").read_bytes() != case.expected


def main() -> int:
    if sys.argv[1:2] == ["--graphs"]:
        print_graphs(sys.argv[2])
        return 0
    wanted = sys.argv[1:]
    mutants = [mutant for mutant in MUTANTS if not wanted or mutant.name in wanted]
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        build = Build(folder)
        original = build.tool(None)
        corpora = [("fixtures", list(fixtures())), ("random graphs", list(random_graphs()))]
        corpora = [
            (
                name,
                [
                    case
                    for case in cases
                    if name == "fixtures" or not notices(original, folder, case)
                ],
            )
            for name, cases in corpora
        ]
        if any(notices(original, folder, case) for case in corpora[0][1]):
            raise SystemExit("the model as it is does not pass")
        print(f"{len(corpora[0][1])} fixtures, {len(corpora[1][1])} random graphs", flush=True)
        for mutant in mutants:
            tool = build.tool(mutant)
            by = next(
                (name for name, cases in corpora if any(notices(tool, folder, c) for c in cases)),
                "",
            )
            if mutant.unseen:
                verdict = f"noticed by {by} after all" if by else f"unseen: {mutant.unseen}"
            else:
                verdict = f"noticed by {by}" if by else "SURVIVES"
            print(f"{mutant.name}: {verdict}", flush=True)
            counts[
                "wrong" if bool(by) == bool(mutant.unseen) else "noticed" if by else "unseen"
            ] += 1
    print(", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    return 1 if counts["wrong"] or not counts["noticed"] else 0


if __name__ == "__main__":
    sys.exit(main())
