# SPDX-License-Identifier: BSD-3-Clause
"""pytest runs bundles: every case, metric and budget of a ``.bpte`` file is a test.

::

    pytest model.bpte                                        # a file named is always collected
    pytest --bpte models/                                    # and with this, all that are found
    pytest --bpte models/ --bpte-board corstone-300 --bpte-timeout 60
    pytest --bpte models/ -n 2                               # with pytest-xdist

A bundle is run once, whatever the number of its cases. What a case counts for is what it counts for
in ``bpte run`` (``bpte.run.outcome``): no case passes in a run that ended badly. With pytest-xdist
the cases of a bundle stay on one worker.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bpte.cli import _arguments
from bpte.text import printable, printable_lines

if TYPE_CHECKING:
    from bpte.run.results import CaseResult, Results
    from bpte.run.selection import Selection


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("bpte", "bundled ExecuTorch programs")
    group.addoption("--bpte", action="store_true", help="collect .bpte files, not only those named")
    for name, options in _arguments.RUN_OPTIONS.items():
        group.addoption(f"--bpte-{name}", **options)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> BundleFile | None:
    if file_path.suffix != ".bpte":
        return None
    if not parent.config.getoption("bpte") and not _named(file_path, parent.config):
        return None
    # pytest gives all files outside of its root one name; each bundle needs its own.
    root = parent.config.rootpath
    name: dict[str, Any] = {}
    if root not in file_path.parents:
        name["nodeid"] = _relative(file_path, root)
    bundle: BundleFile = BundleFile.from_parent(parent, path=file_path, **name)
    return bundle


def _relative(path: Path, root: Path) -> str:
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # on another drive
        return path.as_posix()


def _named(path: Path, config: pytest.Config) -> bool:
    arguments = (str(argument).split("::")[0] for argument in config.args)
    folder = config.invocation_params.dir
    # `../model.bpte`: pytest asks for it by its plain name.
    return any(Path(os.path.normpath(folder / argument)) == path for argument in arguments)


class CaseFailed(Exception):
    """A case's verdict, in words; no traceback would say more."""

    def __init__(self, message: str) -> None:
        super().__init__(printable_lines(message))


class BundleFile(pytest.File):
    """A bundle, and its run once one of its cases was due."""

    _results: Results | None = None

    def collect(self) -> Iterator[pytest.Item]:
        """A bundle from which no case can be taken is a test that fails: an error of the collection
        would keep the others from being run."""
        import bpte
        from bpte.run.selection import NothingSelectedError, SelectionError

        try:
            with bpte.open(self.path) as bundle:
                items = list(self._cases(bundle))
        except NothingSelectedError:
            return  # the method or the case asked for is another bundle's
        except SelectionError as error:
            items = [NoCases.from_parent(self, name="case", why=f"{self.path}: {error}")]
        except (bpte.BundleError, OSError) as error:
            items = [NoCases.from_parent(self, name="open", why=str(error))]
        yield from items

    def _cases(self, bundle: Any) -> Iterator[pytest.Item]:
        from bpte.run.selection import selected

        selection = self._selection(bundle)
        none = True
        for number, suite, index, case in selected(bundle, selection):
            none = False
            name = f"{index}-{case.name}" if case.name else str(index)
            name = printable(f"{suite.method_name}[{name}]")
            yield BundleCase.from_parent(self, name=name, suite=number, case=index)
        if selection.case is None:
            for number, suite in enumerate(bundle.suites):
                if selection.method in (None, suite.method_name):
                    yield from self._metrics(number, suite)
        for number, budget in enumerate(bundle.budgets):
            board = self.config.getoption("bpte_board")
            here = budget.target in (None, board) and (
                budget.method is None or selection.method in (None, budget.method)
            )
            if here:
                resource = budget.resource.name.lower()
                name = printable(f"{budget.method or 'all'}[budget-{resource}]")
                yield BundleBudget.from_parent(self, name=name, budget=number)
        if none:
            yield NoCases.from_parent(self, name="cases", why=f"{self.path}: it has no cases")

    def _metrics(self, number: int, suite: Any) -> Iterator[pytest.Item]:
        from bpte.run import metric_words

        for index, metric in enumerate(suite.metrics):
            name = printable(f"{suite.method_name}[metric-{metric_words.stated_name(metric)}]")
            yield BundleMetric.from_parent(self, name=name, suite=number, metric=index)

    def _selection(self, bundle: Any) -> Selection:
        from bpte.run.selection import resolve

        option = self.config.getoption
        return resolve(bundle, option("bpte_method"), option("bpte_case"))

    def results(self) -> Results:
        """What the bundle's cases came to. Runs it, the first time."""
        if self._results is None:
            from bpte.run import launcher
            from bpte.run.results import Results

            option = self.config.getoption
            request = _arguments.request(self.path, lambda name: option(f"bpte_{name}"))
            self._results = Results(launcher.run(request))
        return self._results


