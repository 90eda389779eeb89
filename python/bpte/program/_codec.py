# SPDX-License-Identifier: BSD-3-Clause
"""Objects to FlatBuffer bytes and back, by the fastest path there is."""

from __future__ import annotations

from typing import Any

from bpte.program import _reader
from bpte.program._bind import Binding


def decode(
    binding: Binding, data: memoryview, *, views: bool = False, allow_unknown: bool = False
) -> tuple[Any, bool]:
    """See ``_reader.decode``."""
    return _reader.decode(binding, data, views=views, allow_unknown=allow_unknown)
