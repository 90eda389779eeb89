# SPDX-License-Identifier: BSD-3-Clause
"""The records of the result protocol, each read from its JSON text by the table of its keys.

Nothing that arrives is trusted: every member's type is checked, and a record that breaks the
protocol raises a ProtocolError that says which rule. `bpte.run.protocol` checks the order of
records.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias

from bpte.format.budget import BudgetResource
from bpte.format.metadata import MAX_RANK
from bpte.format.metric import MAX_CLASSES
from bpte.format.scalar_type import ELEMENT_SIZE, from_name
from bpte.run import metric_evidence
from bpte.run.evidence import contradiction
from bpte.run.outcome import Outcome, Verdict, case_verdict
from bpte.run.protocol_keys import (
    ActualValue,
    Begin,
    BudgetResult,
    Case,
    ConfusionRow,
    End,
    Execution,
    FirstMismatch,
    InstructionTime,
    Measured,
    MetricResult,
    Number,
    Output,
    Resources,
    Trace,
    TraceSummary,
)
from bpte.run.protocol_table import KEYS, PROTOCOL, Key

#: Versions that are read: 1 says nothing of the bundle that was run.
READ_PROTOCOLS = (1, PROTOCOL)

#: More cases than any bundle has reason to hold; refused so that no counter can fill the host's
#: memory.
MAX_CASES = 10_000_000


class ProtocolError(ValueError):
    """A record that breaks the protocol; the message says which rule."""


class ContradictionError(ProtocolError):
    """A record whose numbers cannot all be true (`bpte.run.evidence`)."""


@dataclass(frozen=True)
class RunError:
    """The record `error`: the run could not go on."""

    error: str
    outcome: Outcome
    message: str = ""
    where: dict[str, int] = field(default_factory=dict)


Record: TypeAlias = (
    Begin
    | Trace
    | InstructionTime
    | Execution
    | Case
    | ConfusionRow
    | MetricResult
    | BudgetResult
    | Resources
    | RunError
    | End
)


class CaseKey(NamedTuple):
    """Which case a record is about, or which of its steps: no two records of a run have the same.
    Whatever is known of a case beside its record stands under this key."""

    suite: int
    case: int
    step: int | None = None

    @classmethod
    def of(cls, record: Case | Trace | InstructionTime | Execution) -> CaseKey:
        return cls(record.suite, record.case, record.step)

    def __str__(self) -> str:
        step = "" if self.step is None else f", step {self.step}"
        return f"suite {self.suite}, case {self.case}{step}"


# --- Members by type ------------------------------------------------------------------------------

_SPECIAL = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_SCALARS: dict[str, tuple[type, ...]] = {"int": (int,), "double": (int, float), "bool": (bool,)}
_HEX = re.compile(r"0x[0-9a-fA-F]{1,16}\Z")
_CRC = re.compile(r"[0-9a-fA-F]{8}\Z")
_U64 = 1 << 64
_NO_INDEX = (1 << 32) - 1
_MAX_OUTPUTS = 65536
_RESOURCES = tuple(resource.name.lower() for resource in BudgetResource)


class _Refused(Exception):
    """A member's value is not what its key wants, which the message says."""


