# SPDX-License-Identifier: BSD-3-Clause
"""The error of results that cannot be read."""

from bpte.text import printable


class ResultsError(ValueError):
    """A file of results is not what it says; the message names it, fit for a terminal."""

    def __str__(self) -> str:
        return printable(super().__str__())
