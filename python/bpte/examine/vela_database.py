# SPDX-License-Identifier: BSD-3-Clause
"""What Vela tells of its own work: which operation of a command stream gives which tensor of the
graph that it compiled (``--enable-debug-db``)."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from bpte.pack.tensors import PackError

_TABLE = re.compile(r'<table name="([^"]*)">\s*<!\[CDATA\[(.*?)\]\]>\s*</table>', re.S)

Tables = Mapping[str, Sequence[Mapping[str, str]]]
"""Rows by the names of their columns, by the names of the tables."""


def read_tables(text: str) -> Tables:
    """Those of the file ``NAME_debug.xml``. Raises ``PackError``."""
    try:
        return {
            name: list(csv.DictReader(content.strip().splitlines()))
            for name, content in _TABLE.findall(text)
        }
    except csv.Error as error:
        raise PackError(f"this is not a debug database of Vela: {error}") from error


def stated_ofms(tables: Tables) -> dict[int, str]:
    """The name of each operation's OFM, by the place of the operation in the NPU's stream, in
    bytes. Some are names of Vela's own. Left out are places that the tables name twice: Vela counts
    an operation that comes to nothing where the next one begins. Raises ``PackError`` where the
    tables do not say."""
    try:
        names = {row["id"]: row["name"] for row in tables["perf"]}
        rows = [(int(row["offset"]), names[row["scheduled_id"]]) for row in tables["queue"]]
    except (KeyError, TypeError, ValueError) as error:
        raise PackError(f"this is not a debug database of Vela: {error!r}") from error
    uses = Counter(offset for offset, _ in rows)
    return {offset: name for offset, name in rows if uses[offset] == 1}
