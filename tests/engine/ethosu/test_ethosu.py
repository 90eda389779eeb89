# SPDX-License-Identifier: BSD-3-Clause
"""The functional model of the Ethos-U against the TOSA reference model, and against bad streams.

tests/fixtures/ethosu holds delegates that Vela compiled, and what the TOSA reference model makes of
the same graphs: the model must give the same bytes.
"""

from __future__ import annotations

import json
import re
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FIXTURES = Path(__file__).parents[2] / "fixtures" / "ethosu"
DELEGATES = sorted(p.stem for p in FIXTURES.glob("*.npz"))
# Register numbers of a command stream.
IFM_REGION, OFM_HEIGHT_M1, OFM_PRECISION, KERNEL_STRIDE = 0x10F, 0x112, 0x114, 0x122
OFM_ZERO_POINT, ACTIVATION, DMA0_SRC_REGION = 0x118, 0x125, 0x130
IFM_BASE0, WEIGHT_BASE, SCALE_LENGTH, OFM_SCALE, DMA0_LEN = 0x000, 0x020, 0x023, 0x024, 0x032
WIDE = 1 << 14
POOL, ELEMENTWISE, STOP = 5, 6, 0


@pytest.fixture(scope="session")
def tool(cpp_tool: Callable[[str], Path]) -> Path:
    return cpp_tool("ethosu_tool")


@pytest.fixture(scope="session", params=["ethosu_tool", "ethosu_tool_plain"])
def each_tool(cpp_tool: Callable[[str], Path], request: pytest.FixtureRequest) -> Path:
    """With vector code, where the processor has it, and without."""
    return cpp_tool(request.param)


def load(name: str) -> tuple[bytes, bytes, bytes]:
    """A delegate's container, its inputs' bytes, its outputs' bytes."""
    with np.load(FIXTURES / f"{name}.npz") as arrays:
        inputs = [arrays[f"in{k}"] for k in range(sum(n.startswith("in") for n in arrays))]
        outputs = [arrays[f"out{k}"] for k in range(sum(n.startswith("out") for n in arrays))]
        return arrays["container"].tobytes(), *(
            b"".join(a.tobytes() for a in part) for part in (inputs, outputs)
        )


