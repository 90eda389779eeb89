# SPDX-License-Identifier: BSD-3-Clause
"""Bundled programs as they are made: the names and shapes of ``executorch.devtools``, plus what the
format adds. Nothing of a program is held in memory or parsed to be written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from bpte.files import transfer
from bpte.files.atomic import AtomicFile
from bpte.files.checksum import crc32
from bpte.files.transfer import Progress
from bpte.format import encode, header, layout, metadata
from bpte.format.metadata import Case, Segment, Suite, Tensor
from bpte.format.rules import Place
from bpte.format.tolerance import Tolerance
from bpte.pack.program_source import ProgramSource, program_source
from bpte.pack.tensors import PackError, TensorData, flatten, normalise

Tolerances = Tolerance | Sequence[Tolerance] | None


class MethodTestCase:
    """One run of a method: its inputs and, if the results are to be judged, the expected outputs.

    Tensors may be numpy arrays or torch tensors of any memory layout; scalars int, float or bool.
    Nested lists, tuples and dicts are flattened. ``tolerances``: one for all outputs or one per
    expected output; ``None`` inherits the suite's.
    """

    def __init__(
        self,
        inputs: object,
        expected_outputs: object = None,
        *,
        name: str = "",
        tolerances: Tolerances = None,
    ) -> None:
        self.inputs: list[object] = flatten(inputs)
        self.expected_outputs: list[object] = (
            [] if expected_outputs is None else flatten(expected_outputs)
        )
        self.name = name
        self.tolerances = tolerances


@dataclass
class MethodTestSuite:
    """All test cases of one method, and the tolerances of those that state none."""

    method_name: str
    test_cases: Sequence[MethodTestCase] = field(default_factory=list)
    tolerances: Tolerances = None


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
    """A program and the test suites that say what it must compute.

    ``executorch_program``: a path, bytes, or an ``ExecutorchProgramManager``; or give a path as
    ``pte_file_path``. ``named_data``: further bytes (or paths) by key. ``metadata``: texts by key,
    such as ``{"model": "resnet50"}``.
    """

    def __init__(
        self,
        executorch_program: object = None,
        method_test_suites: Sequence[MethodTestSuite] = (),
        pte_file_path: str | os.PathLike[str] | None = None,
        *,
        named_data: Mapping[str, object] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        if (executorch_program is None) == (pte_file_path is None):
            raise PackError("give either executorch_program or pte_file_path, and only one")
        self.program: object = pte_file_path if executorch_program is None else executorch_program
        self.method_test_suites = list(method_test_suites)
        self.named_data = dict(named_data or {})
        self.metadata = dict(metadata or {})

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

        ``fit``: how the suites are held against the program's methods, where it can be inspected:
        ``"strict"``; ``"relayout"``, which brings tensors into the memory order that the program
        wants; or ``"skip"``.

        ``durable=False`` does not wait for the disk before the file is replaced. ``progress`` is
        called with the total number of bytes and gives back what is called with each step's.

        Raises ``PackError``, ``OSError``, ``TypeError``.
        """
        output = AtomicFile(path, durable=durable)
        with (
            self._writer(
                format, alignment, payload_alignment, fit, drop, output.refuse_if_same
            ) as writer,
            output,
        ):
            file_size, program_offset = writer.write(output.fd, progress)
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
        """The bundle in memory: for small ones. See ``save``."""
        import tempfile

        with (
            self._writer(format, alignment, payload_alignment, fit, drop) as writer,
            tempfile.TemporaryFile() as file,
        ):
            writer.write(file.fileno(), None)
            return file.read()

    def check(
        self, *, format: str = header.BP09, fit: str = "strict", drop: bool = False
    ) -> list[str]:
        """All that ``save`` would refuse before it writes; gives its notes."""
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
        refuse_if_same: Callable[[os.stat_result, str], None] | None = None,
    ) -> Iterator[_Bp08 | _Bp09]:
        """What writes this bundle, when all that can be said against it has been looked at."""
        from bpte.pack import fit as fitting

        if format not in header.FORMATS:
            raise PackError(f"unknown format {format!r}, there are {', '.join(header.FORMATS)}")
        _check_alignment("alignment", alignment, layout.MIN_PROGRAM_ALIGNMENT)
        _check_alignment("payload_alignment", payload_alignment, layout.PAYLOAD_ALIGNMENT)
        with contextlib.ExitStack() as sources:
            program = program_source(self.program)
            sources.callback(program.close)
            extra: dict[str, ProgramSource] = {}
            # Suites and keys in their order, whatever that given, and segments in theirs: what is
            # read and written again gives the same file.
            for key, data in sorted(self.named_data.items(), key=lambda item: str(item[0])):
                source = extra[_text("a key of named data", key)] = program_source(data)
                sources.callback(source.close)
            if program.size == 0:
                raise PackError(f"{program.name} is empty")
            for source in (program, *extra.values()):
                if refuse_if_same and (status := source.status()) is not None:
                    refuse_if_same(status, source.name)
            suites = _normalise(self.method_test_suites)
            strings = _strings(self.metadata)
            suites, notes = fitting.fit(program, suites, fit)
            if format == header.BP08:
                notes += _dropped(suites, self.named_data, self.metadata, drop)
                yield _Bp08(suites, program, notes, alignment)
            else:
                yield _Bp09(suites, program, notes, extra, strings, alignment, payload_alignment)