def _integer(value: object, below: int = _U64) -> int:
    if type(value) is not int or not 0 <= value < below:
        raise _Refused(f"an integer from 0 to {below - 1}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Refused("a string")
    # Lone surrogates can be written in JSON but not printed.
    return value.encode("utf-8", "replace").decode("utf-8")


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Refused("true or false")
    return value


def _hexadecimal(value: object, form: re.Pattern[str], wanted: str) -> int:
    if not isinstance(value, str) or not form.match(value):
        raise _Refused(wanted)
    return int(value, 16)


def _number(value: object) -> Number:
    if isinstance(value, str) and value in _SPECIAL:
        return _SPECIAL[value]
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and -(1 << 63) <= value < _U64:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise _Refused("a number")


def _real(value: object) -> float:
    number = _number(value)
    if isinstance(number, bool):
        raise _Refused("a number")
    return float(number)


def _sizes(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > MAX_RANK:
        raise _Refused(f"an array of at most {MAX_RANK} integers")
    for item in value:
        if type(item) is not int or not 0 <= item < _U64:
            raise _Refused("an array of integers")
    return tuple(value)


def _outputs(value: object) -> tuple[Output, ...]:
    if not isinstance(value, list) or len(value) > _MAX_OUTPUTS:
        raise _Refused(f"an array of at most {_MAX_OUTPUTS}")
    return tuple(_output(item) for item in value)


def _values(value: object) -> tuple[ActualValue, ...]:
    if not isinstance(value, list) or len(value) > _MAX_OUTPUTS:
        raise _Refused(f"an array of at most {_MAX_OUTPUTS}")
    return tuple(_value(item) for item in value)


def _integers(value: object, most: int = MAX_CLASSES) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > most:
        raise _Refused(f"an array of at most {most} integers")
    return tuple(_integer(item) for item in value)


def _missed(value: object) -> tuple[tuple[int, ...], ...]:
    most = metric_evidence.MAX_MISSED
    if not isinstance(value, list) or len(value) > most:
        raise _Refused(f"an array of at most {most}")
    samples = tuple(_integers(item, 3) for item in value)
    if any(len(sample) != 3 for sample in samples):
        raise _Refused("an array of arrays of 3 integers")
    return samples


def _measured(value: object) -> tuple[Measured, ...]:
    if not isinstance(value, list) or len(value) > _MAX_OUTPUTS:
        raise _Refused(f"an array of at most {_MAX_OUTPUTS}")
    for item in value:
        if not isinstance(item, dict):
            raise ProtocolError("measured: an element is not an object")
    return tuple(Measured(**_members(item, "measured")) for item in value)


def _first(value: object) -> FirstMismatch:
    if not isinstance(value, dict):
        raise _Refused("an object")
    return FirstMismatch(**_members(value, "first"))


def _result(value: object) -> Output:
    if not isinstance(value, dict):
        raise _Refused("an object")
    output = Output(**_members(value, "output"))
    if found := contradiction(output):
        raise ContradictionError(f"result: {found}")
    return output


def _summary(value: object) -> TraceSummary:
    if not isinstance(value, dict):
        raise _Refused("an object")
    return TraceSummary(**_members(value, "summary"))


_READERS: dict[str, Callable[[Any], Any]] = {
    "integer": _integer,
    "index": lambda value: _integer(value, _NO_INDEX),
    "count": lambda value: _integer(value, MAX_CASES),
    "text": _text,
    "boolean": _boolean,
    "address": lambda value: _hexadecimal(value, _HEX, "a hexadecimal number such as 0x71000000"),
    "crc32": lambda value: _hexadecimal(value, _CRC, "8 hexadecimal digits"),
    "number": _number,
    "real": _real,
    "sizes": _sizes,
    "outputs": _outputs,
    "values": _values,
    "first": _first,
    "integers": _integers,
    "missed": _missed,
    "measured": _measured,
    "result": _result,
    "summary": _summary,
}


def _read(value: object, key: Key) -> Any:
    if not key.of:
        return _READERS[key.type](value)
    if (type(value) is int or isinstance(value, str)) and value in key.of:
        if key.type == "text":
            return value
        return Verdict(value) if key.type == "verdict" else Outcome(int(value))
    raise _Refused("one of " + ", ".join(map(str, key.of)))


def _members(members: dict[str, Any], of: str) -> dict[str, Any]:
    """Those members of an object that the table has; null means absent."""
    result = {}
    for name, key in KEYS[of].items():
        value = members.get(name)
        if value is None:
            if key.required:
                raise ProtocolError(f"{of}: {name!r} is missing")
            continue
        try:
            result[name] = _read(value, key)
        except _Refused as refused:
            raise ProtocolError(f"{of}: {name!r} is not {refused}: {str(value)[:60]!r}") from None
    return result


# --- Records --------------------------------------------------------------------------------------


def _begin(members: dict[str, Any]) -> Begin:
    # What follows depends on it.
    version = members.get("protocol")
    if type(version) is int and version not in READ_PROTOCOLS:
        raise ProtocolError(f"the target speaks protocol {version}, this reader {PROTOCOL}")
    return Begin(**_members(members, "begin"))


def _output(members: object) -> Output:
    if not isinstance(members, dict):
        raise ProtocolError("outputs: an element is not an object")
    return Output(**_members(members, "output"))


def _value(members: object) -> ActualValue:
    if not isinstance(members, dict):
        raise ProtocolError("values: an element is not an object")
    value = ActualValue(**_members(members, "value"))
    if value.kind in _SCALARS:
        if type(value.value) not in _SCALARS[value.kind]:
            raise ProtocolError(f"value: {value.kind} {str(value.value)[:60]!r}")
        return value
    scalar_type = from_name(value.dtype or "")
    if value.kind != "tensor" or scalar_type is None:
        raise ProtocolError(f"value: no such kind or dtype: {value.kind[:60]!r}")
    if sorted(value.dim_order) != list(range(len(value.shape))):
        raise ContradictionError(f"value: dim_order {value.dim_order} of shape {value.shape}")
    size = math.prod(value.shape) * ELEMENT_SIZE[scalar_type]
    if value.size != size or value.crc32 is None:
        raise ContradictionError(f"value: size {value.size}, but its shape takes {size}")
    return value


def verdict_of(outputs: tuple[Output, ...], summary: TraceSummary | None) -> Verdict:
    """The verdict of a case that ran: from those of its outputs and, where it was traced strictly
    or in isolation, from its instructions."""
    decided = case_verdict(output.verdict for output in outputs)
    if summary is None or not (summary.strict or summary.isolated):
        return decided
    if summary.wrong or summary.missed:
        return Verdict.FAIL
    # Outputs that were put right show nothing.
    return Verdict.UNJUDGED if summary.isolated and decided is Verdict.PASS else decided


def _trace(members: dict[str, Any]) -> Trace:
    trace = Trace(**_members(members, "trace"))
    if trace.result is None and not trace.values:
        raise ProtocolError("trace: neither 'result' nor 'values'")
    if len(trace.values) > 1:
        raise ProtocolError(f"trace: {len(trace.values)} values of one output")
    if (trace.result is None) is not (trace.before is None):
        raise ProtocolError("trace: 'before' and 'result' go together")
    return trace


def _case(members: dict[str, Any]) -> Case:
    case = Case(**_members(members, "case"))
    if case.verdict is Verdict.ERROR:
        if case.error is None:
            raise ProtocolError("case: 'error' is missing")
        return replace(case, outputs=(), values=(), measured=())
    implied = verdict_of(case.outputs, case.trace)
    if case.verdict is not implied:
        raise ContradictionError(
            f"case: verdict {case.verdict.value!r} contradicts its outputs ({implied.value!r})"
        )
    for index, output in enumerate(case.outputs):
        if found := contradiction(output):
            raise ContradictionError(f"output {index}: {found}")
    return replace(case, error=None)


def _confusion(members: dict[str, Any]) -> ConfusionRow:
    row = ConfusionRow(**_members(members, "confusion"))
    if found := metric_evidence.row_contradiction(row):
        raise ContradictionError(f"confusion: {found}")
    return row


def _metric(members: dict[str, Any]) -> MetricResult:
    metric = MetricResult(**_members(members, "metric"))
    if metric.kind not in metric_evidence.KINDS:
        raise ProtocolError(f"metric: no such kind: {metric.kind[:60]!r}")
    if (metric.error is None) is (metric.verdict is Verdict.ERROR):
        raise ProtocolError(f"metric: 'error' is {metric.error!r:.60} of {metric.verdict.value}")
    if found := metric_evidence.contradiction(metric):
        raise ContradictionError(f"metric: {found}")
    return metric


def _budget(members: dict[str, Any]) -> BudgetResult:
    budget = BudgetResult(**_members(members, "budget"))
    if budget.resource not in _RESOURCES:
        raise ProtocolError(f"budget: no such resource: {budget.resource[:60]!r}")
    return budget


def _error(members: dict[str, Any]) -> RunError:
    known = _members(members, "error")
    stated = {name: known.pop(name) for name in ("error", "message", "outcome") if name in known}
    return RunError(**stated, where=known)


def _plain(kind: Callable[..., Record], name: str) -> Callable[[dict[str, Any]], Record]:
    """Reads a record that says nothing its own members could contradict."""
    return lambda members: kind(**_members(members, name))


_EVENTS: dict[str, Callable[[dict[str, Any]], Record]] = {
    "begin": _begin,
    "trace": _trace,
    "profile": _plain(InstructionTime, "profile"),
    "execution": _plain(Execution, "execution"),
    "case": _case,
    "confusion": _confusion,
    "metric": _metric,
    "resources": _plain(Resources, "resources"),
    "budget": _budget,
    "error": _error,
    "end": _plain(End, "end"),
}


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ProtocolError("a key occurs twice in one object")
    return result


def _no_constants(name: str) -> float:
    raise ProtocolError(f"{name} is not JSON")


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constants)
    except ProtocolError:
        raise
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ProtocolError("not a JSON object")
    return value


def read_record(event: str, members: dict[str, Any]) -> Record:
    """A record from its members; they are those of JSON. Raises ProtocolError."""
    return _EVENTS[event](members)


def parse_record(text: str) -> Record:
    """One record from its JSON text. Raises ProtocolError, and nothing else, when it is not one."""
    if not text.isascii():
        raise ProtocolError("a byte that is not ASCII")
    members = _object(text)
    event = members.get("event")
    read = _EVENTS.get(event) if isinstance(event, str) else None
    if read is None:
        raise ProtocolError(f"unknown event {str(event)[:60]!r}")
    return read(members)
