# SPDX-License-Identifier: BSD-3-Clause
"""Whether suites fit the program that they are bundled with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpte.producer import PackedSuite
    from bpte.program_source import ProgramSource


def fit(
    program: ProgramSource, suites: list[PackedSuite], mode: str
) -> tuple[list[PackedSuite], list[str]]:
    """Gives the suites, in the program's memory order when ``mode`` says so, and notes."""
    return suites, []
