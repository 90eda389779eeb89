# SPDX-License-Identifier: BSD-3-Clause
"""Records a bundle: makes inputs for a program, runs it here, and takes what it gives as expected.

So another target can be held against this machine when the model's source is gone. Of an Ethos-U
program, the TOSA reference model can say what to expect, without a run (`oracle.py`).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from bpte import __version__
from bpte.bundle import Bundle
from bpte.examine import inputs as made
from bpte.examine import stepped
from bpte.examine.maker import Maker, Recipe
from bpte.examine.oracle import ask
from bpte.examine.tosa_model import TosaError, TosaModel
from bpte.examine.trace_choice import TraceChoice
from bpte.files import access
from bpte.format.tensor_data import TensorData
from bpte.format.tolerance import NanPolicy, Tolerance
from bpte.pack.cases import Tolerances
from bpte.pack.convert import unbundle
from bpte.pack.fit import require_program
from bpte.pack.normalise import checked_carries
from bpte.pack.producer import BundledProgram, MethodTestCase, MethodTestSuite, Saved
from bpte.pack.tensors import PackError, normalise
from bpte.program._cut import METHOD
from bpte.run import describe, launcher
from bpte.run.compare import Value, elements
from bpte.run.judge import Run
from bpte.run.outcome import State, StateError, Verdict
from bpte.run.outputs_file import value_of
from bpte.run.records import CaseKey
from bpte.run.request import Request

CASES = 3
#: What can say what to expect in the place of a run.
ORACLES = ("tosa",)
#: How the metadata's keys begin that say how a bundle was recorded.
_MANIFEST = "recorded."


class RecordError(StateError):
    """A program could not be recorded."""


def record(
    program: str | os.PathLike[str] | None,
    path: str | os.PathLike[str],
    *,
    inputs: str = "normal",
    given: Mapping[int, object] | None = None,
    seed: int = 0,
    cases: int = CASES,
    method: str | None = None,
    source: str | os.PathLike[str] | None = None,
    tolerance: Tolerance | None = None,
    trace: bool = False,
    trace_floats: bool = False,
    trace_every: int = 1,
    engine: str | None = None,
    oracle: str | None = None,
    graphs: Mapping[str, object] | None = None,
    runner: Path | None = None,
    timeout: float | None = None,
    command: str = "",
    on_note: Callable[[str], None] | None = None,
) -> Saved:
    """Writes a bundle whose expected outputs are what this machine computes, or an ``oracle``.

    ``program`` is a ``.pte``. For each of its methods, or for ``method`` alone, ``cases`` cases are
    made from ``seed``: ``inputs`` says how elements are drawn (``"uniform(-1,1)"``, see
    ``bpte record --help``), ``given`` how those of single inputs are, by their numbers, or what
    they are: arrays, tensors or scalars.

    Or ``source`` is a bundle: its inputs, steps, names, tolerances and other metadata are kept, and
    its program too if ``program`` is None; nothing is drawn. A carried input is not kept: the
    program is given, and the new bundle states, what the step before computed.

    ``tolerance``: of all suites, in place of the source's, or of none. ``engine`` as in
    ``bpte run`` on the host. ``command`` is kept in the metadata. Everything is run twice, and what
    does not give the same bits is refused. ``path`` appears whole or not at all.

    ``trace``: each case gets what the program's instructions give, too; the second run is then made
    instruction by instruction. ``trace_floats``: only tensors of floating-point types.
    ``trace_every``: only each n-th instruction's. Without ``trace``, a source's trace is kept with
    its program, and left out with another.

    ``oracle="tosa"``: Arm's TOSA reference model computes the delegates of an Ethos-U program, and
    ``engine`` the kernels beside them, each alone. ``graphs``: the TOSA graphs (bytes or paths)
    that the delegates were made from, by ``"forward/0"``, method and number of the delegate; that
    of the only delegate by any key. Those that a ``source`` holds with its own program need not be
    given.

    Raises ``RecordError``, ``PackError``, ``BundleError``, ``OSError``.
    """
    recipe = _recipe(inputs, given or {}, seed, cases, method)
    choice = TraceChoice(trace_floats, trace_every) if trace else None
    if choice is None and (trace_floats or trace_every != 1):
        raise PackError("which values are traced was stated, but nothing is traced")
    _check_oracle(oracle, trace, graphs)
    with access.command(), contextlib.ExitStack() as stack:
        if program is not None:
            require_program(program)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bpte-record-")))
        host = _Host(folder, engine, runner, timeout, on_note)
        if source is not None:
            content = _taken(stack.enter_context(Bundle(source, verify=True)), program, host)
        elif program is not None:
            content = _made(program, recipe, host)
        else:
            raise PackError("give a program, or a bundle to take inputs from")
        if oracle is None:
            _record(content, host, choice)
            made_by = {"engine": host.engine, "target": host.target}
        else:
            model = TosaModel(folder, timeout)
            made_by = _asked(content, graphs, program is not None, model, host)
        if tolerance is not None:
            _set_tolerance(content, tolerance)
        _allow_nans(content)
        content.metadata |= _manifest(made_by, recipe, source, command)
        return content.save(path, fit="relayout")


def _recipe(
    inputs: str, given: Mapping[int, object], seed: int, cases: int, method: str | None
) -> Recipe:
    drawn = {
        number: made.parse(value) if isinstance(value, str) else normalise(value)
        for number, value in given.items()
    }
    return Recipe(made.parse(inputs), drawn, seed, cases, method)


def _check_oracle(oracle: str | None, trace: bool, graphs: Mapping[str, object] | None) -> None:
    """Whether these go together. Raises ``PackError``."""
    if oracle not in (None, *ORACLES):
        raise PackError(f"unknown oracle {oracle!r}, there are {', '.join(ORACLES)}")
    if oracle is not None and trace:
        raise PackError("with an oracle the program is not run, so there is nothing to trace")
    if oracle is None and graphs:
        raise PackError("graphs were given, but no oracle that takes them")


def _set_tolerance(content: BundledProgram, tolerance: Tolerance) -> None:
    for suite in content.method_test_suites:
        suite.tolerances = tolerance
        for case in suite.test_cases:
            for run in (case, *case.steps):
                run.tolerances = None


def _taken(bundle: Bundle, program: str | os.PathLike[str] | None, host: _Host) -> BundledProgram:
    """What a bundle holds; with another program, if there is one."""
    content = unbundle(bundle)
    if program is not None:
        content.program = program
        if stepped.drop(content):
            host.note("the trace that the bundle has is of its own program: it is left out")
    content.metadata = {
        key: text
        for key, text in content.metadata.items()
        if key != "producer" and not key.startswith(_MANIFEST)
    }
    return content


def _made(program: str | os.PathLike[str], recipe: Recipe, host: _Host) -> BundledProgram:
    def runs(suite: MethodTestSuite) -> Sequence[bool]:
        return _which_run(program, suite, host)

    return BundledProgram(program, Maker(recipe, runs).suites(program))


def _asked(
    content: BundledProgram,
    graphs: Mapping[str, object] | None,
    other_program: bool,
    model: TosaModel,
    host: _Host,
) -> dict[str, str]:
    """As ``ask``, and says which engine computed what the oracle cannot. Raises ``RecordError``
    where either gives no answer."""
    try:
        facts = ask(content, graphs, other_program, model, host.alone)
    except TosaError as error:
        raise RecordError(State.NOT_RUN, str(error)) from None
    return facts | ({"engine": host.engine, "target": host.target} if host.engine else {})


def _manifest(
    made_by: Mapping[str, str],
    recipe: Recipe,
    source: str | os.PathLike[str] | None,
    command: str,
) -> dict[str, str]:
    """How the bundle came to be."""
    facts = {"bpte": __version__, **made_by}
    facts |= {"from": Path(source).name} if source is not None else recipe.as_strings()
    facts |= {"command": command} if command else {}
    return {_MANIFEST + key: text for key, text in facts.items()}


# --- Running --------------------------------------------------------------------------------------


class _Host:
    """Runs bundles on this machine, and gives what they compute."""

    def __init__(
        self,
        folder: Path,
        engine: str | None,
        runner: Path | None,
        timeout: float | None,
        on_note: Callable[[str], None] | None,
    ) -> None:
        # Each in a file of its own: what a command has read, it does not replace.
        self._files = (folder / f"inputs{number}.bpte" for number in itertools.count())
        self._request = Request(
            folder, engine=engine, program=runner, timeout=timeout, keep_outputs=True
        )
        self._on_note = on_note
        #: What executed, and on what; known after a run.
        self.engine = self.target = ""

    def load(self, program: object, suites: Sequence[MethodTestSuite]) -> None:
        """Sets what `run` runs: the cases' inputs, and how values are carried. Raises
        ``PackError``, ``OSError``."""
        bare = [
            MethodTestSuite(suite.method_name, [_bare(case) for case in suite.test_cases])
            for suite in suites
        ]
        bundle = next(self._files)
        BundledProgram(program, bare).save(bundle, fit="relayout", durable=False)
        self._request = replace(self._request, bundle=bundle)

    def note(self, text: str) -> None:
        if self._on_note is not None:
            self._on_note(text)

    def run(self, *, traced: bool = False) -> Run:
        """A run that reached its end; single cases of it may have failed to run. ``traced``: one
        that shows what each instruction gives. Raises ``RecordError``."""
        request = replace(self._request, trace="record" if traced else None)
        run = launcher.run(request, on_note=self._on_note)
        begin, error = run.transcript.begin, run.transcript.error
        if run.state not in (State.PASSED, State.NOT_RUN) or begin is None or error is not None:
            raise RecordError(run.state, f"{run.state.words}: {run.message}")
        self.engine = run.transcript.engine
        self.target = begin.target
        return run

    def alone(self, what: str, program: bytes, inputs: Sequence[Value]) -> Sequence[Value]:
        """What the only method of a program gives, twice the same. Raises ``RecordError``, which
        names ``what``."""
        suite = MethodTestSuite(METHOD, [MethodTestCase(list(inputs)) for _ in range(2)])
        self.load(program, [suite])
        try:
            one, other = _outputs(self.run(), list(_executions([suite])))
        except RecordError as error:
            raise RecordError(error.state, f"{what}: {error}") from None
        if len(one) != len(other) or not all(map(_same_bits, one, other)):
            raise RecordError(State.NOT_RUN, f"{what}: gives other values each time")
        return one


#: What is recorded: an execution, the method that it is of, and its key in a run.
_Recorded: TypeAlias = tuple[str, CaseKey, MethodTestCase]


def _bare(case: MethodTestCase) -> MethodTestCase:
    """A case whose outputs are not compared with anything. A step keeps its expected ones all the
    same: they are what the format holds the carries of the next step against."""
    if not case.steps:
        return MethodTestCase(case.inputs)
    ignored = Tolerance(not_compared=True)
    steps = [
        MethodTestCase(step.inputs, step.expected_outputs, carry=step.carry) for step in case.steps
    ]
    return MethodTestCase(steps=steps, tolerances=ignored)


def _executions(suites: Sequence[MethodTestSuite]) -> Iterator[_Recorded]:
    """Each case without steps and each step. A bundle has its suites by their methods' names."""
    ordered = sorted(suites, key=lambda suite: suite.method_name)
    for number, suite in enumerate(ordered):
        for index, case in enumerate(suite.test_cases):
            if not case.steps:
                yield suite.method_name, CaseKey(number, index), case
            for at, step in enumerate(case.steps):
                yield suite.method_name, CaseKey(number, index, at), step


