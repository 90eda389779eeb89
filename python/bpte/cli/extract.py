# SPDX-License-Identifier: BSD-3-Clause
"""Take the program out of a bundle, byte for byte, or its data files; checksums are verified on the
way.

examples:
  bpte extract model.bpte -o model.pte
  bpte extract model.bpte --ptd -o .                  # every data file, into this folder
  bpte extract model.bpte --ptd model.ptd -o .
"""

from __future__ import annotations

import argparse

from bpte.cli import _output
from bpte.text import printable


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="a .bpte file (BP09 or BP08)")
    parser.add_argument(
        "-o", "--output", required=True, help="the .pte file to write; with --ptd, the folder"
    )
    parser.add_argument(
        "--ptd",
        nargs="?",
        const="",
        metavar="NAME",
        help="extract the data files (.ptd), or the one of this name",
    )
    parser.add_argument(
        "--no-sync", action="store_true", help="do not wait until the file is on the disk"
    )


def run(args: argparse.Namespace) -> int:
    from bpte.bundle import Bundle

    durable = not args.no_sync
    progress = _output.progress("extracting")
    with Bundle(args.file) as bundle:
        if args.ptd is None:
            bundle.extract_program(args.output, durable=durable, progress=progress)
            print(f"{printable(args.output)}: {bundle.program_extent.size} bytes")
            return 0
        written = bundle.extract_weights(
            args.output, args.ptd or None, durable=durable, progress=progress
        )
        for path, size in written:
            print(f"{printable(str(path))}: {size} bytes")
    return 0
