# SPDX-License-Identifier: BSD-3-Clause
"""A few programs of the corpus, exported anew; ``corpus.py`` has all of them."""

from __future__ import annotations

import subprocess
import warnings
from pathlib import Path

import pytest

from bpte.program import _codec
from bpte.program._codec import Binding


def test_smoke(executorch: Binding, tmp_path: Path) -> None:
    import corpus
    import corpus_check
    import object_api

    warnings.simplefilter("ignore")
    cases = {case.name: case for case in corpus.cases()}
    assert len(cases) > 650
    files: list[Path] = []
    ran = 0
    for name in corpus.SMOKE:
        data, inputs = corpus.export(cases[name])
        outcome = corpus_check.check(data)
        for i, file in enumerate(outcome.files):
            files.append(tmp_path / f"{name}.{i}.pte")
            files[-1].write_bytes(file)
        corpus_check.run(outcome.files[1], None)
        if "external" not in name:  # its constants are in another file
            want = corpus_check.run(data, inputs)
            assert corpus_check.equal_results(corpus_check.run(outcome.files[1], inputs), want)
            ran += 1
    assert ran >= 19
    try:
        checker = object_api.build(tmp_path)
    except object_api.Unavailable as reason:
        pytest.skip(f"all but FlatBuffers' C++ verifier passed; it: {reason}")
    done = subprocess.run([checker, "verify", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    # The verifier can fail: in a file whose root points nowhere.
    files[0].write_bytes(b"\xff\xff\x00\x00" + files[0].read_bytes()[4:])
    assert subprocess.run([checker, "verify", files[0]], capture_output=True).returncode == 1


def test_the_accelerator_is_there() -> None:
    """Where there is a compiler the tests of the native path must not be skipped unseen."""
    if not _codec.native_available():
        pytest.skip("the native accelerator is not built: its tests were skipped")
