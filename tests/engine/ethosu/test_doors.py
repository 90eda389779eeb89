# SPDX-License-Identifier: BSD-3-Clause
"""The model behind both engines of the host runner: programs that consist of delegates alone."""

from __future__ import annotations

import json
import struct
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from delegate_program import nets, save_bundle

from bpte.cli import main

ENGINES = ("executorch", "reference")


def records(runner: Path, bundle: Path, engine: str) -> tuple[int, list[dict[str, Any]]]:
    command = [runner, bundle, "--engine", engine]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    lines = [line.removeprefix("#bpte ") for line in done.stdout.splitlines()]
    return done.returncode, [json.loads(line) for line in lines]


@pytest.fixture(scope="session")
def all_nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nets") / "nets.bpte"
    save_bundle(path, nets())
    return path


@pytest.mark.parametrize("engine", ENGINES)
def test_every_delegate_equals_the_reference_model(
    bpte_runner: Path, all_nets: Path, engine: str
) -> None:
    status, lines = records(bpte_runner, all_nets, engine)
    cases = [line for line in lines if line["event"] == "case"]
    assert {case["method"]: case["verdict"] for case in cases} == {
        net.method: "pass" for net in nets()
    }
    assert all(case["stand_in"].endswith("not an NPU") for case in cases)
    assert "functional model" not in json.dumps(lines[0])
    assert status == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_wrong_expectation_fails(bpte_runner: Path, tmp_path: Path, engine: str) -> None:
    (net,) = (net for net in nets() if net.name == "linear@ethos-u65-256")
    (output,) = net.outputs
    wrong = replace(net, outputs=(bytes([output[0] ^ 1]) + output[1:],))
    save_bundle(tmp_path / "wrong.bpte", [wrong])
    status, lines = records(bpte_runner, tmp_path / "wrong.bpte", engine)
    assert (status, lines[1]["verdict"]) == (1, "fail")
    assert lines[1]["outputs"][0]["mismatches"] == 1


BAD = {
    "no magic": (b"COP1", b"COP9", 3, "its commands do not begin with COP1"),
    "no block": (b"weight_data", b"weight_dxxx", 3, "the block weight_data is missing"),
    # The first weight stream, which is read as it runs.
    "no weights": (None, b"", 4, "Ethos-U command"),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("block", ["cmd_data", "weight_data"])
def test_a_block_in_named_data_is_refused_by_its_key(
    bpte_runner: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    engine: str,
    block: str,
) -> None:
    """As ExecuTorch's `VelaExternalBlockPlacements` writes it."""
    (net,) = (net for net in nets() if net.name == "wide_linear@ethos-u65-512")
    at = net.container.index(block.encode())
    key = "0123456789abcdef" * 4
    header = struct.pack("<16sIB11x", block.encode(), len(key), 1)
    container = net.container[:at] + header + key.encode() + net.container[at + 96 :]
    bundle = tmp_path / "named.bpte"
    save_bundle(bundle, [net])
    bundle.write_bytes(bundle.read_bytes().replace(net.container, container))
    command = [bpte_runner, bundle, "--engine", engine, "--no-verify"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    message = f"the block {block} is named data ({key})"
    assert (done.returncode, message in done.stdout) == (4, True), done.stdout
    assert main(["inspect", str(bundle), "--delegates"]) == 0
    assert message in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", BAD)
def test_a_spoilt_delegate_is_an_error_by_name(
    bpte_runner: Path, tmp_path: Path, engine: str, name: str
) -> None:
    old, new, expected, message = BAD[name]
    (net,) = (net for net in nets() if net.name == "linear@ethos-u65-256")
    container = net.container
    if old is None:
        start = container.index(b"weight_data") + 32
        size = int.from_bytes(container[start - 16 : start - 12], "little")
        container = container[:start] + b"\xff" * size + container[start + size :]
    else:
        container = container.replace(old, new, 1)
    good = tmp_path / "good.bpte"
    save_bundle(good, [net])
    bad = tmp_path / "bad.bpte"
    data = good.read_bytes()
    assert data.count(net.container) == 1
    bad.write_bytes(data.replace(net.container, container))
    command = [bpte_runner, bad, "--engine", engine, "--no-verify"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == expected, done.stdout
    assert message in done.stdout