def _record(content: BundledProgram, host: _Host, choice: TraceChoice | None) -> None:
    """Gives each case and step its expected outputs, and with them the inputs that are carried; its
    trace, too, if there is a choice of its values."""
    recorded = list(_executions(content.method_test_suites))
    if not recorded:
        raise PackError("there are no cases to record")
    host.load(content.program, content.method_test_suites)
    runs = [host.run(), host.run(traced=choice is not None)]
    first, second = (_outputs(run, recorded) for run in runs)
    for (method, key, case), values, again in zip(recorded, first, second, strict=True):
        where = f"{method}[{describe.place(key)}]"
        if len(values) != len(again):
            raise RecordError(State.NOT_RUN, f"{where}: two runs gave other counts")
        for index, (one, other) in enumerate(zip(values, again, strict=True)):
            if not _same_bits(one, other):
                raise RecordError(
                    State.NOT_RUN,
                    f"{where}, output {index}: two runs gave different values, so it is "
                    "not deterministic and cannot be recorded",
                )
        case.expected_outputs = list(values)
        for _, into in checked_carries(case.carry):
            case.inputs[into] = None  # what the step before was just given as expected
    if choice is not None:
        stepped.give(content, runs[1], choice)


def _which_run(program: object, suite: MethodTestSuite, host: _Host) -> Sequence[bool]:
    """Of each case of the suite, whether it runs."""
    verdicts: dict[int, Verdict] = {}
    host.load(program, [suite])
    try:
        verdicts = {case.case: case.verdict for case in host.run().transcript.cases}
    except RecordError as error:
        host.note(f"sizes below the bounds could not be tried: {error}")
    numbers = range(len(suite.test_cases))
    return [verdicts.get(number) not in (None, Verdict.ERROR) for number in numbers]


