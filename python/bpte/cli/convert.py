# SPDX-License-Identifier: BSD-3-Clause
"""Turn a BP08 bundle into BP09, or back. The program is copied byte for byte.

example:
  bpte convert old.bpte new.bpte
  bpte convert new.bpte old.bpte --format bp08 --drop
"""

from __future__ import annotations

import argparse

from bpte.cli import _output
from bpte.cli.pack import add_format_options, report


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", help="a .bpte file (BP09 or BP08)")
    parser.add_argument("output", help="the .bpte file to write")
    add_format_options(parser)


def run(args: argparse.Namespace) -> int:
    from bpte.pack.convert import convert

    saved = convert(
        args.input,
        args.output,
        format=args.format,
        alignment=args.alignment,
        drop=args.drop,
        durable=not args.no_sync,
        progress=_output.progress("converting"),
    )
    report(saved, args.json)
    return 0