class PackedCase(NamedTuple):
    """A case whose values have been looked at."""

    name: str
    inputs: list[TensorData | int | float | bool]
    expected_outputs: list[TensorData | int | float | bool]
    tolerances: list[Tolerance]


class PackedSuite(NamedTuple):
    method_name: str
    test_cases: list[PackedCase]
    tolerances: list[Tolerance]


def _check_alignment(name: str, value: int | None, least: int) -> None:
    most = layout.MAX_BASE_ALIGNMENT
    if value is not None and not (layout.is_power_of_two(value) and least <= value <= most):
        raise PackError(f"{name} must be a power of two from {least} to {most}: {value}")


def _text(what: str, text: object, *, empty: bool = False) -> str:
    if not isinstance(text, str):
        raise PackError(f"{what} must be a text, not {type(text).__name__}")
    if not text and not empty:
        raise PackError(f"{what} must not be empty")
    if "\0" in text:
        raise PackError(f"{what} must not hold a NUL: {text!r}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise PackError(f"{what} cannot be written as UTF-8: {text!r}") from None
    return text


def _strings(given: Mapping[str, str]) -> dict[str, str]:
    from bpte import __version__

    strings = {"producer": f"bpte {__version__}"}
    for key, value in given.items():
        strings[_text("a key of the metadata", key)] = _text(
            f"the metadata's {key!r}", value, empty=True
        )
    return dict(sorted(strings.items()))


def _tolerances(given: Tolerances) -> list[Tolerance]:
    tolerances = [given] if isinstance(given, Tolerance) else list(given or ())
    for tolerance in tolerances:
        if not isinstance(tolerance, Tolerance):
            raise PackError(f"a tolerance must be a Tolerance, not {type(tolerance).__name__}")
    return tolerances


def _normalise(suites: Sequence[MethodTestSuite]) -> list[PackedSuite]:
    packed: list[PackedSuite] = []
    methods: set[str] = set()
    for suite in suites:
        method = _text("a suite's method_name", suite.method_name)
        if method in methods:
            raise PackError("there are two suites for it", method=method)
        methods.add(method)
        inherited = _tolerances(suite.tolerances)
        cases = [
            _normalise_case(method, number, case, inherited)
            for number, case in enumerate(suite.test_cases)
        ]
        packed.append(PackedSuite(method, cases, inherited))
    return sorted(packed, key=lambda suite: suite.method_name)


def _normalise_case(
    method: str, number: int, case: MethodTestCase, inherited: list[Tolerance]
) -> PackedCase:
    place = Place(case=number)
    sides: list[list[TensorData | int | float | bool]] = []
    for side, given in (("input", case.inputs), ("output", case.expected_outputs)):
        values = []
        for index, value in enumerate(given):
            try:
                values.append(normalise(value))
            except PackError as error:
                raise error.at(method, place._replace(**{side: index})) from None
        sides.append(values)
    try:
        tolerances = _tolerances(case.tolerances)
        name = _text("the case's name", case.name, empty=True)
    except PackError as error:
        raise error.at(method, place) from None
    count = len(tolerances) or len(inherited)
    if count not in (0, 1, len(sides[1])):
        raise PackError(
            f"{count} tolerances for {len(sides[1])} expected outputs: give one, or one for each",
            method=method,
            place=place,
        )
    return PackedCase(name, sides[0], sides[1], tolerances)


class _CaseSegment(NamedTuple):
    """The distinct payloads of a case, and where each lies in its segment."""

    tensors: list[TensorData]
    extents: list[layout.Extent]
    size: int


_FIRST_CASE_SEGMENT = 1
"""The program is segment 0, the cases' come next, named data last."""


class _Bp09:
    """Writes a BP09 file: segments first, at offsets that are known before any of them is read,
    then, when their checksums are known, what lies in front of them."""

    def __init__(
        self,
        suites: list[PackedSuite],
        program: ProgramSource,
        notes: list[str],
        extra: dict[str, ProgramSource],
        strings: dict[str, str],
        alignment: int | None,
        payload_alignment: int,
    ) -> None:
        self.program = program
        self.notes = notes
        self.extra = extra
        program_alignment = alignment or layout.program_alignment(program.size)
        wanted = [(program.size, program_alignment)]
        self.cases: list[_CaseSegment] = []
        self._alike: dict[object, list[int]] = {}  # what cases begin with -> their segments
        plain = []
        for suite in suites:
            plain_cases = [
                self._place_case(case, wanted, payload_alignment) for case in suite.test_cases
            ]
            plain.append(Suite(suite.method_name, plain_cases, suite.tolerances))
        named = {}
        for key, source in extra.items():
            named[key] = len(wanted)
            wanted.append((source.size, payload_alignment))
        blank = [Segment(0, size, alignment, 0) for size, alignment in wanted]
        self.encoded = encode.encode(plain, blank, 0, named, strings)
        self.alignments = [alignment for _, alignment in wanted]
        self.plan = layout.plan(len(self.encoded.buffer), wanted)
        if self.plan.metadata_size > layout.MAX_FLATBUFFER:
            raise PackError(f"the metadata takes {self.plan.metadata_size} bytes, 2 GiB at most")

    def _place_case(self, case: PackedCase, wanted: list[tuple[int, int]], alignment: int) -> Case:
        tensors: list[TensorData] = []
        where: dict[int, int] = {}  # id of the value -> index among the distinct ones
        for value in (*case.inputs, *case.expected_outputs):
            if isinstance(value, TensorData):
                twin = next((i for i, t in enumerate(tensors) if t.same_bytes(value)), None)
                if twin is None:
                    twin = len(tensors)
                    tensors.append(value)
                where[id(value)] = twin
        if not where:
            sides: list[list[metadata.Value]] = [
                [value for value in side if not isinstance(value, TensorData)]
                for side in (case.inputs, case.expected_outputs)
            ]
            return Case(case.name, sides[0], sides[1], case.tolerances, None)
        extents, size = layout.pack_extents((tensor.size, alignment) for tensor in tensors)
        number = self._segment_with(tensors)
        if number is None:
            number = len(wanted)
            wanted.append((size, alignment))
            self.cases.append(_CaseSegment(tensors, extents, size))

        def stored(value: TensorData | int | float | bool) -> metadata.Value:
            if not isinstance(value, TensorData):
                return value
            extent = extents[where[id(value)]]
            return Tensor(
                int(value.scalar_type),
                value.sizes,
                value.dim_order,
                number,
                extent.offset,
                extent.size,
            )

        return Case(
            case.name,
            [stored(value) for value in case.inputs],
            [stored(value) for value in case.expected_outputs],
            case.tolerances,
            number,
        )

    def _segment_with(self, tensors: list[TensorData]) -> int | None:
        """The segment of an earlier case with the very same payloads.

        Only cases that begin alike are compared byte by byte: there may be many of one size.
        """
        begins = tuple((tensor.size, tensor.beginning()) for tensor in tensors)
        alike = self._alike.setdefault(begins, [])
        for number in alike:
            earlier = self.cases[number - _FIRST_CASE_SEGMENT].tensors
            if all(map(TensorData.same_bytes, tensors, earlier)):
                return number
        alike.append(_FIRST_CASE_SEGMENT + len(self.cases))
        return None

    def write(self, fd: int, progress: Callable[[int], Progress] | None) -> tuple[int, int]:
        """Gives the file's size and the program's offset."""
        plan = self.plan
        moved = self.program.size + sum(source.size for source in self.extra.values())
        moved += sum(tensor.size for case in self.cases for tensor in case.tensors)
        step = progress(moved) if progress else None
        os.ftruncate(fd, plan.file_size)  # what is not written is a hole: zeros
        base = plan.segment_base_offset
        crcs = [self.program.copy_to(fd, base + plan.segments[0].offset, step)]
        for case, extent in zip(self.cases, plan.segments[1:], strict=False):
            crcs.append(_write_case(fd, base + extent.offset, case, step))
        for source, extent in zip(
            self.extra.values(), plan.segments[1 + len(self.cases) :], strict=True
        ):
            crcs.append(source.copy_to(fd, base + extent.offset, step))
        for index, (extent, alignment, crc) in enumerate(
            zip(plan.segments, self.alignments, crcs, strict=True)
        ):
            segment = Segment(extent.offset, extent.size, alignment, crc)
            encode.fill_in_segment(self.encoded, index, segment)
        header.seal(self.encoded.buffer, plan)
        transfer.write_all(fd, self.encoded.buffer, 0)
        return plan.file_size, base + plan.segments[0].offset


def _write_case(fd: int, offset: int, case: _CaseSegment, progress: Progress | None) -> int:
    crc = end = 0
    for tensor, extent in zip(case.tensors, case.extents, strict=True):
        crc = crc32(bytes(extent.offset - end), crc)
        at = extent._replace(offset=offset + extent.offset)
        crc = _write_tensor(fd, at, tensor, progress, crc)
        end = extent.end
    return crc


def _write_tensor(
    fd: int, extent: layout.Extent, tensor: TensorData, progress: Progress | None, crc: int
) -> int:
    written, crc = transfer.write_blocks(fd, extent.offset, tensor.blocks(), progress, crc)
    if written != extent.size:
        raise PackError(f"a tensor gave {written} bytes, {extent.size} were announced")
    return crc


def _dropped(
    suites: list[PackedSuite],
    named_data: Mapping[str, object],
    strings: Mapping[str, str],
    drop: bool,
) -> list[str]:
    """What BP08 cannot carry. Raises ``PackError`` when there is any and it must not be dropped."""
    lost = []
    for suite in suites:
        if suite.tolerances:
            lost.append(f"the tolerances of method {suite.method_name!r}")
        for number, case in enumerate(suite.test_cases):
            where = f"method {suite.method_name!r}, case {number}"
            if case.name:
                lost.append(f"the name {case.name!r} of {where}")
            if case.tolerances:
                lost.append(f"the tolerances of {where}")
    lost += [f"the named data {key!r}" for key in named_data]
    # Who produced it is ours to say, not the caller's: nobody misses it.
    lost += [f"the metadata {key!r}" for key in strings if key != "producer"]
    if lost and not drop:
        raise PackError(
            f"BP08 cannot carry {'; '.join(lost)}. Ask for them to be dropped, or write BP09"
        )
    return [f"BP08 cannot carry {what}: dropped" for what in lost]


class _Bp08:
    """Writes a BP08 file: a FlatBuffer whose large vectors come last, the program as the last of
    them, so that it streams like BP09."""

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

    def _stored(self, value: TensorData | int | float | bool) -> metadata.Value:
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
            _write_tensor(fd, extent, tensor, step, 0)
        self.program.copy_to(fd, encoded.program.offset, step, checksum=False)
        return encoded.file_size, encoded.program.offset