def _outputs(run: Run, recorded: Sequence[_Recorded]) -> list[Sequence[Value]]:
    """What each case or step gave. Raises ``RecordError`` for the first that did not run."""
    records = {CaseKey.of(case): case for case in run.transcript.cases}
    found: list[Sequence[Value]] = []
    for method, key, _ in recorded:
        where = f"{method}[{describe.place(key)}]"
        case = records.get(key)
        if case is None or case.verdict is Verdict.ERROR:
            reason = describe.error(case) if case is not None else "it did not arrive"
            raise RecordError(State.NOT_RUN, f"{where} did not run: {reason}")
        values = run.kept.get(key)
        if not values:
            raise RecordError(State.NOT_RUN, f"{where} gave no outputs")
        found.append(list(map(value_of, values)))
    return found


def _same_bits(one: Value, other: Value) -> bool:
    if isinstance(one, TensorData) and isinstance(other, TensorData):
        facts = (one.scalar_type, one.sizes, one.dim_order)
        same = facts == (other.scalar_type, other.sizes, other.dim_order)
        return same and one.same_bytes(other)
    return repr(one) == repr(other)


def _allow_nans(content: BundledProgram) -> None:
    """Where a NaN is expected, a NaN is right: else no run could pass."""
    for suite in content.method_test_suites:
        for case in suite.test_cases:
            inherited = case.tolerances or suite.tolerances or Tolerance()
            for run in case.steps or [case]:
                if any(map(_has_nan, run.expected_outputs)):
                    run.tolerances = _with_nans(run.tolerances or inherited)


def _with_nans(stated: Tolerances) -> list[Tolerance]:
    each = [stated] if isinstance(stated, Tolerance) else stated or ()
    return [
        replace(tolerance, nan_policy=NanPolicy.EQUAL)
        if tolerance.nan_policy is NanPolicy.UNEQUAL
        else tolerance
        for tolerance in each
    ]


def _has_nan(value: object) -> bool:
    import numpy as np

    if isinstance(value, float):
        return value != value
    if not isinstance(value, TensorData):
        return False
    flat = elements(value)
    return flat.dtype.kind == "f" and bool(np.isnan(flat).any())
