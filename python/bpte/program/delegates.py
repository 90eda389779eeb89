# SPDX-License-Identifier: BSD-3-Clause
"""What is in a program's delegates, as far as it is known: those of an Ethos-U."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bpte.program import DelegateInfo, ProgramError, inspect
from bpte.program.ethosu import BACKEND, REGIONS, Delegate, FeatureMap, Operation, read_delegate
from bpte.program.pte_file import PROBE_SIZE, program_size

#: Gives bytes of a program: where they begin, and how many.
Read = Callable[[int, int], bytes]


def describe(read: Read, size: int) -> list[dict[str, Any]]:
    """Each delegate of a program of `size` bytes, in the order of its methods: `method`, `index`
    within it, `id`, `size` and, of an Ethos-U, `ethosu`, or `error` where it cannot be read.

    Raises ProgramError for what is not a well-formed program.
    """
    first = read(0, min(PROBE_SIZE, size))
    info = inspect(read(0, program_size(first, size)), file_size=size)
    return [
        {
            "method": method.name,
            "index": index,
            "id": delegate.id,
            "size": delegate.size,
            **_contents(delegate, read),
        }
        for method in info.methods
        for index, delegate in enumerate(method.delegates)
    ]


def _contents(delegate: DelegateInfo, read: Read) -> dict[str, Any]:
    if delegate.id != BACKEND:
        return {}
    try:
        return {"ethosu": _ethosu(read_delegate(read(delegate.offset, delegate.size)))}
    except ProgramError as error:
        return {"error": str(error)}


def _ethosu(delegate: Delegate) -> dict[str, Any]:
    operations, container = delegate.operations, delegate.container
    return {
        "npu": delegate.config.name,
        "macs_per_cycle": delegate.config.macs,
        "cores": delegate.config.cores,
        "scratch_bytes": container.scratch_size,
        "weight_data_bytes": len(container.weights),
        "inputs": [vars(binding) for binding in container.inputs],
        "outputs": [vars(binding) for binding in container.outputs],
        "macs": sum(operation.macs for operation in operations),
        "weights": sum(operation.weights for operation in operations),
        "compressed_weights": sum(operation.compressed_weights for operation in operations),
        "read": _traffic([operation.read for operation in operations]),
        "written": _traffic([operation.written for operation in operations]),
        "operations": [_operation(operation) for operation in operations],
    }


def _traffic(counted: list[list[int]]) -> dict[str, int]:
    """Bytes by region, of all operations."""
    return {
        name: sum(bytes_of[region] for bytes_of in counted) for region, name in enumerate(REGIONS)
    }


def _operation(operation: Operation) -> dict[str, Any]:
    maps = (operation.ifm, operation.ifm2, operation.ofm)
    return {
        **vars(operation),
        "block": list(operation.block),
        **{name: _map(found) for name, found in zip(("ifm", "ifm2", "ofm"), maps, strict=True)},
        "read": _traffic([operation.read]),
        "written": _traffic([operation.written]),
    }


def _map(found: FeatureMap | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "shape": [found.height, found.width, found.depth],
        "dtype": found.dtype,
        "format": found.format,
        "place": found.place,
        "region": found.region,
        "address": found.address,
        "zero_point": found.zero_point,
    }
