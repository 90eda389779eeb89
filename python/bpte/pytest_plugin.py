# SPDX-License-Identifier: BSD-3-Clause
"""pytest runs bundles: every case of a ``.bpte`` file is a test.

::

    pytest model.bpte                                        # a file named is always collected
    pytest --bpte models/                                    # and with this, all that are found
    pytest --bpte models/ --bpte-board corstone-300 --bpte-timeout 60

A bundle is run once, whatever the number of its cases; a run that did not end well fails them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bpte.text import printable, printable_lines


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("bpte", "bundled ExecuTorch programs")
    group.addoption("--bpte", action="store_true", help="collect .bpte files, not only those named")
    group.addoption("--bpte-board", default="host", metavar="NAME", help="where to run them")
    group.addoption("--bpte-simulator", metavar="S", help="default: the first one installed")
    group.addoption("--bpte-engine", metavar="E", help="executorch or reference")
    group.addoption("--bpte-elf", type=Path, metavar="E", help="a ready-built firmware or runner")
    group.addoption("--bpte-timeout", type=float, metavar="S", help="seconds, for a bundle")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> BundleFile | None:
    if file_path.suffix != ".bpte":
        return None
    if not parent.config.getoption("bpte") and not _named(file_path, parent.config):
        return None
    return BundleFile.from_parent(parent, path=file_path)


def _named(path: Path, config: pytest.Config) -> bool:
    arguments = (str(argument).split("::")[0] for argument in config.args)
    return any((config.invocation_params.dir / argument) == path for argument in arguments)


class CaseFailed(Exception):
    """A case's verdict, in words; no traceback would say more."""

    def __init__(self, message: str) -> None:
        super().__init__(printable_lines(message))


class BundleFile(pytest.File):
    """A bundle; its run, once one of its cases was asked for."""

    _run: Any = None

    def collect(self) -> Iterator[pytest.Item]:
        import bpte

        try:
            bundle = bpte.open(self.path)
        except bpte.BundleError as error:
            raise self.CollectError(f"{self.path}: {error}") from None
        with bundle:
            for number, suite in enumerate(bundle.suites):
                for index, case in enumerate(suite.test_cases):
                    name = f"{suite.method_name}[{index}]"
                    if case.name:
                        name = f"{suite.method_name}[{index}-{case.name}]"
                    yield BundleCase.from_parent(
                        self, name=printable(name), suite=number, case=index
                    )

    def result(self) -> Any:
        """The run (`bpte.run.launcher.Run`)."""
        if self._run is None:
            from bpte.run import launcher

            option = self.config.getoption
            self._run = launcher.run(
                launcher.Request(
                    self.path,
                    board=option("bpte_board"),
                    simulator=option("bpte_simulator"),
                    engine=option("bpte_engine"),
                    program=option("bpte_elf"),
                    timeout=option("bpte_timeout"),
                )
            )
        return self._run


class BundleCase(pytest.Item):
    """One test case of a bundle."""

    def __init__(self, *, suite: int, case: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.suite = suite
        self.case = case

    def runtest(self) -> None:
        from bpte.run import report
        from bpte.run.outcome import State, Verdict

        assert isinstance(self.parent, BundleFile)
        result = self.parent.result()
        found = [
            case
            for case in result.transcript.cases
            if (case.suite, case.case) == (self.suite, self.case)
        ]
        complete = result.transcript.complete and result.state is not State.DIED
        if not complete or not found:
            raise CaseFailed(f"{result.state.value.replace('_', ' ')}: {result.message}")
        (case,) = found
        if case.verdict is Verdict.UNJUDGED:
            pytest.skip("no output was judged")
        if case.verdict is Verdict.ERROR:
            raise CaseFailed(printable(f"did not run: {case.error}: {case.message or ''}"))
        if case.verdict is Verdict.FAIL:
            lines = (
                f"output {index}: {report.describe_output(output)}"
                for index, output in enumerate(case.outputs)
                if output.verdict is Verdict.FAIL
            )
            raise CaseFailed("\n".join(lines))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, CaseFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name
