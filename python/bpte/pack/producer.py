# SPDX-License-Identifier: BSD-3-Clause
"""Makes bundled programs: the names and signatures of ``executorch.devtools``, and more for what
the format adds. Writing a program neither parses it nor holds it in memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bpte.files import access
from bpte.files.atomic import AtomicFile
from bpte.files.transfer import Progress
from bpte.format import header, layout
from bpte.format.budget import Budget
from bpte.pack import named
from bpte.pack.bp08 import Bp08Writer, dropped
from bpte.pack.bp09 import Bp09Writer
from bpte.pack.cases import (
    MethodTestCase,
    MethodTestSuite,
    checked_strings,
)
from bpte.pack.normalise import checked_budgets, normalise_suites, settled
from bpte.pack.program_source import ProgramSource, program_source
from bpte.pack.tensors import PackError

__all__ = ["BundledProgram", "MethodTestCase", "MethodTestSuite", "Saved"]


class Saved(NamedTuple):
    """What was written."""

    path: Path
    format: str
    file_size: int
    program_size: int
    program_offset: int
    notes: list[str]
    """What the person who packed should know: a check that could not be made, what was dropped."""


class BundledProgram:
    """A program, and the test suites that say what it must compute.

    ``executorch_program``: a path, bytes, or an ``ExecutorchProgramManager``; or give a path as
    ``pte_file_path``. ``named_data``: further bytes (or paths) by key. ``metadata``: texts by key,
    such as ``{"model": "resnet50"}``. ``budgets``: how much a run may use. ``weights``: the
    program's data files (``.ptd``), bytes or paths by their file names. ``graphs``: what delegates
    were made from, by key. The external constants of an ``ExecutorchProgramManager`` go along as
    weights without being named.
    """

    def __init__(
        self,
        executorch_program: object = None,
        method_test_suites: Sequence[MethodTestSuite] = (),
        pte_file_path: str | os.PathLike[str] | None = None,
        *,
        named_data: Mapping[str, object] | None = None,
        metadata: Mapping[str, str] | None = None,
        budgets: Sequence[Budget] = (),
        weights: Mapping[str, object] | None = None,
        graphs: Mapping[str, object] | None = None,
    ) -> None:
        if (executorch_program is None) == (pte_file_path is None):
            raise PackError("give either executorch_program or pte_file_path, and only one")
        self.program: object = pte_file_path if executorch_program is None else executorch_program
        self.method_test_suites = list(method_test_suites)
        self.named_data = dict(named_data or {})
        self.metadata = dict(metadata or {})
        self.budgets = list(budgets)
        self.weights = dict(weights or {})
        self.graphs = dict(graphs or {})

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        format: str = header.BP09,
        alignment: int | None = None,
        payload_alignment: int = layout.PAYLOAD_ALIGNMENT,
        fit: str = "strict",
        drop: bool = False,
        durable: bool = True,
        progress: Callable[[int], Progress] | None = None,
    ) -> Saved:
        """Writes the bundle; ``path`` is replaced at once or, when anything fails, left as it was.

        ``alignment`` of the program in the file: a power of two of at least 128; by default 4096
        for a program of 1 MiB or more, else 128. ``payload_alignment`` of the tensors: a power of
        two of at least 16. Neither is above 2 MiB. ``format`` ``"bp08"`` is what ExecuTorch 1.x
        reads; what it cannot carry is refused, or left out and noted with ``drop``. Suites, named
        data and metadata are written in the order of their keys.

        ``fit``: how the suites are held against the program's methods. ``"strict"``: all must fit.
        What is not an ExecuTorch program at all is packed with a note.
        ``"relayout"``: likewise, and tensors are brought into the memory order that the program
        has. ``"outputs"``: refuses nothing, and brings expected outputs into that order where the
        program can be inspected. ``"skip"``: the program is not looked at, and may be anything. In
        BP08, which is compared stride by stride, expected outputs are always brought into the
        program's order, but for ``"skip"``.

        ``durable=False`` does not wait for the disk before the file is replaced. ``progress`` is
        called with the total number of bytes and gives back what is called with each step's.

        Raises ``PackError``, ``OSError``, ``TypeError``.
        """
        with access.command():
            output = AtomicFile(path, durable=durable)
            with (
                self._writer(format, alignment, payload_alignment, fit, drop) as writer,
                output,
            ):
                file_size, program_offset = writer.write(output.fd, progress)
                access.check_unchanged()
                output.commit()
        return Saved(
            Path(path), format, file_size, writer.program.size, program_offset, writer.notes
        )

    def to_bytes(
        self,
        *,
        format: str = header.BP09,
        alignment: int | None = None,
        payload_alignment: int = layout.PAYLOAD_ALIGNMENT,
        fit: str = "strict",
        drop: bool = False,
    ) -> bytes:
        """The bundle in memory, for small bundles. See ``save``."""
        import tempfile

        with (
            access.command(),
            self._writer(format, alignment, payload_alignment, fit, drop) as writer,
            tempfile.TemporaryFile() as file,
        ):
            writer.write(file.fileno(), None)
            access.check_unchanged()
            return file.read()

    def check(
        self, *, format: str = header.BP09, fit: str = "strict", drop: bool = False
    ) -> list[str]:
        """Raises what ``save`` would raise before it writes. Returns the notes of ``save``."""
        with self._writer(format, None, layout.PAYLOAD_ALIGNMENT, fit, drop) as writer:
            return writer.notes

    @contextlib.contextmanager
    def _writer(
        self,
        format: str,
        alignment: int | None,
        payload_alignment: int,
        fit: str,
        drop: bool,
    ) -> Iterator[Bp08Writer | Bp09Writer]:
        """What writes this bundle, after validation. Raises ``PackError``."""
        from bpte.pack import fit as fitting  # loads bpte.program, which is large

        if format not in header.FORMATS:
            raise PackError(f"unknown format {format!r}, there are {', '.join(header.FORMATS)}")
        _check_alignment("alignment", alignment, layout.MIN_PROGRAM_ALIGNMENT)
        _check_alignment("payload_alignment", payload_alignment, layout.PAYLOAD_ALIGNMENT)
        with contextlib.ExitStack() as sources:
            program = program_source(self.program)
            sources.callback(program.close)
            # Sorted keys, and their segments likewise, so that a bundle that is read and written
            # again is the same file.
            extra: dict[str, tuple[named.NamedFile, ProgramSource]] = {}
            constants = named.external_constants(self.program)
            if constants and format == header.BP08:
                raise PackError(
                    f"the {program.name} has external constants in {', '.join(constants)}, without "
                    "which it does not run, and BP08 cannot carry them: write BP09, or export it "
                    "without external_constants"
                )
            files = named.gather(self.named_data, constants | self.weights, self.graphs)
            for key, file in files.items():
                source = named.source(file)
                sources.callback(source.close)
                extra[key] = file, source
            if program.size == 0:
                raise PackError(f"{program.name} is empty")
            suites = normalise_suites(self.method_test_suites)
            strings = checked_strings(self.metadata)
            budgets = checked_budgets(self.budgets, suites)
            weights = {key: source for key, (file, source) in extra.items() if file.is_weights}
            suites, notes = fitting.fit(
                program, suites, weights, fit, outputs=format == header.BP08
            )
            if format == header.BP08:
                notes += dropped(suites, files, self.metadata, budgets, drop)
                yield Bp08Writer(suites, program, notes, alignment)
            else:
                yield Bp09Writer(
                    settled(suites),
                    program,
                    notes,
                    extra,
                    strings,
                    budgets,
                    alignment,
                    payload_alignment,
                )


def _check_alignment(name: str, value: int | None, least: int) -> None:
    most = layout.MAX_BASE_ALIGNMENT
    if value is not None and not (layout.is_power_of_two(value) and least <= value <= most):
        raise PackError(f"{name} must be a power of two from {least} to {most}: {value}")
