# SPDX-License-Identifier: BSD-3-Clause
"""As ``executorch.devtools.bundled_program.config``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from bpte.pack.producer import MethodTestCase as _MethodTestCase
from bpte.pack.producer import MethodTestSuite
from bpte.pack.tensors import PackError, flatten, normalise

__all__ = [
    "ConfigValue",
    "DataContainer",
    "MethodInputType",
    "MethodOutputType",
    "MethodTestCase",
    "MethodTestSuite",
]

ConfigValue = Any
"""A tensor (torch or numpy), int, bool or float."""

MethodInputType = Sequence[ConfigValue]
MethodOutputType = Sequence[ConfigValue]

DataContainer = list | tuple | dict  # type: ignore[type-arg]


class MethodTestCase(_MethodTestCase):
    """Inputs and expected outputs. Everything that torch's pytrees flatten is flattened. A value
    that cannot be bundled raises ``AssertionError`` at once, as there."""

    def __init__(self, inputs: object, expected_outputs: object = None) -> None:
        super().__init__(
            _flatten(inputs), None if expected_outputs is None else _flatten(expected_outputs)
        )
        for value in (*self.inputs, *self.expected_outputs):
            try:
                normalise(value)
            except PackError as error:
                raise AssertionError(str(error)) from None


def _flatten(data: object) -> list[object]:
    pytree = sys.modules.get("torch.utils._pytree")
    return flatten(data) if pytree is None else list(pytree.tree_flatten(data)[0])
