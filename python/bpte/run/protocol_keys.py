# SPDX-License-Identifier: BSD-3-Clause
"""The result protocol's records. Generated from schema/protocol.toml by
tools/protocol_keys.py; do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from bpte.run.outcome import Outcome, Verdict
from bpte.run.protocol_table import KEYS as KEYS
from bpte.run.protocol_table import PROTOCOL as PROTOCOL
from bpte.run.protocol_table import Key as Key

Number: TypeAlias = int | float | bool


@dataclass(frozen=True, kw_only=True)
class Begin:
    """`begin`: the first record; what is run."""

    #: the protocol's version, 2
    protocol: int
    #: the launcher's word for this run, given back unchanged
    nonce: str | None = None
    #: the board's name, `host` for the host runner
    target: str
    #: what executes the program
    engine: str = ""
    #: its version
    engine_version: str = ""
    #: `BP09` or `BP08`
    format: str = ""
    #: of the bundle, in bytes
    file_size: int | None = None
    #: BP09: the header's, which covers every segment's checksum; BP08: of the whole file, taken by
    #: the target
    metadata_crc32: int | None = None
    #: BP09: the program's segment's; BP08: of the program, taken by the target
    program_crc32: int | None = None
    #: whether the target holds every byte that it uses against these checksums; without it they
    #: prove nothing
    verified: bool | None = None
    #: in the file
    program_offset: int | None = None
    #: in bytes
    program_size: int | None = None
    #: where the program lies in memory
    program_address: int | None = None
    #: how many the bundle has
    suites: int | None = None
    #: how many cases the bundle has, in all suites; a case with steps counts as its steps
    bundle_cases: int | None = None
    #: the method asked for
    method: str | None = None
    #: the case asked for
    case: int | None = None
    #: whether every step has the inputs that the bundle states, also those that are carried
    teach: bool | None = None
    #: the relative tolerance asked for, in place of the bundle's
    rtol: float | None = None
    #: the absolute one
    atol: float | None = None
    #: how many will be run, counted likewise
    cases: int
    #: of times: `ns`, `cycles` or `instructions`
    unit: str = ""
    #: which instructions are reported: `first` (the first of a case or step that is wrong), `all`
    #: (each that was compared), `strict` (as `first`; a case fails when one is wrong) or `record`
    #: (each, with its values, and none is compared)
    trace: str | None = None
    #: whether outputs of instructions are overwritten with what is expected once they are compared
    isolate: bool | None = None
    #: the relative tolerance asked for, for instructions
    trace_rtol: float | None = None
    #: the absolute one
    trace_atol: float | None = None
    #: the index of the instruction that is reported with its values
    dump: int | None = None
    #: how often a case is executed at once, and stepped through, for times, before it is judged
    profile: int | None = None
    #: how the actual outputs are sent: `pull` or `once`, see Transfers
    wire: str | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """`case`: one for each case run, or one for each of its steps, in their order."""

    #: its suite's index
    suite: int
    #: the suite's method
    method: str
    #: its index within the suite
    case: int
    #: the step's index within the case
    step: int | None = None
    #: its name, of a step the step's
    name: str | None = None
    #: of execute() alone, in `unit`
    time: int | None = None
    #: what stood in for hardware that the program was compiled for, such as a functional model of
    #: an NPU
    stand_in: str | None = None
    #: one object for each expected output, see below
    outputs: tuple[Output, ...] = ()
    #: one object for each actual output of the method, see below
    values: tuple[ActualValue, ...] = ()
    #: one object for each metric of its suite, see below
    measured: tuple[Measured, ...] = ()
    #: what came of its instructions, see below
    trace: TraceSummary | None = None
    #: `pass`, `fail`, `error` (it did not run) or `unjudged` (no expected outputs, or none
    #: compared)
    verdict: Verdict
    #: why it did not run: an engine error's name
    error: str | None = None
    #: the same for people
    message: str | None = None


@dataclass(frozen=True, kw_only=True)
class Trace:
    """`trace`: an output of an instruction; before the record of its case or step."""

    #: its suite's index
    suite: int
    #: its case's index within the suite
    case: int
    #: the step's index within the case
    step: int | None = None
    #: the instruction's chain
    chain: int = 0
    #: its index in the chain
    instruction: int
    #: the operation inside of this delegate call: of an Ethos-U the number of its command
    operation: int | None = None
    #: which of its outputs
    output: int
    #: `kernel`, `delegate`, `move` or `operation`
    kind: str
    #: of a kernel its operator, of a delegate its backend, of an operation its name
    operator: str | None = None
    #: its node in the exported graph
    node: str | None = None
    #: its module's path
    module: str | None = None
    #: its place in the model's source
    source: str | None = None
    #: of the instructions before it in this case: `right` (all were compared, and were right or put
    #: right: so its inputs were right), `unknown` (not all were compared) or `wrong` (one was)
    before: str | None = None
    #: how it compares, as one of `outputs`
    result: Output | None = None
    #: what it came to: one object, see below
    values: tuple[ActualValue, ...] = ()


@dataclass(frozen=True, kw_only=True)
class InstructionTime:
    """`profile`: the time of an instruction; before the record of its case or step."""

    #: its suite's index
    suite: int
    #: its case's index within the suite
    case: int
    #: the step's index within the case
    step: int | None = None
    #: which execution it is a part of, below `begin.profile`
    run: int
    #: the instruction's chain
    chain: int = 0
    #: its index in the chain
    instruction: int
    #: `kernel`, `delegate`, `move`, `jump` or `free`
    kind: str
    #: of a kernel its operator, of a delegate its backend
    operator: str | None = None
    #: of the instruction alone, in `unit`
    time: int


@dataclass(frozen=True, kw_only=True)
class Execution:
    """`execution`: the time of one; before the record of its case or step."""

    #: its suite's index
    suite: int
    #: its case's index within the suite
    case: int
    #: the step's index within the case
    step: int | None = None
    #: which execution it is, below `begin.profile`
    run: int
    #: whether it was stepped through; its time is without that of writing records
    stepped: bool | None = None
    #: in `unit`
    time: int


@dataclass(frozen=True, kw_only=True)
class TraceSummary:
    """`trace` of a case: what came of its instructions."""

    #: instructions executed
    executed: int
    #: outputs of instructions that were compared
    compared: int
    #: of these, outputs that were outside of their tolerance
    wrong: int
    #: entries of the file's trace that no instruction was executed for
    missed: int
    #: entries inside of a delegate that the engine does not show, so that nothing is known of them
    unseen: int = 0
    #: whether `wrong` and `missed` decide the verdict, too: with either the case fails
    strict: bool | None = None
    #: whether outputs were put right: they decide as `strict`, and the case is never `pass`
    isolated: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Output:
    """Each element of `outputs`."""

    #: `pass`, `fail` or `not_compared`
    verdict: Verdict
    #: of a failure: `kind`, `dtype`, `shape`, `elements`, `sqnr` or `cosine`
    reason: str | None = None
    #: expected: `tensor`, `int`, `double` or `bool`
    kind: str | None = None
    #: of the expected tensor
    dtype: str | None = None
    #: of the expected tensor
    shape: tuple[int, ...] | None = None
    #: what came instead
    actual_kind: str | None = None
    #: likewise
    actual_dtype: str | None = None
    #: likewise
    actual_shape: tuple[int, ...] | None = None
    #: elements compared
    numel: int | None = None
    #: elements outside of the tolerance
    mismatches: int | None = None
    #: pairs with a NaN or an infinity on either side
    nonfinite: int | None = None
    #: the first mismatch, see below
    first: FirstMismatch | None = None
    #: largest absolute error
    max_abs: float | None = None
    #: mean absolute error
    mean_abs: float | None = None
    #: largest relative error
    max_rel: float | None = None
    #: mean relative error
    mean_rel: float | None = None
    #: signal to quantisation noise ratio, in dB
    sqnr_db: float | None = None
    #: cosine similarity
    cosine: float | None = None
    #: the tolerance as used
    rtol: float | None = None
    #: likewise
    atol: float | None = None
    #: as judged with: the share of elements that may mismatch
    max_outlier_share: float | None = None
    #: as judged with: the floor for `sqnr_db`
    min_sqnr_db: float | None = None
    #: as judged with: the floor for `cosine`
    min_cosine: float | None = None


@dataclass(frozen=True, kw_only=True)
class ActualValue:
    """Each element of `values`: what an output came to."""

    #: `tensor`, `int`, `double` or `bool`
    kind: str
    #: its element type
    dtype: str | None = None
    #: its shape
    shape: tuple[int, ...] = ()
    #: its dimensions as its payload has them, the outermost first
    dim_order: tuple[int, ...] = ()
    #: of its payload, in bytes
    size: int | None = None
    #: of its payload
    crc32: int | None = None
    #: of a scalar
    value: Number | None = None


@dataclass(frozen=True, kw_only=True)
class FirstMismatch:
    """`first`: the first element outside of the tolerance."""

    #: row-major coordinates; empty for a scalar
    index: tuple[int, ...] = ()
    #: its expected value
    expected: Number
    #: its actual value
    actual: Number


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Each element of `measured`: what the case adds to a metric."""

    #: rows along the output's last dimension; 0 once the metric could not be measured
    samples: int
    #: of an accuracy: samples that count for it
    hits: int | None = None
    #: the first 16 samples that do not: each is an array of the sample's number, the class wanted
    #: and the class found
    missed: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class ConfusionRow:
    """`confusion`: a row of a confusion matrix that is not empty, before its `metric`."""

    #: its suite's index
    suite: int
    #: the metric's index within the suite
    metric: int
    #: the label
    label: int
    #: the classes that were the largest element of its samples, ascending
    found: tuple[int, ...]
    #: how often each of them was
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class MetricResult:
    """`metric`: one for each metric of a suite that was run, after its cases."""

    #: its suite's index
    suite: int
    #: the suite's method
    method: str
    #: its index within the suite
    metric: int
    #: as in the schema, in small letters: `top_k_accuracy`
    kind: str
    #: which output it is of
    output: int
    #: as stated
    k: int | None = None
    #: as stated
    classes: int | None = None
    #: as stated
    score: int | None = None
    #: as stated
    bins: int | None = None
    #: as stated
    low: float | None = None
    #: as stated
    high: float | None = None
    #: as judged with
    minimum: float | None = None
    #: as judged with
    maximum: float | None = None
    #: cases and steps measured
    cases: int
    #: rows along the output's last dimension, of all of them
    samples: int
    #: of an accuracy: samples that count for it
    hits: int | None = None
    #: of a ROC AUC: samples of label 1
    positives: int | None = None
    #: of errors, SQNR and cosine: elements compared
    elements: int | None = None
    #: what it comes to; `nan` where it could not be computed
    value: float | None = None
    #: of a ROC AUC: how far the exact area may be from `value`
    error_bound: float | None = None
    #: `pass`, `fail`, `error` (it could not be measured) or `unjudged` (no bound is stated, or a
    #: case was asked for)
    verdict: Verdict
    #: why it could not be measured
    error: str | None = None
    #: the same for people
    message: str | None = None


