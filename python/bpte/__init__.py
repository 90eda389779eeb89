# SPDX-License-Identifier: BSD-3-Clause
"""Bundled ExecuTorch programs: produce, check, convert, inspect and run ``.bpte`` files."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from bpte.metadata import Segment, Tensor
    from bpte.producer import BundledProgram, MethodTestCase, MethodTestSuite, Saved
    from bpte.reader import Bundle
    from bpte.reader import open_bundle as open
    from bpte.rules import BundleError, Place, Rule
    from bpte.scalar_type import ScalarType
    from bpte.tolerance import NanPolicy, Tolerance
    from bpte.values import PackError, TensorData

# Name -> (module, name there). Imported when first asked for: start-up stays cheap.
_HOME = {
    "Bundle": ("bpte.reader", "Bundle"),
    "BundleError": ("bpte.rules", "BundleError"),
    "BundledProgram": ("bpte.producer", "BundledProgram"),
    "MethodTestCase": ("bpte.producer", "MethodTestCase"),
    "MethodTestSuite": ("bpte.producer", "MethodTestSuite"),
    "NanPolicy": ("bpte.tolerance", "NanPolicy"),
    "PackError": ("bpte.values", "PackError"),
    "Place": ("bpte.rules", "Place"),
    "Rule": ("bpte.rules", "Rule"),
    "Saved": ("bpte.producer", "Saved"),
    "ScalarType": ("bpte.scalar_type", "ScalarType"),
    "Segment": ("bpte.metadata", "Segment"),
    "Tensor": ("bpte.metadata", "Tensor"),
    "TensorData": ("bpte.values", "TensorData"),
    "Tolerance": ("bpte.tolerance", "Tolerance"),
    "open": ("bpte.reader", "open_bundle"),
}

__all__ = [
    "Bundle",
    "BundleError",
    "BundledProgram",
    "MethodTestCase",
    "MethodTestSuite",
    "NanPolicy",
    "PackError",
    "Place",
    "Rule",
    "Saved",
    "ScalarType",
    "Segment",
    "Tensor",
    "TensorData",
    "Tolerance",
    "__version__",
    "open",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'bpte' has no attribute {name!r}")
    value: object = getattr(import_module(home[0]), home[1])
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
