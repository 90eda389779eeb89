# SPDX-License-Identifier: BSD-3-Clause
"""Bundled ExecuTorch programs: produce, check, convert, inspect and run ``.bpte`` files."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as type checkers know it; importing typing takes longer than all else here

__version__ = "0.1.0"

if TYPE_CHECKING:
    from bpte.bundle import Bundle
    from bpte.bundle import open_bundle as open
    from bpte.format.metadata import Segment, Tensor
    from bpte.format.rules import BundleError, Place, Rule
    from bpte.format.scalar_type import ScalarType
    from bpte.format.tolerance import NanPolicy, Tolerance
    from bpte.pack.producer import BundledProgram, MethodTestCase, MethodTestSuite, Saved
    from bpte.pack.tensors import PackError, TensorData

# Name -> (module, name there). Imported when first asked for: start-up stays cheap.
_HOME = {
    "Bundle": ("bpte.bundle", "Bundle"),
    "BundleError": ("bpte.format.rules", "BundleError"),
    "BundledProgram": ("bpte.pack.producer", "BundledProgram"),
    "MethodTestCase": ("bpte.pack.producer", "MethodTestCase"),
    "MethodTestSuite": ("bpte.pack.producer", "MethodTestSuite"),
    "NanPolicy": ("bpte.format.tolerance", "NanPolicy"),
    "PackError": ("bpte.pack.tensors", "PackError"),
    "Place": ("bpte.format.rules", "Place"),
    "Rule": ("bpte.format.rules", "Rule"),
    "Saved": ("bpte.pack.producer", "Saved"),
    "ScalarType": ("bpte.format.scalar_type", "ScalarType"),
    "Segment": ("bpte.format.metadata", "Segment"),
    "Tensor": ("bpte.format.metadata", "Tensor"),
    "TensorData": ("bpte.pack.tensors", "TensorData"),
    "Tolerance": ("bpte.format.tolerance", "Tolerance"),
    "open": ("bpte.bundle", "open_bundle"),
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