def run(tool: Path, folder: Path, container: bytes, inputs: bytes) -> tuple[str, bytes]:
    """What the tool says when it refuses, or "", and the outputs."""
    (folder / "delegate").write_bytes(container)
    (folder / "inputs").write_bytes(inputs)
    command = [tool, "run", folder / "delegate", folder / "inputs", folder / "outputs"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    if done.returncode == 1:
        return done.stderr.strip(), b""
    return "", (folder / "outputs").read_bytes()


class Commands:
    """A container's command stream, to be changed command by command."""

    def __init__(self, container: bytes) -> None:
        self._container = container
        self._at = container.index(b"cmd_data") + 32
        size = struct.unpack_from("<I", container, self._at - 16)[0]
        self._end = self._at + size
        self.words = list(struct.unpack_from(f"<{size // 4}I", container, self._at))
        self.start = next(i for i, w in enumerate(self.words) if w & 0xFF == 2) + 1

    def places(self) -> list[int]:
        """Where each command begins."""
        places, at = [], self.start
        while at < len(self.words):
            places.append(at)
            if self.words[at] == 0xFFFF0000:  # NPU_OP_STOP: what follows is padding
                break
            at += 2 if self.words[at] >> 14 & 3 else 1
        return places

    def find(self, number: int, *, wide: bool = False) -> int:
        for at in self.places():
            word = self.words[at]
            if word & 0x3FF == number and bool(word >> 14 & 3) == wide:
                return at
        raise LookupError(number)

    def set(self, number: int, value: int) -> Commands:
        at = self.find(number)
        self.words[at] = self.words[at] & 0xFFFF | value << 16
        return self

    def set_wide(self, number: int, value: int) -> Commands:
        at = self.find(number, wide=True)
        self.words[at] = self.words[at] & 0xFFFF | value >> 32 << 16
        self.words[at + 1] = value & 0xFFFFFFFF
        return self

    def container(self) -> bytes:
        words = struct.pack(f"<{len(self.words)}I", *self.words)
        return self._container[: self._at] + words + self._container[self._end :]


@pytest.mark.parametrize("name", DELEGATES)
def test_equal_to_the_tosa_reference_model(each_tool: Path, tmp_path: Path, name: str) -> None:
    container, inputs, expected = load(name)
    refusal, outputs = run(each_tool, tmp_path, container, inputs)
    assert refusal == ""
    assert len(outputs) == len(expected)
    differing = np.flatnonzero(
        np.frombuffer(outputs, np.uint8) != np.frombuffer(expected, np.uint8)
    )
    assert differing.size == 0, f"{differing.size} of {len(expected)} bytes, from {differing[0]} on"


def test_every_target_has_a_delegate() -> None:
    targets = {name.split("@")[1] for name in DELEGATES}
    macs = {
        *(f"ethos-u55-{n}" for n in (32, 64, 128, 256)),
        *(f"ethos-u65-{n}" for n in (256, 512)),
        *(f"ethos-u85-{n}" for n in (128, 256, 512, 1024, 2048)),
    }
    assert targets == macs


# What is changed, in which delegate, and what the refusal must say.
REFUSALS: dict[str, tuple[str, Callable[[Commands], Commands], str]] = {
    "address": (
        "convolution@ethos-u55-128",
        lambda c: c.set_wide(IFM_BASE0, 1 << 30),
        r"NPU_OP_POOL: IFM \(bytes 1073741824 to \d+\) is not within region 1",
    ),
    "negative stride": (
        "convolution@ethos-u55-128",
        lambda c: c.set_wide(0x005, (1 << 40) - 4096),
        r"NPU_OP_POOL: IFM \(bytes -\d+ to \d+\) is not within region 1",
    ),
    "read-only": (
        "max_pool@ethos-u55-128",
        lambda c: c.set(0x11F, 0),
        "NPU_OP_POOL: OFM in region 0, which is read-only",
    ),
    "region": (
        "convolution@ethos-u55-128",
        lambda c: c.set(IFM_REGION, 5),
        "NPU_OP_POOL: IFM in region 5",
    ),
    "size": (
        "convolution@ethos-u55-128",
        lambda c: c.set(OFM_HEIGHT_M1, 0xFFFF),
        "NPU_OP_POOL: OFM .* is not within region 1",
    ),
    "format": (
        "max_pool@ethos-u55-128",
        lambda c: c.set(OFM_PRECISION, 3 << 6),
        "OFM has the unknown format 3",
    ),
    "decomposition": (
        "convolution@ethos-u55-128",
        lambda c: c.set(KERNEL_STRIDE, 1 << 5),
        "kernels split 4x4 are not modelled",
    ),
    "tanh": (
        "max_pool@ethos-u55-128",
        lambda c: c.set(ACTIVATION, 3),
        "the activation function TANH is not modelled",
    ),
    "weights": (
        "convolution@ethos-u55-128",
        lambda c: c.set_wide(WEIGHT_BASE, 1 << 39),
        "WEIGHT .* is not within region 0",
    ),
    "scales": (
        "convolution@ethos-u55-128",
        lambda c: c.set_wide(SCALE_LENGTH, 16),
        "SCALE_LENGTH 16 is too small for 20 channels",
    ),
    "dma size": (
        "tables@ethos-u55-128",
        lambda c: c.set_wide(DMA0_LEN, (1 << 40) - 1),
        "NPU_OP_DMA_START: the source .* is not within region 0",
    ),
    "dma dimensions": (
        "tables@ethos-u55-128",
        lambda c: c.set(DMA0_SRC_REGION, 1 << 9),
        "copies of two or three dimensions are not modelled",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refused_by_name_before_it_runs(tool: Path, tmp_path: Path, case: str) -> None:
    name, change, message = REFUSALS[case]
    container, inputs, _ = load(name)
    commands = change(Commands(container))
    refusal, _ = run(tool, tmp_path, commands.container(), inputs)
    assert re.match(r"Ethos-U command \d+, NPU_OP_", refusal), refusal
    assert re.search(message, refusal), refusal


def with_zero_point() -> tuple[bytes, bytes, bytes]:
    """A delegate whose first operations, with OFMs of 32 bits, state a zero point for these."""
    container, inputs, expected = load("int32@ethos-u55-128")
    return Commands(container).set(OFM_ZERO_POINT, 5).container(), inputs, expected


def with_multiplier() -> tuple[bytes, bytes, bytes]:
    """A delegate whose last operation, of operands of 32 bits, states a multiplier for these."""
    container, inputs, expected = load("int32@ethos-u55-128")
    commands = Commands(container)
    at = [p for p in commands.places() if commands.words[p] & 0xC3FF == WIDE | OFM_SCALE][-1]
    commands.words[at + 1] = 12345
    return commands.container(), inputs, expected


def test_operands_of_32_bits_have_no_multiplier(tool: Path, tmp_path: Path) -> None:
    container, inputs, expected = with_multiplier()
    assert run(tool, tmp_path, container, inputs) == ("", expected)


def test_an_ofm_of_32_bits_has_no_zero_point(tool: Path, tmp_path: Path) -> None:
    container, inputs, expected = with_zero_point()
    assert container != load("int32@ethos-u55-128")[0]
    assert run(tool, tmp_path, container, inputs) == ("", expected)


def test_a_refusal_names_the_command(tool: Path, tmp_path: Path) -> None:
    container, inputs, _ = load("max_pool@ethos-u55-128")
    commands = Commands(container)
    at = commands.find(POOL)
    commands.words[at] = commands.words[at] & 0xFFFF | 9 << 16
    number = commands.places().index(at)
    refusal, _ = run(tool, tmp_path, commands.container(), inputs)
    assert refusal == f"Ethos-U command {number}, NPU_OP_POOL: the unknown pooling mode 9"


def test_elementwise_modes_that_are_not_modelled(tool: Path, tmp_path: Path) -> None:
    container, inputs, _ = load("add_mul@ethos-u55-128")
    for mode, message in ((5, "LRELU is not modelled"), (10, "the unknown elementwise mode 10")):
        commands = Commands(container)
        at = commands.find(ELEMENTWISE)
        commands.words[at] = commands.words[at] & 0xFFFF | mode << 16
        refusal, _ = run(tool, tmp_path, commands.container(), inputs)
        assert message in refusal


@pytest.mark.parametrize("number", [0x106, 0x1FF, 0x004, 0x2AA])
def test_unknown_commands(tool: Path, tmp_path: Path, number: int) -> None:
    container, inputs, _ = load("max_pool@ethos-u55-128")
    commands = Commands(container)
    commands.words[commands.start] = number
    refusal, _ = run(tool, tmp_path, commands.container(), inputs)
    kind = "operation" if number < 0x100 else "register of 16 bits"
    assert refusal == f"Ethos-U command 0: no {kind} is {number}"


def test_a_stream_without_an_end(tool: Path, tmp_path: Path) -> None:
    container, inputs, _ = load("max_pool@ethos-u55-128")
    commands = Commands(container)
    for at in range(commands.find(STOP), len(commands.words)):
        commands.words[at] = 0x12F  # BLOCKDEP 0
    refusal, _ = run(tool, tmp_path, commands.container(), inputs)
    assert "the stream ends without NPU_OP_STOP" in refusal


def test_another_npu(tool: Path, tmp_path: Path) -> None:
    container, inputs, _ = load("max_pool@ethos-u55-128")
    commands = Commands(container)
    at = next(i for i, w in enumerate(commands.words) if w & 0xFF == 1)
    commands.words[at + 2] = 3 << 28
    refusal, _ = run(tool, tmp_path, commands.container(), inputs)
    assert refusal == "Ethos-U delegate: compiled for an unknown NPU, architecture 3"


def operations(tool: Path, folder: Path, name: str) -> list[dict[str, Any]]:
    """What the model tells of each operation."""
    container, _, _ = load(name)
    (folder / "delegate").write_bytes(container)
    done = subprocess.run(
        [tool, "list", folder / "delegate"], capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_is_told_of_a_convolution(tool: Path, tmp_path: Path) -> None:
    told = [o for o in operations(tool, tmp_path, "linear@ethos-u65-256") if o["macs"]]
    assert [o["name"] for o in told] == ["NPU_OP_CONV"]
    (conv,) = told
    assert conv["macs"] == conv["weights"] == 70 * 37
    assert conv["ifm"]["shape"] == [1, 1, 70]
    assert conv["ofm"]["shape"] == [1, 1, 37]
    assert sum(conv["written"]) == 37
    # The IFM, its weights, and 10 bytes for each channel.
    assert sum(conv["read"]) >= 70 + conv["compressed"] + 370


def test_every_multiplication_is_told(tool: Path, tmp_path: Path) -> None:
    told = operations(tool, tmp_path, "convolution@ethos-u65-512")
    assert sum(o["macs"] for o in told) == 9 * 10 * 20 * 36 + 4 * 4 * 19 * 20 * 2 * 3


@pytest.mark.parametrize("name", DELEGATES)
def test_a_trace_ends_in_the_outputs(tool: Path, tmp_path: Path, name: str) -> None:
    """An observer sees each operation once, and the last OFMs are what the delegate gives."""
    container, inputs, expected = load(name)
    (tmp_path / "delegate").write_bytes(container)
    (tmp_path / "inputs").write_bytes(inputs)
    paths = [tmp_path / n for n in ("delegate", "inputs", "outputs")]
    done = subprocess.run([tool, "trace", *paths], capture_output=True, text=True, check=True)
    traced = [json.loads(line) for line in done.stdout.splitlines()]
    assert (tmp_path / "outputs").read_bytes() == expected
    told = operations(tool, tmp_path, name)
    assert [o["command"] for o in traced] == [o["command"] for o in told]
    assert all("sum" in o for o in traced if o["name"] != "NPU_OP_DMA_START" and o["ofm"]["bytes"])


def test_every_cut_of_a_container(tool: Path, tmp_path: Path) -> None:
    container, inputs, _ = load("shapes@ethos-u55-128")
    # The last block is a header of 32 bytes: no cut before its end is whole.
    for size in {*range(0, len(container), 97), len(container) - 1, len(container) - 31}:
        refusal, _ = run(tool, tmp_path, container[:size], inputs)
        assert "Ethos-U" in refusal, size


def test_weights_that_end_too_early(tool: Path, tmp_path: Path) -> None:
    container, inputs, _ = load("convolution@ethos-u55-128")
    refusal, _ = run(tool, tmp_path, Commands(container).set_wide(0x021, 16).container(), inputs)
    assert "the weight stream ends too early" in refusal
