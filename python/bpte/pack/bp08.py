# SPDX-License-Identifier: BSD-3-Clause
"""The writer of BP08 files, which ExecuTorch 1.x reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from bpte.files import transfer
from bpte.files.transfer import Progress
from bpte.format import encode, layout, metadata
from bpte.format.budget import Budget
from bpte.format.metadata import Case, Suite, Tensor
from bpte.format.tensor_data import TensorData
from bpte.pack.cases import PackedSuite, PackedValue
from bpte.pack.program_source import ProgramSource
from bpte.pack.tensors import PackError, write_tensor


def dropped(
    suites: list[PackedSuite],
    named_data: Iterable[str],
    strings: Iterable[str],
    budgets: list[Budget],
    drop: bool,
) -> list[str]:
    """What BP08 cannot carry. Raises ``PackError`` when there is any that must not be dropped."""
    lost = []
    for suite in suites:
        method = f"method {suite.method_name!r}"
        if suite.tolerances:
            lost.append(f"the tolerances of {method}")
        lost += [f"the metric {metric.kind.name.lower()} of {method}" for metric in suite.metrics]
        if suite.traced_method:
            lost.append(f"the traced instructions of {method}")
        for number, case in enumerate(suite.test_cases):
            where = f"{method}, case {number}"
            if case.steps:
                lost.append(f"{where}, which has steps, and what it holds")
                continue
            if case.name:
                lost.append(f"the name {case.name!r} of {where}")
            if case.tolerances:
                lost.append(f"the tolerances of {where}")
            if case.labels:
                lost.append(f"the labels of {where}")
            if case.trace:
                lost.append(f"the trace of {where}")
    lost += [f"the budget of {budget.resource.name.lower()}" for budget in budgets]
    lost += [f"the named data {key!r}" for key in named_data]
    # The producer's name is ours, not the caller's: dropping it needs no permission.
    lost += [f"the metadata {key!r}" for key in strings if key != "producer"]
    if lost and not drop:
        raise PackError(
            f"BP08 cannot carry {'; '.join(lost)}. Ask for them to be dropped, or write BP09"
        )
    return [f"BP08 cannot carry {what}: dropped" for what in lost]


class Bp08Writer:
    """Writes a BP08 file: a FlatBuffer whose large vectors come last, and the program as the last
    of these, so that it can be streamed like BP09."""

    def __init__(
        self,
        suites: list[PackedSuite],
        program: ProgramSource,
        notes: list[str],
        alignment: int | None,
    ) -> None:
        self.program = program
        self.notes = notes
        self.tensors: list[TensorData] = []
        if len(suites) > layout.MAX_SUITES_BP08:
            raise PackError(
                f"BP08 holds at most {layout.MAX_SUITES_BP08} suites, these are {len(suites)}: "
                "write BP09"
            )
        plain = [
            Suite(
                suite.method_name,
                [
                    Case(
                        "",
                        [self._stored(value) for value in case.inputs],
                        [self._stored(value) for value in case.expected_outputs],
                        [],
                        None,
                    )
                    for case in suite.test_cases
                    if not case.steps
                ],
                [],
            )
            for suite in suites
        ]
        self.encoded = encode.encode_bp08(
            plain, program.size, alignment or layout.program_alignment(program.size)
        )
        if self.encoded.file_size > layout.MAX_FLATBUFFER:
            raise PackError(
                f"BP08 ends at 2 GiB, this bundle would take {self.encoded.file_size} bytes: "
                "write BP09"
            )

    def _stored(self, value: PackedValue) -> metadata.Value:
        if not isinstance(value, TensorData):
            return value
        self.tensors.append(value)
        return Tensor(int(value.scalar_type), value.sizes, value.dim_order, None, 0, value.size)

    def write(self, fd: int, progress: Callable[[int], Progress] | None) -> tuple[int, int]:
        """Gives the file's size and the program's offset."""
        encoded = self.encoded
        sizes = [extent.size for extent in (*encoded.payloads, encoded.program)]
        step = progress(sum(sizes)) if progress else None
        os.ftruncate(fd, encoded.file_size)
        transfer.write_all(fd, encoded.structure, 0)
        for at, length in encoded.lengths:
            transfer.write_all(fd, length.to_bytes(4, "little"), at)
        for tensor, extent in zip(self.tensors, encoded.payloads, strict=True):
            write_tensor(fd, extent, tensor, step, 0)
        self.program.copy_to(fd, encoded.program.offset, step, checksum=False)
        return encoded.file_size, encoded.program.offset
