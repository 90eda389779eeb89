# SPDX-License-Identifier: BSD-3-Clause
"""Compiles TOSA graphs by Vela, and runs them by the TOSA reference model, in this process.

What Vela gives is packed into the container that ExecuTorch's Arm backend hands to its delegate.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import ethosu.regor as regor
import ethosu.vela
import numpy as np
import tosa_reference_model

Array = np.ndarray[Any, Any]

# What Vela calls each NPU, the MACs of a core, and the cores.
TARGETS = {
    **{f"ethos-u55-{macs}": ("EthosU55", macs, 1) for macs in (32, 64, 128, 256)},
    "ethos-u65-256": ("EthosU65", 256, 1),
    "ethos-u65-512": ("EthosU65", 256, 2),
    **{f"ethos-u85-{macs}": ("EthosU85", macs, 1) for macs in (128, 256, 512, 1024, 2048)},
}
SYSTEMS = {
    "u55": "Ethos_U55_High_End_Embedded",
    "u65": "Ethos_U65_High_End",
    "u85": "Ethos_U85_SYS_DRAM_Mid",
}
MEMORY_MODES = {
    "u55": ("Shared_Sram", "Sram_Only"),
    "u65": ("Dedicated_Sram", "Shared_Sram", "Sram_Only"),
    "u85": ("Dedicated_Sram_384KB", "Dedicated_Sram_512KB", "Shared_Sram", "Sram_Only"),
}
FEATURES = ("Grouping", "FWD", "Cascading", "WeightBuffering", "ReuseIFM")


@dataclass(frozen=True)
class Options:
    """Where and how a graph is compiled."""

    target: str
    memory_mode: str = ""  # the target's first
    optimise: str = "Performance"  # or Size
    allocator: str = "HillClimb"  # or Greedy, LinearAlloc
    disabled: tuple[str, ...] = ()  # of FEATURES
    cache_size: int = 1 << 31  # bytes of fast memory that the arena may take

    @property
    def family(self) -> str:
        return self.target.split("-")[1]


class NotCompiled(Exception):
    """Vela cannot, or would leave operators to the host."""


@lru_cache
def configuration() -> str:
    return (Path(ethosu.vela.__file__).parents[1] / "config_files/Arm/vela.ini").read_text()


def compile_graph(flatbuffer: bytes, options: Options) -> bytes:
    """The container of the delegate that Vela makes of the graph."""
    accelerator, macs, cores = TARGETS[options.target]
    memory_mode = options.memory_mode or MEMORY_MODES[options.family][0]
    system = (
        f"[architecture]\nmacs={macs}\ncores={cores}\n"
        f"[vela]\nsystem_config_name={SYSTEMS[options.family]}\nmemory_mode_name={memory_mode}\n"
    ) + configuration()
    compiler = (
        "\n[compiler]\noutput_format=Raw\ncop_format=COP1\n\n[scheduler]\n"
        f"optimize={options.optimise}\narena_size_limit={options.cache_size}\n"
        f"disable_feature={'|'.join(options.disabled)}\ncpu_tensor_alignment=16\n"
        f"tensor_allocator={options.allocator}\n\n[graph]\n"
    )
    try:
        with quiet():
            raw = regor.compile(accelerator, flatbuffer, "TOSA", system, options=compiler)
    except RuntimeError as error:
        raise NotCompiled(str(error)) from error
    if not isinstance(raw, regor.CompiledRawModel):
        raise NotCompiled("not one delegate")
    blocks = {
        "vela_bin_stream": b"",
        "cmd_data": np.asarray(raw.command_stream).tobytes(),
        "weight_data": np.asarray(raw.read_only.data).tobytes(),
        "scratch_size": struct.pack("<I", raw.scratch.size),
        "inputs": _bindings(raw.inputs),
        "outputs": _bindings(raw.outputs),
        "vela_end_stream": b"",
    }
    return b"".join(
        struct.pack("<16sIB11x", name.encode(), len(data), 0) + data + b"\0" * (-len(data) % 16)
        for name, data in blocks.items()
    )


def _bindings(tensors: Sequence[Any]) -> bytes:
    entries = [
        struct.pack("<9i", *t.shape, t.element_size, t.address, int(np.int8(t.region)))
        for t in tensors
    ]
    return struct.pack("<i", len(entries)) + b"".join(entries)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Vela and the reference model write to stdout and stderr, from C++."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        for number, copy in enumerate(kept, start=1):
            os.dup2(copy, number)
            os.close(copy)


def reference_outputs(flatbuffer: bytes, inputs: Sequence[Array]) -> list[Array]:
    """What the TOSA reference model gives. ValueError: it refuses the graph, or these inputs."""
    with quiet():
        outputs, status = tosa_reference_model.run(flatbuffer, list(inputs), verbosity="NONE")
    if status != tosa_reference_model.GraphStatus.TOSA_VALID:
        raise ValueError(f"the TOSA reference model says {status}")
    return [np.ascontiguousarray(output) for output in outputs]