class _Item(pytest.Item):
    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, CaseFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name


class NoCases(_Item):
    """Stands for a bundle that cannot be opened, or that has nothing to run: always fails."""

    def __init__(self, *, why: str, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.why = why

    def runtest(self) -> None:
        raise CaseFailed(self.why)


class BundleCase(_Item):
    """One test case of a bundle."""

    def __init__(self, *, suite: int, case: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.suite = suite
        self.case = case
        self.result: CaseResult | None = None

    def runtest(self) -> None:
        from bpte.run.outcome import Counted

        assert isinstance(self.parent, BundleFile)
        results = self.parent.results()
        self.result = results.of(self.suite, self.case)
        self._note(results)
        if self.result.counted is Counted.SKIPPED:
            pytest.skip(self.result.message)
        if self.result.counted is not Counted.PASSED:
            raise CaseFailed(self.result.message)

    def _note(self, results: Results) -> None:
        """For JUnit: what the case took, in the target's own unit, and what the whole run took."""
        run, begin = results.run, results.run.transcript.begin
        if self.result and self.result.case and self.result.case.time is not None and begin:
            self.user_properties.append(("time", f"{self.result.case.time} {begin.unit}".rstrip()))
        if self.result and self.result.case and self.result.case.stand_in:
            stand_in = printable(self.result.case.stand_in)
            self.user_properties.append(("stand_in", stand_in))
        self.user_properties.append(("run_seconds", f"{run.seconds:.3f}"))


class BundleMetric(_Item):
    """One metric of a bundle."""

    def __init__(self, *, suite: int, metric: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.suite = suite
        self.metric = metric

    def runtest(self) -> None:
        from bpte.run import metric_words
        from bpte.run.outcome import Counted

        assert isinstance(self.parent, BundleFile)
        result = self.parent.results().of_metric(self.suite, self.metric)
        if result.metric is not None:
            self.user_properties.append(("value", metric_words.value(result.metric)))
        if result.counted is Counted.SKIPPED:
            pytest.skip(result.message)
        if result.counted is not Counted.PASSED:
            raise CaseFailed(result.message)


class BundleBudget(_Item):
    """One budget of a bundle."""

    def __init__(self, *, budget: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.budget = budget

    def runtest(self) -> None:
        from bpte.run import budget_words
        from bpte.run.outcome import Counted

        assert isinstance(self.parent, BundleFile)
        results = self.parent.results()
        found = [b for b in results.run.transcript.budgets if b.budget == self.budget]
        if not found:
            raise CaseFailed(f"{results.why} (this budget did not arrive)")
        used = budget_words.amount(found[0].amount, found[0].resource)
        self.user_properties.append(("used", used))
        if results.of_budget(found[0]) is not Counted.PASSED:
            raise CaseFailed(budget_words.why(found[0]) or results.why)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """No green may pass for one of hardware that was not there."""
    words: dict[str, int] = {}
    for report in chain.from_iterable(terminalreporter.stats.values()):
        for name, value in getattr(report, "user_properties", ()):
            if name == "stand_in" and report.when == "call":
                words[value] = words.get(value, 0) + 1
    for value, count in words.items():
        terminalreporter.write_line(f"bpte: {count} cases executed by: {value}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, None]:
    """A case's duration is what the target reports, without the time of the whole run."""
    outcome = yield
    if isinstance(item, BundleCase) and call.when == "call" and item.result is not None:
        report = outcome.get_result()
        report.duration = item.result.seconds or 0.0


# --- pytest-xdist -------------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Plain `-n` sends each test to whichever worker is free, which would run a bundle once on each
    of them. Where bundles are collected, they are sent as a whole, and other tests as before."""
    if config.getoption("dist") not in ("load", "worksteal", "loadgroup"):
        return None  # the others divide no file, or mean to run all tests on each worker
    if not _collects_bundles(config):
        return None
    from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped]

    class BundleScheduling(LoadGroupScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.split("::", 1)[0]
            scope: str = path if path.endswith(".bpte") else super()._split_scope(nodeid)
            return scope

    return BundleScheduling(config, log)


def _collects_bundles(config: pytest.Config) -> bool:
    named = (str(argument).split("::")[0] for argument in config.args)
    return config.getoption("bpte") or any(path.endswith(".bpte") for path in named)
