# SPDX-License-Identifier: BSD-3-Clause
"""Take the program out of a bundle, byte for byte; its checksum is verified on the way.

example:
  bpte extract model.bpte -o model.pte
"""

from __future__ import annotations

import argparse

from bpte.cli import _output
from bpte.text import printable


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="a .bpte file (BP09 or BP08)")
    parser.add_argument("-o", "--output", required=True, help="the .pte file to write")
    parser.add_argument(
        "--no-sync", action="store_true", help="do not wait until the file is on the disk"
    )


def run(args: argparse.Namespace) -> int:
    from bpte.bundle import Bundle

    with Bundle(args.file) as bundle:
        bundle.extract_program(
            args.output, durable=not args.no_sync, progress=_output.progress("extracting")
        )
        print(f"{printable(args.output)}: {bundle.program_extent.size} bytes")
    return 0
