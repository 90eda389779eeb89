# SPDX-License-Identifier: BSD-3-Clause
"""The options that `bpte run` and the pytest plugin share, and their types. Imports nothing that
takes time: pytest loads the plugin whatever it runs."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bpte.format.budget import Budget
    from bpte.run.request import Request


def tolerance(text: str) -> float:
    value = float(text)
    if not value >= 0 or math.isinf(value):
        raise argparse.ArgumentTypeError(f"not a number >= 0: {text!r}")
    return value


def seconds(text: str) -> float:
    value = tolerance(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"not a number of seconds: {text!r}")
    return value


def case(text: str) -> int | str:
    """A number is a case's index, anything else is its name."""
    try:
        value = int(text)
    except ValueError:
        if not text:
            raise argparse.ArgumentTypeError("a case's index or name is empty") from None
        return text
    if not 0 <= value < 2**32 - 1:
        raise argparse.ArgumentTypeError(f"not a case's index: {text!r}")
    return value


def instruction(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32 - 1:
        raise argparse.ArgumentTypeError(f"not an instruction's index: {text!r}")
    return value


def address(text: str) -> int:
    value = int(text, 0)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"not an address: {text!r}")
    return value


def size(text: str) -> int:
    """Bytes: "2000000", or in units of 1024: "512K", "100M", "8G"."""
    shift = {"K": 10, "M": 20, "G": 30}.get(text[-1:].upper(), 0)
    digits = text[:-1] if shift else text
    if not (digits.isascii() and digits.isdigit()) or int(digits) << shift >= 2**62:
        raise argparse.ArgumentTypeError(f"not a number of bytes, such as 8G: {text!r}")
    return int(digits) << shift


def budgets(text: str) -> tuple[Budget, ...]:
    """Of ``--budget``."""
    from bpte.run import budget_words

    try:
        return budget_words.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def percent(text: str) -> float:
    """``5%`` is 0.05."""
    value = tolerance(text.removesuffix("%")) if text.endswith("%") else -1.0
    if not 0 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"not a percentage, such as 5%: {text!r}")
    return value / 100


#: What says which cases run, where and how: each option with argparse's keywords.
RUN_OPTIONS: dict[str, dict[str, Any]] = {
    "method": {"metavar": "M", "help": "only this method's suite"},
    "case": {
        "type": case,
        "metavar": "C",
        "help": "only this case: its index in each suite, or its name",
    },
    "rtol": {
        "type": tolerance,
        "metavar": "R",
        "help": "relative tolerance, in place of the bundle's",
    },
    "atol": {
        "type": tolerance,
        "metavar": "A",
        "help": "absolute tolerance, in place of the bundle's",
    },
    "teach": {
        "action": "store_true",
        "help": "give each step the inputs that the bundle states, also those that are carried",
    },
    "trace": {
        "nargs": "?",
        "const": "first",
        "choices": ("first", "all", "strict"),
        "metavar": "HOW",
        "help": "hold what instructions give against the bundle's trace, and report the first "
        "wrong one of each case; =all: every one; =strict: with a wrong one the case fails",
    },
    "isolate": {
        "action": "store_true",
        "help": "with --trace: give each instruction right inputs, to judge it by its own error",
    },
    "trace-rtol": {
        "type": tolerance,
        "metavar": "R",
        "help": "relative tolerance of instructions, in place of their dtypes' defaults",
    },
    "trace-atol": {
        "type": tolerance,
        "metavar": "A",
        "help": "absolute tolerance of instructions; default: the dtype's, times the largest "
        "magnitude of the expected value",
    },
    "dump": {
        "type": instruction,
        "metavar": "K",
        "help": "with --trace: fetch the values of instruction K, too",
    },
    "profile": {
        "type": int,
        "nargs": "?",
        "const": 10,
        "metavar": "N",
        "help": "also execute each case N times (default: 10) for the times of its instructions",
    },
    "count-instructions": {
        "action": "store_true",
        "help": "let an emulator count instructions instead of time: the same in every run",
    },
    "board": {"default": "host", "metavar": "NAME", "help": "where to run; default: host"},
    "simulator": {"metavar": "S", "help": "qemu, fvp, ...; default: the first one installed"},
    "timeout": {"type": seconds, "metavar": "S", "help": "in seconds; default: the board's"},
    "elf": {"type": Path, "metavar": "E", "help": "a ready-built firmware or runner"},
    "engine": {"metavar": "E", "help": "executorch or reference"},
    "operators-from": {
        "type": Path,
        "action": "append",
        "default": [],
        "metavar": "PTE",
        "help": "build the firmware with this program's operators only; may be repeated",
    },
    "npu": {
        "choices": ("model",),
        "help": "model: build the functional model of the Ethos-U into the firmware, for a board "
        "without that NPU",
    },
    "from-file": {
        "action": "store_true",
        "help": "a firmware reads the bundle case by case (semihosting) instead of in memory",
    },
    "linked": {
        "action": "store_true",
        "help": "the firmware has the bundle linked in; FILE is what it must be",
    },
    "trust-target": {
        "action": "store_true",
        "help": "accept a target that cannot read its arguments or checks no checksums",
    },
    "load-address": {"type": address, "metavar": "A", "help": "in place of the board's"},
    "max-planned-memory": {
        "type": size,
        "metavar": "SIZE",
        "help": "what a program's memory plan may take, such as 8G; default: 4G",
    },
}


def request(bundle: Path, option: Callable[[str], Any]) -> Request:
    """The request that RUN_OPTIONS make of a bundle; `option` gives the value of one of them, by
    its name with underscores."""
    from bpte.run.request import Request

    values = {name: option(name) for name in (key.replace("-", "_") for key in RUN_OPTIONS)}
    values["program"] = values.pop("elf")
    values["operators_from"] = tuple(values["operators_from"])
    return Request(bundle, **values)
