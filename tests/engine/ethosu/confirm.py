# SPDX-License-Identifier: BSD-3-Clause
"""Runs the nets of tests/fixtures/ethosu on an NPU, and writes what was equal, as one JSON.

    make confirm-npu BOARD=corstone-300 SIMULATOR=fvp
    python tests/engine/ethosu/confirm.py --board corstone-300 --simulator fvp -o confirmation.json
    python tests/engine/ethosu/confirm.py --board host    (by the functional model, and says so)
    python tests/engine/ethosu/confirm.py --board corstone-300 --pack nets.bpte    (to be flashed)
    python tests/engine/ethosu/confirm.py --board corstone-300 --log uart.txt    (what it then said)

The nets of one accelerator become a bundle; what each must give is what the TOSA reference model
gives, in every byte. The engine is ExecuTorch, with Arm's delegate and driver. When the target dies
or hangs, each net is run once more, alone.

exit codes: 0 all equal, 1 a difference, 4 a net that did not run
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from delegate_program import Net, nets, program, save_bundle

from bpte import __version__
from bpte.files import access
from bpte.files.atomic import ReportFile
from bpte.run import describe, launcher
from bpte.run.outcome import State, Verdict
from bpte.run.protocol_keys import Case

ROOT = Path(__file__).parents[3]
#: The NPU that a board's simulator has (board.toml's `num_macs`), unless another is named.
ACCELERATORS = {"corstone-300": "ethos-u55-128", "corstone-320": "ethos-u85-256"}
#: States of a run whose records are complete and about the bundle. What came of others does not
#: count.
_JUDGED = (State.PASSED, State.MISMATCH, State.NOT_RUN)
#: What the fixtures were made with (tests/fixtures/ethosu/make.py).
MADE_WITH = {"compiler": "ethos-u-vela 5.1.0", "expected": "tosa-tools 2026.5.0"}


def _of_case(net: Net, case: Case) -> dict[str, Any]:
    """What one net came to."""
    facts: dict[str, Any] = {"name": net.name, "equal": case.verdict is Verdict.PASS}
    if case.verdict is Verdict.ERROR:
        facts |= {"equal": None, "error": describe.error(case)}
    elif case.verdict is not Verdict.PASS:
        facts["differences"] = describe.failed_outputs(case)
    if case.stand_in:
        facts["stand_in"] = case.stand_in
    return facts


class Confirmation:
    """Runs nets on a target, and collects what they came to."""

    def __init__(self, request: launcher.Request, chosen: Sequence[Net]) -> None:
        self._request = request
        self._nets = {net.method: net for net in chosen}
        self._results: dict[str, dict[str, Any]] = {}
        self._messages: dict[str, str] = {}
        self._about: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        self._take(launcher.run(self._request, on_note=_note))
        for method in self._nets:
            if method not in self._results:
                alone = replace(self._request, method=method)
                self._take(launcher.run(alone, on_note=_note), method)
        return self._facts()

    def read(self, log: Path) -> dict[str, Any]:
        """The same of a target's recorded output."""
        with access.open_stream(log) as file:
            self._take(
                launcher.judge_log(log, iter(lambda: file.read(1 << 16), b""), self._request)
            )
        return self._facts()

    def _facts(self) -> dict[str, Any]:
        results = [self._of(net) for net in self._nets.values()]
        stood_in = sorted({facts["stand_in"] for facts in results if "stand_in" in facts})
        return {
            "format": "bpte-npu-confirmation",
            "version": 1,
            "bpte": __version__,
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            **MADE_WITH,
            "board": self._request.board,
            "simulator": self._request.simulator,
            **self._about,
            # None: an NPU, or Arm's simulator of one, executed every net that ran.
            "stand_in": ", ".join(stood_in) or None,
            "equal": sum(facts["equal"] is True for facts in results),
            "different": sum(facts["equal"] is False for facts in results),
            "not_run": sum(facts["equal"] is None for facts in results),
            "nets": results,
        }

    def _take(self, run: launcher.Run, method: str | None = None) -> None:
        """Of a run of all methods, or of one."""
        if run.transcript.begin is not None:
            self._about = {
                "engine": run.transcript.begin.engine,
                "engine_version": run.transcript.begin.engine_version,
                "target": run.transcript.begin.target,
                "command": list(run.command),
            }
        for case in run.transcript.cases:
            if run.state in _JUDGED and (net := self._nets.get(case.method)) is not None:
                self._results[case.method] = _of_case(net, case)
        for name in [method] if method else self._nets:
            self._messages[name] = f"{run.state.words}: {run.message}"

    def _of(self, net: Net) -> dict[str, Any]:
        missing = {"name": net.name, "equal": None, "error": self._messages.get(net.method, "")}
        return self._results.get(net.method, missing)


def _note(text: str) -> None:
    print(f"confirm: {text}", file=sys.stderr, flush=True)


def _operators_from(arguments: argparse.Namespace, chosen: Sequence[Net]) -> tuple[Path, ...]:
    """What ExecuTorch's firmware is built for: these programs want the delegate and no operator.
    The file stays, as the build depends on it."""
    if arguments.board == "host" or arguments.elf or arguments.engine != "executorch":
        return ()
    source = ROOT / "build" / "confirm-npu" / f"{chosen[0].accelerator}.pte"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_bytes(program(chosen))
    return (source,)


def confirm(arguments: argparse.Namespace, chosen: Sequence[Net], folder: Path) -> dict[str, Any]:
    bundle = folder / "nets.bpte"
    save_bundle(bundle, chosen)
    request = launcher.Request(
        bundle,
        board=arguments.board,
        simulator=arguments.simulator,
        program=arguments.elf,
        engine=arguments.engine,
        timeout=arguments.timeout,
        operators_from=_operators_from(arguments, chosen),
        npu=arguments.npu,
    )
    confirmation = Confirmation(request, chosen)
    return confirmation.read(arguments.log) if arguments.log else confirmation.run()


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--board", required=True)
    parser.add_argument("--simulator")
    parser.add_argument("--accelerator", help="ethos-u55-128, ...; default: the board's")
    parser.add_argument("--engine", default="executorch")
    parser.add_argument("--elf", type=Path, help="a firmware built already")
    parser.add_argument("--timeout", type=float, help="seconds for one run")
    parser.add_argument("--npu", choices=["model"], help="as of bpte run")
    parser.add_argument("--pack", type=Path, metavar="BPTE", help="only write the bundle")
    parser.add_argument("--log", type=Path, metavar="TXT", help="what a board said of that bundle")
    parser.add_argument("-o", "--output", type=Path, default=Path("confirmation.json"))
    arguments = parser.parse_args(words)
    accelerator = arguments.accelerator or ACCELERATORS.get(arguments.board)
    if accelerator is None and arguments.board != "host":
        parser.error(f"--accelerator: which NPU does {arguments.board} have?")
    chosen = nets([accelerator] if accelerator else [])
    if not chosen:
        parser.error(f"--accelerator: no net was compiled for {accelerator}")
    if arguments.pack is not None:
        save_bundle(arguments.pack, chosen)
        return 0
    report = ReportFile(arguments.output)
    with tempfile.TemporaryDirectory() as folder:
        found = confirm(arguments, chosen, Path(folder))
    report.write((json.dumps(found, indent=2) + "\n").encode())
    by = found["stand_in"] or "the target's NPU"
    print(
        f"{found['equal']} of {len(chosen)} nets equal, {found['different']} different, "
        f"{found['not_run']} not run; by {by}; {arguments.output}"
    )
    return 1 if found["different"] else 4 if found["not_run"] else 0


if __name__ == "__main__":
    sys.exit(main())
