# SPDX-License-Identifier: BSD-3-Clause
"""Types of the options that `bpte run` and the pytest plugin share. Imports nothing that takes
time: pytest loads the plugin whatever it runs."""

from __future__ import annotations

import argparse
import math


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
