# SPDX-License-Identifier: BSD-3-Clause
"""Checks that what a target reports is about this bundle and this request.

A target may run a bundle that was linked in, or one that was left in its memory, another selection
of cases, or nothing at all while an earlier run's output still arrives. `begin` says what is run
(docs/result-protocol.md, "Which bundle was run"); here it is held against the file.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bpte.bundle import Bundle, open_bundle
from bpte.files import transfer
from bpte.files.checksum import crc32
from bpte.format.budget import Budget
from bpte.format.metadata import NamedDataRole
from bpte.format.metric import Metric
from bpte.format.rules import BundleError
from bpte.run.expected_output import ExpectedOutput, differences, expected_output
from bpte.run.instructions import miscounted
from bpte.run.outcome import Verdict
from bpte.run.protocol import Transcript
from bpte.run.protocol_keys import Begin, Case
from bpte.run.records import CaseKey
from bpte.run.selection import Selection
from bpte.suites import TestCase

#: How many differences a message names.
_NAMED = 4


def new_nonce() -> str:
    """A word that no other run has."""
    return secrets.token_hex(8)


@dataclass(frozen=True)
class CaseOutputs:
    """What a case's records must have: one record, or one for each of its steps."""

    has_steps: bool
    records: tuple[tuple[ExpectedOutput, ...], ...]
    #: How many values of instructions each has in its trace, and how many of them are inside of
    #: delegates.
    traced: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Suite:
    """A method, and the outputs that each of its cases expects: of a case with steps, those of each
    step. And what is measured over all of them."""

    method: str
    cases: tuple[CaseOutputs, ...]
    metrics: tuple[Metric, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BundleFacts:
    """Which bundle it is: what no other one has in common with it but by chance."""

    format: str
    file_size: int
    metadata_crc32: int
    program_crc32: int
    program_size: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "file_size": self.file_size,
            "metadata_crc32": f"{self.metadata_crc32:08x}",
            "program_crc32": f"{self.program_crc32:08x}",
            "program_size": self.program_size,
        }


@dataclass(frozen=True, kw_only=True)
class Fingerprint(BundleFacts):
    """What `begin` must say of a bundle."""

    program_offset: int
    suites: tuple[Suite, ...]
    budgets: tuple[Budget, ...] = ()
    #: Whether the program comes with data files (``.ptd``).
    data_files: bool = False

    @property
    def cases(self) -> int:
        return sum(len(case.records) for suite in self.suites for case in suite.cases)


@dataclass(frozen=True)
class Unreadable:
    """Takes the place of a fingerprint; says why the file is not a bundle."""

    reason: str


def fingerprint(path: Path) -> Fingerprint | Unreadable:
    """The fingerprint of a bundle file. Reads its metadata; a BP08 file, which states no checksums,
    is read whole."""
    try:
        with open_bundle(path) as bundle:
            return _fingerprint(bundle)
    except BundleError as error:
        return Unreadable(str(error))
    except OSError as error:
        return Unreadable(f"{path}: {error.strerror or error}")


def reported(begin: Begin | None) -> BundleFacts | None:
    """Which bundle a target says that it ran; None when it does not say, or did not check it."""
    if begin is None or not begin.verified:
        return None
    size, crc = begin.file_size, begin.metadata_crc32
    if size is None or crc is None or begin.program_crc32 is None or begin.program_size is None:
        return None
    return BundleFacts(
        format=begin.format,
        file_size=size,
        metadata_crc32=crc,
        program_crc32=begin.program_crc32,
        program_size=begin.program_size,
    )


