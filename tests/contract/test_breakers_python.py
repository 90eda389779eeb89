# SPDX-License-Identifier: BSD-3-Clause
"""Every rule's breaker through the Python reader and the command line: the same rule, at the same
place, as the C++ readers name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bpte
from bpte.cli import main
from breakers import ACCEPTED, BREAKERS, Accepted, Breaker


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("breakers") / "file.bpte"


@pytest.mark.parametrize("breaker", BREAKERS, ids=str)
def test_names_the_rule(breaker: Breaker, file: Path) -> None:
    content = breaker.make()
    file.write_bytes(content)
    if breaker.needs_checksums:
        bpte.open(file).close()
    with pytest.raises(bpte.BundleError) as caught:
        bpte.open(file, verify=breaker.needs_checksums)
    assert caught.value.rule == breaker.rule
    assert str(file) in str(caught.value)
    place = caught.value.place._asdict()
    assert breaker.place == {level: place[level] for level in breaker.place}
    with pytest.raises(bpte.BundleError) as caught:
        bpte.Bundle.from_bytes(content).verify()
    assert caught.value.rule == breaker.rule


@pytest.mark.parametrize("accepted", ACCEPTED, ids=str)
def test_odd_but_right_files_open(accepted: Accepted, file: Path) -> None:
    file.write_bytes(accepted.make())
    with bpte.open(file, verify=True) as bundle:
        assert bundle.format == accepted.format.lower()
        for suite in bundle.suites:
            for case in suite.test_cases:
                for value in (*case.info.inputs, *case.info.expected_outputs):
                    if isinstance(value, bpte.Tensor) and max(value.sizes, default=0) < 1 << 20:
                        assert bundle.value(value).shape == value.sizes
                for output, _ in enumerate(case.info.expected_outputs):
                    case.tolerance(output)


@pytest.mark.parametrize("breaker", BREAKERS[::7], ids=str)
def test_check_exits_3_and_says_why(
    breaker: Breaker, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_bytes(breaker.make())
    assert main(["check", str(file), "--json"]) == 3
    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"]["rule"] == breaker.rule
    assert f" {breaker.rule}: " in printed.err