@dataclass(frozen=True, kw_only=True)
class Resources:
    """`resources`: what the run took of the target, in bytes, before `end`."""

    #: the largest memory plan of a method that was run
    planned_memory: int | None = None
    #: the engine's own structures and scratch
    engine_memory: int | None = None
    #: the runner's own: for a bundle that is read from a file, for carried values, for metrics
    buffers: int | None = None
    #: `.data` and `.bss`
    static_memory: int | None = None
    #: what there is of stack
    stack_size: int | None = None
    #: the most of it that was in use
    stack: int | None = None
    #: of the program, without a bundle
    flash: int | None = None


@dataclass(frozen=True, kw_only=True)
class BudgetResult:
    """`budget`: one for each budget of the bundle that holds for this run."""

    #: its index in the bundle
    budget: int | None = None
    #: as in the schema, in small letters: `planned_memory`
    resource: str
    #: as judged with
    limit: int
    #: the method that it holds for
    method: str | None = None
    #: what was taken, of a time the longest of an execution
    amount: int | None = None
    #: of a time: whose it is
    suite: int | None = None
    #: likewise
    case: int | None = None
    #: likewise
    step: int | None = None
    #: `pass`, `fail` or `error` (the target cannot measure it)
    verdict: Verdict
    #: `not_measured`
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class End:
    """`end`: the last record."""

    #: records `case` with this verdict
    passed: int
    #: likewise
    failed: int
    #: likewise
    errors: int
    #: likewise
    unjudged: int
    #: the exit code
    outcome: Outcome
    #: payload bytes of frames that the target sent more than once
    retransmitted: int | None = None
    #: over the records before this one, see below
    crc32: int