def facts_of(bundle: Bundle) -> BundleFacts:
    """Which bundle an opened one is. Of a BP08 file, which states no checksums, all is read."""
    if bundle.program_segment is not None:
        size = bundle.header.file_size
        metadata_crc32 = bundle.header.metadata_crc32
        program_crc32 = bundle.segments[bundle.program_segment].crc32
    else:
        descriptor = os.open(bundle.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            metadata_crc32 = transfer.crc_of_file(descriptor, 0, size)
        finally:
            os.close(descriptor)
        program_crc32 = crc32(bundle.program)
    return BundleFacts(
        format=bundle.format.upper(),
        file_size=size,
        metadata_crc32=metadata_crc32,
        program_crc32=program_crc32,
        program_size=bundle.program_extent.size,
    )


def _fingerprint(bundle: Bundle) -> Fingerprint:
    return Fingerprint(
        **vars(facts_of(bundle)),
        program_offset=bundle.program_extent.offset,
        suites=tuple(
            Suite(
                suite.method_name,
                tuple(_case_outputs(case) for case in suite.test_cases),
                tuple(suite.metrics),
            )
            for suite in bundle.suites
        ),
        budgets=tuple(bundle.budgets),
        data_files=any(info.role is NamedDataRole.PTD for info in bundle.named_data_info.values()),
    )


def _case_outputs(case: TestCase) -> CaseOutputs:
    steps = case.steps
    records = steps or [case]
    return CaseOutputs(
        bool(steps),
        tuple(
            tuple(
                expected_output(value, record.tolerance(i))
                for i, value in enumerate(record.info.expected_outputs)
            )
            for record in records
        ),
        tuple(map(_traced, records)),
    )


def _traced(record: TestCase) -> tuple[int, int]:
    inside = [entry[0].operation is not None for entry in record.stored_trace]
    return len(inside), sum(inside)


class Tracing(NamedTuple):
    """How instructions are to be looked at; `mode` None: not at all."""

    mode: str | None = None
    isolate: bool = False
    rtol: float | None = None
    atol: float | None = None
    dump: int | None = None


NO_TRACING = Tracing()


@dataclass(frozen=True)
class Asked(Selection):
    """What the target was asked for: a selection and tolerances. None: the bundle's tolerance.

    `nonce` is None for a recorded run, which was not asked by us. With `trust_target` neither a
    missing nonce nor checksums that the target does not check are held against it.
    """

    rtol: float | None = None
    atol: float | None = None
    nonce: str | None = None
    trust_target: bool = False
    #: How the outputs are to be sent: "pull", "once" or not at all.
    wire: str | None = None
    #: Every step has the inputs that the bundle states.
    teach: bool = False
    tracing: Tracing = NO_TRACING
    profile: int | None = None

    def count(self, bundle: Fingerprint) -> int:
        """How many cases of this bundle were asked for; a case with steps counts as its steps."""
        return sum(
            len(case.records)
            for suite in bundle.suites
            for index, case in enumerate(suite.cases)
            if self.selects(suite.method, index)
        )


@dataclass(frozen=True)
class Finding:
    """`difference`: in words, what shows that something else was run, or None. `notes`: what could
    not be verified, and was accepted."""

    difference: str | None = None
    notes: tuple[str, ...] = ()


def check(transcript: Transcript, bundle: Fingerprint | Unreadable, asked: Asked) -> Finding:
    """Holds a complete transcript against the bundle in the file and what was asked."""
    begin = transcript.begin
    if begin is None:
        return Finding("the target said nothing of what it ran")
    found = [*_of_the_run(begin, asked), *(request := [*_of_the_request(begin, asked)])]
    if isinstance(bundle, Unreadable):
        if transcript.error is None or transcript.cases:
            found.append(f"the target ran a bundle, but this one cannot be read: {bundle.reason}")
    elif begin.file_size is not None or transcript.error is None or transcript.cases:
        found += _of_the_bundle(begin, bundle, asked)
        if not request:
            found += _of_the_cases(transcript, begin, bundle, asked)
            found += _of_the_metrics(transcript, bundle, asked)
            found += _of_the_budgets(transcript, begin, bundle, asked)
    if found:
        more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        return Finding("; ".join(found[:_NAMED]) + more)
    return Finding(None, tuple(_notes(begin, asked)))


def _of_the_run(begin: Begin, asked: Asked) -> Iterator[str]:
    if asked.nonce is None:
        return
    if begin.protocol == 1:
        yield (
            "the target speaks protocol 1, which does not say which bundle it runs: "
            "build it anew from this version's sources"
        )
    elif begin.nonce is None:
        if not asked.trust_target:
            yield (
                "the target does not give back this run's nonce, so its output may be another's "
                "(--trust-target, if it cannot read its arguments)"
            )
    elif begin.nonce != asked.nonce:
        yield f"it is the output of another run: nonce {begin.nonce}, this run's is {asked.nonce}"
    if begin.wire != asked.wire:
        wanted, reported = _word(asked.wire), _word(begin.wire)
        yield f"asked for --outputs {wanted}, the target reports {reported}"


def _of_the_request(begin: Begin, asked: Asked) -> Iterator[str]:
    if begin.protocol == 1:
        return
    for name, wanted, reported in (
        ("--method", asked.method, begin.method),
        ("--case", asked.case, begin.case),
        ("--rtol", asked.rtol, begin.rtol),
        ("--atol", asked.atol, begin.atol),
        ("--teach", asked.teach or None, begin.teach or None),
        ("--trace", asked.tracing.mode, begin.trace),
        ("--isolate", asked.tracing.isolate or None, begin.isolate or None),
        ("--trace-rtol", asked.tracing.rtol, begin.trace_rtol),
        ("--trace-atol", asked.tracing.atol, begin.trace_atol),
        ("--dump", asked.tracing.dump, begin.dump),
        ("--profile", asked.profile, begin.profile),
    ):
        if wanted != reported:
            yield f"asked for {name} {_word(wanted)}, the target reports {_word(reported)}"


def _word(value: object) -> str:
    return "none" if value is None else str(value)


def _of_the_bundle(begin: Begin, bundle: Fingerprint, asked: Asked) -> Iterator[str]:
    members: list[tuple[str, Any, Any]] = [
        ("format", begin.format, bundle.format),
        ("file_size", begin.file_size, bundle.file_size),
    ]
    if begin.protocol > 1:
        members += [
            ("suites", begin.suites, len(bundle.suites)),
            ("bundle_cases", begin.bundle_cases, bundle.cases),
            ("metadata_crc32", begin.metadata_crc32, bundle.metadata_crc32),
            ("program_crc32", begin.program_crc32, bundle.program_crc32),
        ]
    members += [
        ("program_size", begin.program_size, bundle.program_size),
        ("program_offset", begin.program_offset, bundle.program_offset),
    ]
    for name, reported, actual in members:
        if reported == actual:
            continue
        if name.endswith("crc32"):
            # A target that may leave its checksums unchecked may leave them out.
            if reported is None and asked.trust_target and not begin.verified:
                continue
            actual = f"{actual:08x}"
            reported = None if reported is None else f"{reported:08x}"
        if not (begin.protocol == 1 and reported in (None, "")):
            yield f"{name} {_word(reported)}, but the file's is {actual}"
    if begin.protocol > 1 and not begin.verified and not asked.trust_target:
        yield (
            "the target checks no checksums, so what it says of its bundle proves nothing "
            "(--trust-target, if it cannot)"
        )


def _of_the_cases(
    transcript: Transcript, begin: Begin, bundle: Fingerprint, asked: Asked
) -> Iterator[str]:
    # Protocol 1 does not say whether a part was asked for.
    if begin.protocol > 1 and begin.cases != (wanted := asked.count(bundle)):
        yield f"cases {begin.cases}, but the file has {wanted} of what was asked for"
    if begin.protocol == 1 and begin.cases > bundle.cases:
        yield f"cases {begin.cases}, but the file has {bundle.cases}"
    for case in transcript.cases:
        if stray := _stray(case, bundle, asked, begin.protocol):
            yield stray


def _stray(case: Case, bundle: Fingerprint, asked: Asked, protocol: int) -> str | None:
    """What is wrong with a case that is not one of those asked for."""
    where = CaseKey.of(case)
    if case.suite >= len(bundle.suites):
        return f"{where}: the file has {len(bundle.suites)} suites"
    suite = bundle.suites[case.suite]
    if case.method != suite.method:
        return f"{where}: method {case.method}, but the file's is {suite.method}"
    if case.case >= len(suite.cases):
        return f"{where}: the file's suite has {len(suite.cases)} cases"
    if protocol > 1 and not asked.selects(case.method, case.case):
        return f"{where} was not asked for"
    facts_of_case = suite.cases[case.case]
    if facts_of_case.has_steps is (case.step is None) or (case.step or 0) >= len(
        facts_of_case.records
    ):
        steps = len(facts_of_case.records) if facts_of_case.has_steps else "no"
        return f"{where}: the file's case has {steps} steps"
    if case.verdict is Verdict.ERROR:
        return None
    expected = facts_of_case.records[case.step or 0]
    told = case.trace if asked.tracing.mode != "record" else None
    entries = facts_of_case.traced[case.step or 0]
    if told is not None and (found := miscounted(told, *entries)):
        return f"{where}: {found}"
    if len(case.outputs) != len(expected):
        return f"{where}: {len(case.outputs)} outputs, the file's has {len(expected)}"
    if protocol == 1:  # it does not say which tolerances were asked for
        return None
    for number, (output, facts) in enumerate(zip(case.outputs, expected, strict=True)):
        for difference in differences(output, facts, asked.rtol, asked.atol):
            return f"{where}, output {number}: {difference}"
    return None


def _of_the_metrics(transcript: Transcript, bundle: Fingerprint, asked: Asked) -> Iterator[str]:
    """That every metric of the file was judged as it is stated there, and no other."""
    wanted = {
        (number, index): metric
        for number, suite in enumerate(bundle.suites)
        if asked.method in (None, suite.method)
        for index, metric in enumerate(suite.metrics)
    }
    for result in transcript.metrics:
        metric = wanted.pop((result.suite, result.metric), None)
        where = f"metric {result.metric} of suite {result.suite}"
        if metric is None:
            yield f"{where} was not asked for, or the file does not state it"
            continue
        stated = metric.stated() | {"method": bundle.suites[result.suite].method}
        for name in (*stated, "minimum", "maximum"):
            if (reported := getattr(result, name)) != stated.get(name):
                yield f"{where}: {name} {_word(reported)}, the file's is {_word(stated.get(name))}"
    if transcript.error is None:
        for (number, _), metric in wanted.items():
            kind = metric.kind.name.lower()
            method = bundle.suites[number].method
            yield f"the file states {kind} of {method}, which the target did not judge"


def _of_the_budgets(
    transcript: Transcript, begin: Begin, bundle: Fingerprint, asked: Asked
) -> Iterator[str]:
    """That every budget of the file that holds here was judged as it is stated, and no other."""
    wanted = {
        index: budget
        for index, budget in enumerate(bundle.budgets)
        if budget.target in (None, begin.target)
        and (budget.method is None or asked.method in (None, budget.method))
    }
    for result in transcript.budgets:
        index = -1 if result.budget is None else result.budget
        budget = wanted.pop(index, None)
        if budget is None:
            yield f"budget {index} does not hold for this run, or the file does not state it"
            continue
        stated = (budget.resource.name.lower(), budget.limit, budget.method)
        if (reported := (result.resource, result.limit, result.method)) != stated:
            yield f"budget {index}: {reported}, the file's is {stated}"
    if transcript.error is None:
        for budget in wanted.values():
            what = budget.resource.name.lower()
            yield f"the file states a budget of {what}, which the target did not judge"


def _notes(begin: Begin, asked: Asked) -> Iterator[str]:
    if begin.protocol == 1:
        yield "protocol 1: nothing in it ties it to this very bundle"
    elif begin.file_size is not None and not begin.verified:
        yield "the target checked no checksums (--trust-target)"
    if asked.nonce is not None and begin.nonce is None and begin.protocol > 1:
        yield "the target gave back no nonce (--trust-target)"
