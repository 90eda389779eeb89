# SPDX-License-Identifier: BSD-3-Clause
"""What a bundle will take of a board, by owner, and whether that fits: told before anything runs.

The figures of Footprint.resources are those that the run's record `resources` has.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bpte.bundle import Bundle, open_bundle
from bpte.format.header import BP09
from bpte.format.metadata import Case, NamedDataRole, Tensor
from bpte.format.metric import Metric, MetricKind
from bpte.run import budget_check, build, elf, identity, method_memory
from bpte.run.board import Board, Region
from bpte.run.method_memory import MethodMemory, Share, padding
from bpte.run.outcome import Outcome, State, Verdict
from bpte.run.protocol_keys import BudgetResult
from bpte.run.request import Refused, Request, preloads, with_board

#: What the firmware's buffers are aligned to, and its scratch for a bundle that is read from a file
#: (kBufferAlignment and kScratchSize in platform/cortex_m/firmware.cpp).
_ALIGNMENT = 16
_SCRATCH = 4096
#: MetricState (runner/metrics.h) on a 32-bit target.
_METRIC_STATE = 200
#: Addresses of a firmware are of 4 bytes.
_FIRMWARE_POINTER = 4
#: Of a runner on a host, unless --max-planned-memory says otherwise.
_HOST_PLANNED = 4 << 30
_OVERFLOWED = re.compile(r"region `(\w+)' overflowed by (\d+) bytes")
#: The resources of budgets that a run is not needed for.
_JUDGED_BEFORE = ("planned_memory", "static_memory", "flash")
#: How the symbols begin by which a firmware shows what it is built of.
_ENGINES = {
    "reference": "_ZN4bpte15ReferenceEngine4load",
    "executorch": "_ZN4bpte16ExecutorchEngine4load",
}
_FEATURES = {
    "BPTE_RUNNER_METRICS": "_ZN4bpte7Metrics5begin",
    "BPTE_RUNNER_BUDGETS": "_ZN4bpte12write_budget",
    "BPTE_ENGINE_DATA_FILES": "_ZN4bpte8DataFile4open",
    "BPTE_ETHOSU_MODEL": "_ZN4bpte11EthosUModel",
}

__all__ = ["Footprint", "Place", "Share", "footprint", "overflowed"]


@dataclass(frozen=True)
class Place:
    """A memory of the board, who takes how much of it, and how much there is of it in bytes (None:
    what the system gives). `lacking`: bytes that the linker missed, where it says no more."""

    name: str
    room: int | None
    shares: tuple[Share, ...]
    lacking: int | None = None

    @property
    def used(self) -> int:
        """As far as it is known."""
        return sum(share.bytes or 0 for share in self.shares)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Of whom it is not known how much they take, each with the reason."""
        return tuple(share.owner for share in self.shares if share.bytes is None)

    @property
    def over(self) -> int:
        """Bytes that there are not."""
        if self.lacking is not None:
            return self.lacking
        return 0 if self.room is None else max(0, self.used - self.room)

    @property
    def fits(self) -> bool | None:
        """None: it is not known."""
        if self.over:
            return False
        return None if self.unknown and self.room is not None else True


@dataclass(frozen=True)
class Footprint:
    """`resources`: by the keys of the record of that name; None: not known before a run.
    `firmware`: what was built, or named; None without one. `budgets`: those of the bundle that can
    be judged before a run."""

    board: str
    engine: str
    firmware: Path | None
    places: tuple[Place, ...]
    resources: dict[str, int | None]
    budgets: tuple[BudgetResult, ...] = ()

    @property
    def fits(self) -> bool | None:
        """False when a memory is too small, None when that is not known of one."""
        found = [place.fits for place in self.places]
        return False if False in found else None if None in found else True

    @property
    def outcome(self) -> Outcome:
        verdicts = {budget.verdict for budget in self.budgets}
        if self.fits is False or Verdict.FAIL in verdicts:
            return Outcome.MISMATCH
        known = self.fits is True and Verdict.ERROR not in verdicts
        return Outcome.PASSED if known else Outcome.INFRASTRUCTURE


