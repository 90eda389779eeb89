# SPDX-License-Identifier: BSD-3-Clause
"""A run as a folder of files: what became of it (JSON), a JUnit report, what the target said, and
the outputs that were kept."""

from __future__ import annotations

import os
from pathlib import Path

from bpte.files import access
from bpte.files.folder import AtomicFolder
from bpte.run import document, outputs_file, protocol, report, wire
from bpte.run.judge import Run
from bpte.run.results_error import ResultsError
from bpte.text import printable_lines

RESULTS, JUNIT, LOG = "results.json", "junit.xml", "log.txt"
NAMES = (RESULTS, JUNIT, LOG, outputs_file.OUTPUTS)
#: A target that says more is not recorded further.
MOST_LOG = 64 << 20


def read(path: str | os.PathLike[str]) -> Run:
    """The run of a results folder, or of its JSON file. Raises ``ResultsError``, ``OSError``."""
    file = Path(path)
    if file.is_dir():
        file = file / RESULTS
    try:
        return document.from_json(access.read_input(file), file.parent)
    except ResultsError as error:
        raise ResultsError(f"{file}: {error}") from None


class ResultsFolder:
    """A results folder being written: it appears whole, with `write`, or not at all.

    As a context manager, around the run. `say` takes what the target says as it comes.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Raises ``OSError`` when the folder cannot be written, or is there and is not one that
        bpte wrote."""
        self._folder = AtomicFolder(path, NAMES, document.MARK)

    def __enter__(self) -> ResultsFolder:
        self._folder.__enter__()
        self._log = (self._folder.path / LOG).open("w", encoding="utf-8", errors="backslashreplace")
        self._pending = b""
        self._left = MOST_LOG
        self._once = False  # whether the outputs are in the log alone
        return self

    def say(self, data: bytes) -> None:
        """More of the target's output. It goes into the log line by line, made harmless to a
        terminal; the records in it stay as they are, for `bpte run --log`."""
        *lines, self._pending = (self._pending + data).split(b"\n")
        if len(self._pending) > 1 << 20:  # of no use as a line
            lines, self._pending = [*lines, self._pending], b""
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        if self._left <= 0:
            return
        self._left -= len(line) + 1
        self._once |= protocol.MARK in line and b'"wire":"once"' in line
        if wire.MARK in line and not self._once:  # frames that were asked for: of no use later
            line = line.partition(wire.MARK)[0]
            if not line:
                return
        text = printable_lines(line.removesuffix(b"\r").decode("utf-8", "backslashreplace"))
        self._log.write(text + "\n" if self._left > 0 else "(the target says more)\n")

    def write(self, run: Run) -> None:
        """Writes the files, and gives the folder its name. Raises ``OSError``."""
        if self._pending:
            self._line(self._pending)
        self._log.close()
        folder = self._folder.path
        stored = outputs_file.write(folder / outputs_file.OUTPUTS, run.kept) if run.kept else None
        (folder / RESULTS).write_text(document.as_json(run, stored) + "\n", encoding="utf-8")
        (folder / JUNIT).write_bytes(report.as_junit(run))
        self._folder.commit()

    def __exit__(self, *_: object) -> None:
        self._log.close()
        self._folder.__exit__()
