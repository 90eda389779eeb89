# SPDX-License-Identifier: BSD-3-Clause
"""``bpte inspect --board``: what a bundle will take of a board, as text, and as data."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpte.cli import _arguments, _output
from bpte.text import printable

if TYPE_CHECKING:
    from bpte.run.footprint import Footprint, Place
    from bpte.run.protocol_keys import BudgetResult

#: Those of ``bpte run`` that change what a run takes.
OPTIONS = ("engine", "elf", "operators-from", "npu", "from-file", "linked", "load-address",
           "max-planned-memory")  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("for --board, as bpte run has them")
    for name in OPTIONS:
        group.add_argument(f"--{name}", **_arguments.RUN_OPTIONS[name])


def run(args: argparse.Namespace) -> int:
    """0: it fits and keeps the bundle's budgets, 1: it does not, 4: something that decides it is
    not known. Raises what reading a bundle raises."""
    from bpte.program import ProgramError
    from bpte.run import footprint
    from bpte.run.request import Refused, Request

    request = Request(
        Path(args.file),
        args.board,
        program=args.elf,
        operators_from=tuple(args.operators_from),
        **{
            name: getattr(args, name)
            for name in (option.replace("-", "_") for option in OPTIONS)
            if name not in ("elf", "operators_from")
        },
    )
    try:
        found = footprint.footprint(request, _note)
    except ProgramError as error:
        raise ProgramError(f"{args.file}: {error}") from None
    except Refused as refused:
        print(f"bpte inspect: {printable(str(refused))}", file=sys.stderr)
        if args.json:
            print(json.dumps({"ok": False, "error": {"message": str(refused)}}, indent=2))
        return refused.state.outcome
    print(json.dumps(facts(args.file, found), indent=2) if args.json else text(args.file, found))
    return found.outcome


def given(args: argparse.Namespace) -> str | None:
    """An option of ``--board``'s that was given."""
    for name in OPTIONS:
        if getattr(args, name.replace("-", "_")) not in (None, False, []):
            return f"--{name}"
    return None


def _note(line: str) -> None:
    print(f"bpte inspect: {line}", file=sys.stderr, flush=True)


def facts(path: str, found: Footprint) -> dict[str, Any]:
    """What ``--json`` shows."""
    return {
        "path": path,
        "board": found.board,
        "engine": found.engine,
        "firmware": None if found.firmware is None else str(found.firmware),
        "fits": found.fits,
        "resources": found.resources,
        "budgets": [vars(budget) for budget in found.budgets],
        "memories": [
            {
                "name": place.name,
                "size": place.room,
                "used": place.used,
                "fits": place.fits,
                "over": place.over,
                "shares": [{"owner": s.owner, "bytes": s.bytes} for s in place.shares],
            }
            for place in found.places
        ],
    }


_WORDS = {True: "fits", False: "does not fit", None: "not known to fit"}


def text(path: str, found: Footprint) -> str:
    lines = [f"{_output.bold(path)} on {found.board}, {found.engine} engine: {_WORDS[found.fits]}"]
    if found.firmware is not None:
        lines.append(f"  firmware {printable(str(found.firmware))}")
    rows: list[tuple[object, ...]] = []
    for place in found.places:
        room = "-" if place.room is None else f"{place.room:,}"
        rows.append((place.name, f"{place.used:,}", room, _verdict(place)))
        rows += [
            ("", "?" if share.bytes is None else f"{share.bytes:,}", "", share.owner)
            for share in place.shares
        ]
    lines += ["", _output.table(("memory", "bytes", "of", "by owner"), rows, "lrrl")]
    lines += [""] if found.budgets else []
    lines += [f"  {_budget_text(budget)}" for budget in found.budgets]
    if "stack_size" in found.resources:
        lines += ["", "  How much of the stack is used, a run tells."]
    return "\n".join(lines)


def _budget_text(budget: BudgetResult) -> str:
    from bpte.run import budget_words

    name = printable(budget_words.name(budget))
    if budget.amount is None:
        return f"budget {name}: not known before a run"
    kept = budget_words.why(budget) or f"kept, {budget.amount:,} of {budget.limit:,} bytes"
    return f"budget {name}: {kept}"


def _verdict(place: Place) -> str:
    if place.over:
        return f"DOES NOT FIT: {place.over:,} bytes are missing"
    if place.fits is None:
        return "not known to fit"
    return "what the system gives" if place.room is None else "fits"