def footprint(request: Request, on_note: build.Note | None = None) -> Footprint:
    """What `request` will take. Builds the firmware, unless the request names one: with the
    operators of the bundle's program alone, unless it names others. Raises Refused, BundleError,
    ProgramError, OSError."""
    board, request = with_board(request)
    engine = request.engine or board.engines[0]
    with open_bundle(request.bundle) as bundle:
        if board.kind != "firmware":
            return _on_host(board, engine, request, bundle)
        try:
            return _Firmware(board, engine, request, bundle, on_note).footprint()
        except elf.ElfError as error:
            raise Refused(State.USAGE, str(error)) from None


def _largest(found: Sequence[tuple[Share, ...]]) -> tuple[Share, ...]:
    """The shares of the method that takes the most; one of which that is not known comes first."""

    def size(shares: tuple[Share, ...]) -> tuple[bool, int]:
        return any(share.bytes is None for share in shares), _sum(shares) or 0

    return max(found, key=size, default=())


def _sum(shares: Sequence[Share]) -> int | None:
    if any(share.bytes is None for share in shares):
        return None
    return sum(share.bytes or 0 for share in shares)


def _on_host(board: Board, engine: str, request: Request, bundle: Bundle) -> Footprint:
    pointer = struct.calcsize("P") if board.kind == "host" else 8
    methods = method_memory.of_bundle(bundle, engine, pointer, 0, models_npu=True)
    planned = _largest([method.planned for method in methods])
    tables = _largest([(method.tables,) for method in methods])
    room = request.max_planned_memory or _HOST_PLANNED
    resources = {"planned_memory": _sum(planned), "engine_memory": _sum(tables)}
    return Footprint(
        board.name,
        engine,
        None,
        (Place("planned", room, planned), Place("engine", None, tables)),
        resources,
        _budgets(bundle, board, methods, resources),
    )


def overflowed(text: str) -> dict[str, int]:
    """By how many bytes the linker missed memories of a board, from what it says."""
    return {name.lower().rstrip("_"): int(size) for name, size in _OVERFLOWED.findall(text)}


def _budgets(
    bundle: Bundle,
    board: Board,
    methods: Sequence[MethodMemory],
    resources: Mapping[str, int | None],
) -> tuple[BudgetResult, ...]:
    """Those of the bundle that hold for the board, but for times and the stack."""
    planned = {method.name: _sum(method.planned) for method in methods}
    found = []
    for number, budget in enumerate(bundle.budgets):
        resource = budget.resource.name.lower()
        if budget.target not in (None, board.name) or resource not in _JUDGED_BEFORE:
            continue
        of_method = resource == "planned_memory" and budget.method is not None
        result = BudgetResult(
            budget=number,
            resource=resource,
            limit=budget.limit,
            method=budget.method,
            amount=planned.get(budget.method or "") if of_method else resources.get(resource),
            verdict=Verdict.ERROR,
        )
        found.append(budget_check.decided(result))
    return tuple(found)


class _Front:
    """Takes aligned buffers off the front of a memory, as take() of firmware.cpp does."""

    def __init__(self, start: int = 0) -> None:
        self.at = start
        self.shares: list[Share] = []

    def take(self, size: int, owner: str, alignment: int = _ALIGNMENT) -> None:
        before = padding(self.at, alignment)
        self.at += before + size
        self.shares.append(Share(owner, before + size))


