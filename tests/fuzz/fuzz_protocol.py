# SPDX-License-Identifier: BSD-3-Clause
"""Fuzzes the result protocol's reader and the reports made of what it read, with atheris.

    pip install atheris
    python tests/fuzz/fuzz_protocol.py [-max_total_time=60] [CORPUS_FOLDER]

Whatever arrives: no exception, no escape sequence on the terminal, JSON and XML that parse, the
same answer for any cutting into pieces, and a pass only for a complete protocol. The checksum keeps
a fuzzer from getting far by chance, so every line's text is read as a record by itself as well.
"""

from __future__ import annotations

import contextlib
import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

with atheris.instrument_imports(
    include=[
        "bpte.run.describe",
        "bpte.run.document",
        "bpte.run.evidence",
        "bpte.run.launcher",
        "bpte.run.holes",
        "bpte.run.kept",
        "bpte.run.protocol",
        "bpte.run.pull",
        "bpte.run.receiver",
        "bpte.run.records",
        "bpte.run.rejudge",
        "bpte.run.report",
        "bpte.run.results",
        "bpte.run.table",
        "bpte.run.wire",
    ]
):
    from bpte.run import document, launcher, protocol, report, wire
    from bpte.run.pull import PullReceiver
    from bpte.run.rejudge import rejudge


#: The asker's nonce: none, so that its frames have the checksum that a log without one has.
_NONCE = ""


def ask(data: bytes) -> None:
    """The asker of outputs, whatever comes. Each line that ends with ! becomes a frame of what
    stands before it in hexadecimal, because a fuzzer does not find a checksum."""
    receiver = PullReceiver(_NONCE)
    for now, line in enumerate(data.split(b"\n")):
        if line.endswith(b"!"):
            with contextlib.suppress(ValueError):
                content = bytes.fromhex(line[:-1].decode("latin-1"))
                if len(content) >= 5:
                    sequence = int.from_bytes(content[1:5], "little")
                    line = wire.encode(content[0], sequence, content[5:], wire.seed(_NONCE))
        receiver.feed(line + b"\n", float(now))
        assert len(receiver.send(float(now))) < 2000
    receiver.finish()
    for outputs in receiver.kept.values():
        for output in outputs:
            assert len(output.payload()) == output.nbytes


def one_input(data: bytes) -> None:
    ask(data)
    transcript = protocol.parse(data, recorded=True)
    run = launcher.judge_log(Path("log"), [data])
    assert (run.outcome == 0) == (transcript.outcome == 0)
    assert run.outcome != 0 or transcript.complete
    assert "\x1b" not in report.table(run)
    json.loads(document.as_json(run))
    ElementTree.fromstring(report.as_junit(run))
    again = launcher.judge_again(run, 1e-3, 1e-3)
    assert again.outcome != 0 or run.outcome in (0, 1)
    report.table(again, width=20)

    for recorded in (False, True):
        parser = protocol.Parser(recorded=recorded)
        for start in range(0, len(data), 7):
            parser.feed(data[start : start + 7])
        # As text: a NaN is not equal to itself.
        whole = protocol.parse(data, recorded=recorded)
        assert repr(parser.finish()) == repr(whole)
        # What passes live has one run in it, and passes as a log as well.
        assert whole.outcome != 0 or transcript.outcome == 0

    for line in data.split(b"\n"):
        with contextlib.suppress(protocol.ProtocolError):
            record = protocol.parse_record(line.decode("latin-1"))
            if isinstance(record, protocol.Case):
                rejudge([record], 1e-3, 1e-3)
                rejudge([record], None, 0.0)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
