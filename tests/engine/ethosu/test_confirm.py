# SPDX-License-Identifier: BSD-3-Clause
"""`make confirm-npu`, with the functional model in the place of the NPU."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import confirm
import pytest
from delegate_program import nets

from bpte.run import build
from bpte.run.board import find_board

STAND_IN = "Ethos-U functional model, not an NPU"


@pytest.fixture
def on_host(bpte_runner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BPTE_RUNNER", str(bpte_runner))


@pytest.mark.usefixtures("on_host")
def test_every_net_is_equal_by_the_model_and_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "confirmation.json"
    assert confirm.main(["--board", "host", "-o", str(path)]) == 0
    found = json.loads(path.read_text())
    assert found["stand_in"] == STAND_IN
    assert (found["equal"], found["different"], found["not_run"]) == (len(nets()), 0, 0)
    assert found["engine"] == "executorch"
    assert [net["name"] for net in found["nets"]] == [net.name for net in nets()]
    assert all(net["equal"] is True and net["stand_in"] == STAND_IN for net in found["nets"])


@pytest.mark.usefixtures("on_host")
def test_a_difference_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = nets(["ethos-u65-256"])
    first = chosen[0].outputs[0]
    wrong = replace(chosen[0], outputs=(bytes([first[0] ^ 1]) + first[1:],))
    monkeypatch.setattr(confirm, "nets", lambda _: [wrong, *chosen[1:]])
    path = tmp_path / "confirmation.json"
    assert confirm.main(["--board", "host", "-o", str(path)]) == 1
    found = json.loads(path.read_text())
    assert (found["different"], found["equal"]) == (1, len(chosen) - 1)
    (difference,) = found["nets"][0]["differences"]
    assert "output 0: element [0" in difference and "off by 1" in difference


def test_a_target_that_says_nothing_confirms_nothing(tmp_path: Path) -> None:
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexit 9\n")
    silent.chmod(0o755)
    path = tmp_path / "confirmation.json"
    words = ["--board", "host", "--accelerator", "ethos-u65-256", "--elf", str(silent)]
    assert confirm.main([*words, "-o", str(path)]) == 4
    found = json.loads(path.read_text())
    assert found["not_run"] == len(found["nets"]) == 2
    assert all("did not start" in net["error"] for net in found["nets"])


def test_what_a_board_said_is_judged_as_well(bpte_runner: Path, tmp_path: Path) -> None:
    board = ["--board", "host", "--accelerator", "ethos-u65-256"]
    bundle, log, path = tmp_path / "nets.bpte", tmp_path / "uart.txt", tmp_path / "found.json"
    assert confirm.main([*board, "--pack", str(bundle)]) == 0
    done = subprocess.run([bpte_runner, bundle], capture_output=True, check=True)
    log.write_bytes(b"boot\r\n" + done.stdout)
    assert confirm.main([*board, "--log", str(log), "-o", str(path)]) == 0
    found = json.loads(path.read_text())
    assert (found["equal"], found["stand_in"]) == (2, STAND_IN)
    # Cut short, it confirms nothing.
    log.write_bytes(done.stdout[: done.stdout.index(b'"event":"end"')])
    assert confirm.main([*board, "--log", str(log), "-o", str(path)]) == 4
    assert json.loads(path.read_text())["equal"] == 0


def test_every_net_is_equal_on_an_emulated_cortex_m(tmp_path: Path) -> None:
    for tool in ("arm-none-eabi-g++", "qemu-system-arm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    firmware = build.program(
        find_board("corstone-300"), "reference", features=("BPTE_ETHOSU_MODEL",)
    )
    path = tmp_path / "confirmation.json"
    words = ["--board", "corstone-300", "--simulator", "qemu", "--engine", "reference"]
    assert confirm.main([*words, "--elf", str(firmware), "-o", str(path)]) == 0
    found = json.loads(path.read_text())
    assert found["equal"] == len(found["nets"]) == len(nets(["ethos-u55-128"])) > 20
    assert (found["target"], found["stand_in"]) == ("corstone-300", STAND_IN)
