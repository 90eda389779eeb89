# SPDX-License-Identifier: BSD-3-Clause
"""Converts a bundle into the other format."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from bpte.bundle import Bundle
from bpte.files import access
from bpte.files.transfer import Progress
from bpte.format import layout
from bpte.format.header import BP08, BP09
from bpte.format.layout import Extent
from bpte.format.trace import TraceValue
from bpte.pack.named import NamedFile
from bpte.pack.producer import BundledProgram, MethodTestCase, MethodTestSuite, Saved
from bpte.pack.program_source import FileRun
from bpte.suites import TestCase


def unbundle(bundle: Bundle) -> BundledProgram:
    """A ``BundledProgram`` with the content of this bundle. It reads the bundle's file when it is
    saved, so the bundle must stay open."""

    def plain(case: TestCase) -> MethodTestCase:
        return MethodTestCase(
            [bundle.stored(value) for value in case.info.inputs],
            [bundle.stored(value) for value in case.info.expected_outputs],
            name=case.name,
            tolerances=case.tolerances,
            steps=[plain(step) for step in case.steps],
            carry=case.carries,
            labels=case.labels,
            trace=[
                TraceValue(instruction, output, bundle.stored(value))
                for instruction, output, value in case.stored_trace
            ],
        )

    suites = [
        MethodTestSuite(
            suite.method_name,
            [plain(case) for case in suite.test_cases],
            suite.tolerances,
            suite.metrics,
            suite.traced_method,
        )
        for suite in bundle.suites
    ]
    bundled = base(bundle)
    bundled.method_test_suites = suites
    bundled.budgets = bundle.budgets
    return bundled


def base(bundle: Bundle) -> BundledProgram:
    """The program of this bundle with its named data and metadata, without suites and budgets. It
    reads the bundle's file when it is saved, so the bundle must stay open; a wrong checksum is
    ``BundleError``."""

    def run(extent: Extent, segment: int | None) -> FileRun:
        check = None if segment is None else partial(bundle.check_crc, segment)
        return FileRun(bundle.path, *extent, bundle.file_state, check)

    named = {
        key: NamedFile(
            run(bundle.segment_extent(info.segment), info.segment), info.role, info.file_name
        )
        for key, info in bundle.named_data_info.items()
    }
    program = run(bundle.program_extent, bundle.program_segment)
    return BundledProgram(program, named_data=named, metadata=bundle.metadata)


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    format: str = BP09,
    alignment: int | None = None,
    payload_alignment: int = layout.PAYLOAD_ALIGNMENT,
    drop: bool = False,
    durable: bool = True,
    progress: Callable[[int], Progress] | None = None,
) -> Saved:
    """Writes the bundle ``source`` again in ``format``. Raises ``OSError``, ``BundleError`` when
    ``source`` is malformed, and ``PackError`` for what the format cannot carry (see
    ``BundledProgram.save``). All checksums of ``source`` are verified first."""
    with access.command(), Bundle(source) as bundle:
        bundle.verify()
        return unbundle(bundle).save(
            target,
            format=format,
            alignment=alignment,
            payload_alignment=payload_alignment,
            fit="outputs" if format == BP08 else "skip",
            drop=drop,
            durable=durable,
            progress=progress,
        )