class _Firmware:
    """What a bundle takes of a board with a firmware."""

    def __init__(
        self,
        board: Board,
        engine: str,
        request: Request,
        bundle: Bundle,
        on_note: build.Note | None,
    ) -> None:
        self._board = board
        self._engine = engine
        self._request = request
        self._bundle = bundle
        self._path: Path | None = None
        self._symbols: dict[str, int] | None = None
        #: Why there is no firmware, and which memories of the board were too small for one.
        self._why = ""
        self._overflowed: dict[str, int] = {}
        features = request.features(identity.fingerprint(request.bundle))
        if request.program is not None:
            self._take(request.program, features)
        else:
            self._build(features, on_note)

    def _build(self, features: tuple[str, ...], on_note: build.Note | None) -> None:
        operators_from = self._request.operators_from or (self._request.bundle,)
        try:
            path = build.program(self._board, self._engine, operators_from, on_note, features)
        except build.BuildError as error:
            self._why = str(error).splitlines()[0]
            self._overflowed = overflowed(str(error))
        else:
            self._take(path, features)

    def _take(self, path: Path, features: tuple[str, ...]) -> None:
        """Reads a firmware. Raises Refused for one that cannot run the bundle on this board."""
        self._path = path
        self._symbols = elf.symbols(path)
        start, end = self._symbol("__arena_start"), self._symbol("__arena_end")
        if Region(start, end - start) != self._memory("arena"):
            raise Refused(State.USAGE, f"{path} is no firmware for {self._board.name}")
        engines = [name for name, symbol in _ENGINES.items() if self._has(symbol)]
        if self._request.engine not in (None, *engines) or len(engines) != 1:
            names = " and ".join(engines) or "none"
            raise Refused(State.USAGE, f"{path}: the engine is {names}, not {self._engine}")
        (self._engine,) = engines
        lacks = [each for each in features if not self._has(_FEATURES.get(each, ""))]
        lacks += elf.lacking(path, method_memory.operators(self._bundle))
        if lacks:
            what = ", ".join(lacks)
            raise Refused(State.NOT_RUN, f"{path}: it lacks what the bundle needs: {what}")

    def _has(self, start: str) -> bool:
        return any(name.startswith(start) for name in self._symbols or ())

    def _memory(self, name: str) -> Region:
        return self._board.memory[name]

    def _symbol(self, name: str) -> int:
        assert self._symbols is not None
        if name not in self._symbols:
            raise elf.ElfError(f"{self._path}: no firmware of bpte: it has no symbol {name}")
        return self._symbols[name]

    def _between(self, start: str, end: str) -> int | None:
        """None without a firmware."""
        return None if self._symbols is None else self._symbol(end) - self._symbol(start)

    def footprint(self) -> Footprint:
        methods = method_memory.of_bundle(
            self._bundle,
            self._engine,
            _FIRMWARE_POINTER,
            self._memory("arena").origin,
            models_npu=self._request.npu == "model" or self._has(_FEATURES["BPTE_ETHOSU_MODEL"]),
        )
        planned = _largest([method.planned for method in methods])
        tables = _largest([(method.tables,) for method in methods])
        own = self._own_buffers()
        if self._engine == "reference" and tables:
            # They begin at a multiple of 8 after the runner's own buffers.
            tables = (replace(tables[0], bytes=(tables[0].bytes or 0) + padding(own.at, 8)),)
        bundle, buffers = self._bundle_place()
        static = self._between("__data_start", "__bss_end")
        stack = self._between("__stack_limit", "__stack_top")
        flash = None if self._symbols is None else self._symbol("__flash_size")
        resources = {
            "planned_memory": _sum(planned),
            "engine_memory": _sum(tables),
            "buffers": own.at + buffers,
            "static_memory": static,
            "stack_size": stack,
            "flash": flash,
        }
        return Footprint(
            self._board.name,
            self._engine,
            self._path,
            (
                Place("arena", self._memory("arena").length, planned),
                self._ram(static, stack, own, tables),
                self._flash(flash),
                bundle,
            ),
            resources,
            _budgets(self._bundle, self._board, methods, resources),
        )

    def _known(self, owner: str, size: int | None) -> Share:
        """A share of the firmware's."""
        if size is not None:
            return Share(owner, size)
        return Share(f"{owner}: there is no firmware: {self._why}", None)

    def _ram(
        self, static: int | None, stack: int | None, own: _Front, tables: tuple[Share, ...]
    ) -> Place:
        ram = self._memory("ram")
        heap = self._between("__heap_start", "__heap_end")
        shares = [
            self._known("variables of the firmware", static),
            self._known("stack, set aside", stack),
        ]
        if heap:
            shares.append(Share("heap of ExecuTorch's delegates", heap))
        if self._symbols is not None:
            gaps = self._symbol("__ram_free_start") - ram.origin
            gaps -= (static or 0) + (stack or 0) + (heap or 0)
            shares += [Share("alignment", gaps)] if gaps else []
        return Place(
            "ram", ram.length, (*shares, *own.shares, *tables), self._overflowed.get("ram")
        )

    def _flash(self, size: int | None) -> Place:
        """The linker has seen that the parts fit: `code` is for ExecuTorch's (board_facts.py)."""
        names = ("rom", "code") if self._engine == "executorch" else ("rom",)
        room = sum(self._memory(name).length for name in names if name in self._board.memory)
        lacking = [self._overflowed[name] for name in names if name in self._overflowed]
        shares = (self._known("code, constants and first values of the firmware", size),)
        return Place("flash", room, shares, sum(lacking) if lacking else None)

    def _runs(self) -> list[Case]:
        """Every case, or each of its steps."""
        suites = self._bundle.suites
        return [run for suite in suites for case in suite.test_cases for run in case.info.runs]

    def _own_buffers(self) -> _Front:
        """What the runner takes of the RAM: it begins at a multiple of 16."""
        own = _Front()
        if carried := 2 * max(map(_carried, self._runs()), default=0):
            own.take(carried, "values that steps carry")
        measured = max(
            (sum(map(_metric, suite.metrics)) for suite in self._bundle.suites), default=0
        )
        if measured:
            own.take(measured, "metrics")
        return own

    def _bundle_place(self) -> tuple[Place, int]:
        """Where the bundle lies, or is read to; and the buffers for reading it."""
        request = self._request
        size = self._bundle.header.file_size
        if preloads(self._board, request):
            assert request.load_address is not None and self._board.load_size is not None
            if request.load_address % self._bundle.header.base_alignment:
                raise Refused(
                    State.USAGE,
                    f"{request.load_address:#x} is no multiple of the bundle's alignment, "
                    f"{self._bundle.header.base_alignment}",
                )
            share = Share(f"the bundle, loaded at {request.load_address:#x}", size)
            return Place("bundle", self._board.load_size, (share,)), 0
        memory = self._memory("bundle")
        if request.linked:
            share = Share("the bundle, linked in", size)
            return Place("bundle", memory.length, (share,)), 0
        front = _Front(memory.origin)
        header = self._bundle.header
        front.take(header.metadata_size if header.format == BP09 else size, "metadata, read")
        front.take(_largest_payload(self._bundle, self._runs()), "the largest case's tensors, read")
        front.take(_SCRATCH, "scratch for reading")
        buffers = front.at - memory.origin
        shares = [*front.shares, *self._program_read(front)]
        return Place("bundle", memory.length, tuple(shares)), buffers

    def _program_read(self, front: _Front) -> list[Share]:
        """After the buffers: the program, and the data files beside it."""
        bundle = self._bundle
        if bundle.format != BP09:
            return []  # it is used where it lies, in the metadata
        if self._engine != "reference":
            return [Share("the program, read: ExecuTorch tells a run which parts it loads", None)]
        rest = _Front(front.at)
        rest.take(bundle.program_extent.size, "the program, read")
        files = [
            (info.file_name, bundle.segments[info.segment].size)
            for info in bundle.named_data_info.values()
            if info.role is NamedDataRole.PTD
        ]
        if files:
            rest.take(len(files) * 2 * _FIRMWARE_POINTER, "a list of data files", _FIRMWARE_POINTER)
        for name, size in files:
            rest.take(size, f"the data file {name!r}, read")
        return rest.shares


def _carried(run: Case) -> int:
    """What a step's carries take, once."""
    size = 0
    for carry in run.carries:
        value = run.inputs[carry.input]
        bytes_of = value.size if isinstance(value, Tensor) else 1
        size += bytes_of + padding(bytes_of, _ALIGNMENT)
    return size


def _metric(metric: Metric) -> int:
    entries = {
        MetricKind.ROC_AUC: 2 * metric.bins,
        MetricKind.CONFUSION_MATRIX: metric.classes**2,
    }.get(metric.kind, 0)
    return _METRIC_STATE + 4 * entries


def _largest_payload(bundle: Bundle, runs: Sequence[Case]) -> int:
    """Of the segments that hold the tensors of a case or step. BP08 has none."""
    return max(
        (bundle.segments[run.segment].size for run in runs if run.segment is not None), default=0
    )
