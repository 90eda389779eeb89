# SPDX-License-Identifier: BSD-3-Clause
"""Which cases of a bundle a run is about: by a method, and by a case's index or its name."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpte.bundle import Bundle
    from bpte.suites import TestCase, TestSuite


class SelectionError(ValueError):
    """What was asked for is not in the bundle, or several times; the message says what is."""


class NothingSelectedError(SelectionError):
    """It is not in the bundle."""


@dataclass(frozen=True)
class Selection:
    """What a runner is asked for: one method's suite or all, one case of each of them or all."""

    method: str | None = None
    case: int | None = None

    def selects(self, method: str, case: int) -> bool:
        return self.method in (None, method) and self.case in (None, case)


def selected(
    bundle: Bundle, selection: Selection
) -> Iterator[tuple[int, TestSuite, int, TestCase]]:
    """The cases, each with its suite and the indices of both."""
    for number, suite in enumerate(bundle.suites):
        for index, case in enumerate(suite.test_cases):
            if selection.selects(suite.method_name, index):
                yield number, suite, index, case


def resolve(bundle: Bundle, method: str | None, case: int | str | None) -> Selection:
    """The selection that these arguments mean; a case that is a string is a name, which must be
    that of one case. Raises SelectionError when nothing is selected."""
    methods = [suite.method_name for suite in bundle.suites]
    if method is not None and method not in methods:
        raise NothingSelectedError(f"no method {method!r}; there are: {_list(methods)}")
    if not isinstance(case, str):
        selection = Selection(method, case)
        if case is not None and next(selected(bundle, selection), None) is None:
            raise NothingSelectedError(_no_index(bundle, method, case))
        return selection
    named = [
        (suite.method_name, index, item.name)
        for _, suite, index, item in selected(bundle, Selection(method))
        if item.name
    ]
    found = [(suite, index) for suite, index, name in named if name == case]
    if not found:
        names = [name for _, _, name in named]
        close = difflib.get_close_matches(case, names, n=3) or names
        there = f"there are: {_list(close)}" if names else "no case has a name: give its index"
        raise NothingSelectedError(f"no case is named {case!r}; {there}")
    if len(found) > 1:
        places = _list([f"case {index} of {suite}" for suite, index in found], quoted=False)
        raise SelectionError(f"{case!r} is the name of {places}: give --method, or the index")
    return Selection(*found[0])


def _no_index(bundle: Bundle, method: str | None, case: int) -> str:
    counts = [
        f"{suite.method_name} has {len(suite.test_cases)}"
        for suite in bundle.suites
        if method in (None, suite.method_name)
    ]
    return f"no suite has a case {case} (counted from 0); {_list(counts, quoted=False)}"


def _list(words: list[str], quoted: bool = True) -> str:
    shown = [repr(word) if quoted else word for word in dict.fromkeys(words)]
    more = f" and {len(shown) - 6} more" if len(shown) > 6 else ""
    return (", ".join(shown[:6]) or "none") + more
