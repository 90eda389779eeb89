# SPDX-License-Identifier: BSD-3-Clause
"""What is in a delegate of ExecuTorch's ``EthosUBackend``: its container, the NPU that its command
stream was compiled for, and each operation of the stream. Reads only (docs/ethos-u.md)."""

from __future__ import annotations

from dataclasses import dataclass

from bpte.program.ethosu.container import BACKEND, Binding, Container, read_container
from bpte.program.ethosu.operation import REGIONS, FeatureMap, Operation, operations
from bpte.program.ethosu.stream import CommandStream, Config

__all__ = [
    "BACKEND",
    "REGIONS",
    "Binding",
    "Container",
    "Delegate",
    "FeatureMap",
    "Operation",
    "read_container",
    "read_delegate",
]


@dataclass(frozen=True)
class Delegate:
    """All that is known of a delegate: ``operations`` are those that compute or copy."""

    config: Config
    container: Container
    operations: tuple[Operation, ...]


def read_delegate(data: bytes | memoryview) -> Delegate:
    """Raises ProgramError, which names the block or the command."""
    container = read_container(data)
    stream = CommandStream(container.commands)
    return Delegate(stream.config, container, tuple(operations(stream)))
