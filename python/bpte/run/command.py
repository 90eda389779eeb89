# SPDX-License-Identifier: BSD-3-Clause
"""The command line that runs a bundle on a board: a simulator's, or the runner's own.

A simulator's words come from its board.toml. This module fills in the placeholders and writes the
runner's arguments.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from bpte.run.board import Board, Simulator
from bpte.run.outcome import State
from bpte.run.request import Refused, Request, preloads

#: The names that the bundle and the program have in the folder that the command runs in. They hold
#: no character to which a simulator's option syntax gives a meaning.
BUNDLE = "bundle.bpte"
PROGRAM = "program"


def pick_simulator(board: Board, name: str | None) -> tuple[Simulator, str]:
    """The simulator of this name, else the first one installed; and its executable. Raises
    Refused."""
    candidates = [s for s in board.simulators if name in (None, s.name)]
    if not candidates:
        names = ", ".join(s.name for s in board.simulators)
        raise Refused(State.USAGE, f"{board.name} has no simulator {name!r}; it has: {names}")
    for simulator in candidates:
        if executable := _locate(simulator):
            return simulator, executable
    missing = "; ".join(
        f"{s.command[0]} is not installed" + (f" ({s.install})" if s.install else "")
        for s in candidates
    )
    raise Refused(State.NOT_STARTED, f"did not start: {missing}")


def _locate(simulator: Simulator) -> str | None:
    word = simulator.command[0]
    if word == "{program}":
        return f"./{PROGRAM}"
    named = os.environ.get(simulator.environment) if simulator.environment else None
    return shutil.which(named or word)


def command_line(
    board: Board, simulator: Simulator, executable: str, request: Request, nonce: str
) -> tuple[str, ...]:
    """The words that run an examined request in a folder that holds BUNDLE and PROGRAM."""
    assert request.timeout is not None
    address = "" if request.load_address is None else f"{request.load_address:#x}"
    arguments = _arguments(board, simulator, request, address, nonce)
    values = {
        "program": f"./{PROGRAM}",
        "bundle": f"./{BUNDLE}",
        "load_address": address,
        "timeout": str(max(1, round(request.timeout))),
        "arguments": "".join(simulator.argument.format(word) for word in arguments),
    }

    def expand(words: Sequence[str]) -> Iterator[str]:
        for word in words:
            if word == "{arguments...}":
                yield from arguments
            elif word == "{preload...}":
                if preloads(board, request):
                    yield from expand(simulator.preload)
            elif word == "{count...}":
                if request.count_instructions:
                    yield from simulator.count
            else:
                yield word.format(**values)

    return (executable, *expand(simulator.command[1:]))


def _arguments(
    board: Board, simulator: Simulator, request: Request, address: str, nonce: str
) -> list[str]:
    """The runner's arguments; a firmware's are percent-encoded."""
    firmware = board.kind == "firmware"
    words = ["--nonce", nonce]
    if wire := request.wire(simulator):
        words += ["--outputs", wire]
    if request.linked:
        words += ["--linked", "1"]
    elif request.from_file:
        words += ["--file", BUNDLE]
    elif firmware:
        words += ["--at", address, "--size", str(request.bundle.stat().st_size)]
    if request.method is not None:
        words += ["--method", request.method]
    if request.case is not None:
        words += ["--case", str(request.case)]
    words += _tolerances(firmware, (("--rtol", request.rtol), ("--atol", request.atol)))
    if request.count_instructions and firmware:
        words += ["--instruction-ns", str(simulator.instruction_ns)]
    if request.teach:
        words += ["--teach", "1"] if firmware else ["--teach"]
    words += _trace_arguments(request, firmware)
    if request.profile is not None:
        words += ["--profile", str(request.profile)]
    if request.engine is not None and not firmware:
        words += ["--engine", request.engine]
    if request.max_planned_memory is not None:
        words += ["--max-planned-memory", str(request.max_planned_memory)]
    return [_encode(word) for word in words] if firmware else words


def _tolerances(firmware: bool, given: Sequence[tuple[str, float | None]]) -> list[str]:
    words = []
    for name, value in given:
        if value is None:
            continue
        if firmware:  # it cannot parse a decimal number, so it is given the bits of the float64
            words += [name + "-bits", "0x" + struct.pack(">d", value).hex()]
        else:
            words += [name, repr(value)]
    return words


def _trace_arguments(request: Request, firmware: bool) -> list[str]:
    if request.trace is None:
        return []
    words = ["--trace", request.trace] if firmware else [f"--trace={request.trace}"]
    if request.isolate:
        words += ["--isolate", "1"] if firmware else ["--isolate"]
    given = (("--trace-rtol", request.trace_rtol), ("--trace-atol", request.trace_atol))
    words += _tolerances(firmware, given)
    if request.dump is not None:
        words += ["--dump", str(request.dump)]
    return words


def _encode(word: str) -> str:
    """Percent-encoded, as the firmware decodes it (platform/cortex_m/arguments.cpp): but for
    characters to which no option syntax on the way gives a meaning."""
    return quote(os.fsencode(word), safe="/+").replace("~", "%7E")
