# SPDX-License-Identifier: BSD-3-Clause
"""Verify every rule of the format, checksums and padding included. The first violation is named,
with its place, the value found and the value expected.

example:
  bpte check model.bpte
"""

from __future__ import annotations

import argparse
import json

from bpte.cli import _output
from bpte.text import printable


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="a .bpte file (BP09 or BP08)")
    parser.add_argument("--json", action="store_true", help="for a machine, on stdout")


def run(args: argparse.Namespace) -> int:
    from bpte.bundle import Bundle
    from bpte.format.header import BP09

    with Bundle(args.file) as bundle:
        bundle.verify(_output.progress("checking"))
        cases = sum(len(suite.test_cases) for suite in bundle.suites)
        steps = sum(len(case.steps) for suite in bundle.suites for case in suite.test_cases)
        checksums = bundle.format == BP09
        if args.json:
            facts = {
                "ok": True,
                "path": args.file,
                "format": bundle.format,
                "checksums": checksums,
                "segments": len(bundle.segments),
                "suites": len(bundle.suites),
                "cases": cases,
                "steps": steps,
            }
            print(json.dumps(facts, indent=2))
        else:
            what = f"{len(bundle.segments)} checksums right" if checksums else "it has no checksums"
            print(
                f"{printable(args.file)}: well-formed {bundle.format.upper()}, "
                f"{len(bundle.suites)} suites, {cases} cases, "
                f"{f'{steps} steps, ' if steps else ''}{what}"
            )
    return 0
