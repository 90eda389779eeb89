# SPDX-License-Identifier: BSD-3-Clause
"""Holds this package's serializer against ExecuTorch's on one file, or on a corpus of them."""

from __future__ import annotations

import importlib
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bpte.program import (
    _codec,
    deserialize_pte,
    inspect,
    serialize_pte,
)
from random_programs import same


@dataclass
class Outcome:
    """``ours`` and ``theirs``: bytes of the FlatBuffer alone, and of whole files, summed."""

    ours: int = 0
    theirs: int = 0
    files: list[bytes] = field(default_factory=list)


OPTIONS: tuple[dict[str, Any], ...] = (
    {"extract_delegate_segments": True},
    {
        "extract_delegate_segments": False,
        "segment_alignment": 4096,
        "constant_tensor_alignment": 64,
        "delegate_alignment": 32,
    },
)


def check(data: bytes) -> Outcome:
    """Asserts that for this ``.pte`` file

    - our reader's object is the one of executorch's reader;
    - both of our paths write the same bytes, which executorch reads to an equal object, and which
      are not longer than executorch's, as a FlatBuffer and as a whole file.
    """
    upstream = importlib.import_module("executorch.exir._serialize._program")
    direct = importlib.import_module("executorch.exir._serialize._flatbuffer_program")
    binding = _codec.executorch()
    theirs = upstream.deserialize_pte_binary(data)
    assert same(deserialize_pte(data), theirs), "the readers differ"
    inspect(data)

    outcome = Outcome()
    paths = [False, True] if _codec.native_available() else [False]
    alignments = binding.alignments(None, None)
    flatbuffers = [
        _codec.encode(binding, theirs.program, alignments, native=path) for path in paths
    ]
    assert len(set(flatbuffers)) == 1, "the paths differ"
    ours = flatbuffers[0]
    assert same(direct._flatbuffer_to_program(ours), theirs.program), "executorch reads otherwise"
    for path in paths:
        back, _ = _codec.decode(binding, memoryview(ours), native=path)
        assert same(back, theirs.program), "we read otherwise"
    reference = direct._program_to_flatbuffer(theirs.program).data
    assert len(ours) <= len(reference), f"{len(ours)} bytes, executorch {len(reference)}"
    for path in paths:
        back, _ = _codec.decode(binding, memoryview(reference), native=path)
        assert same(back, theirs.program, sign_of_zero=False), "we read executorch's otherwise"
    outcome.ours, outcome.theirs = len(ours), len(reference)
    outcome.files.append(ours)

    for options in OPTIONS:
        mine = bytes(serialize_pte(theirs, **options))
        reference = bytes(upstream.serialize_pte_binary(theirs, **options))
        assert same(
            upstream.deserialize_pte_binary(mine),
            upstream.deserialize_pte_binary(reference),
            sign_of_zero=False,
        ), f"the files differ with {options}"
        assert len(mine) <= len(reference), f"{len(mine)} bytes, executorch {len(reference)}"
        inspect(mine)
        outcome.files.append(mine)
    return outcome


def run(data: bytes, inputs: dict[str, tuple[Any, ...]] | None) -> dict[str, list[Any]]:
    """Loads a file with the runtime, which verifies it; with inputs, runs its methods."""
    runtime = importlib.import_module("executorch.runtime")
    program = runtime.Runtime.get().load_program(
        data, verification=runtime.Verification.InternalConsistency
    )
    return {
        name: program.load_method(name).execute(list(given))
        for name, given in (inputs or {}).items()
    }


def equal_results(left: dict[str, list[Any]], right: dict[str, list[Any]]) -> bool:
    import torch

    def equal(a: Any, b: Any) -> bool:
        if isinstance(a, torch.Tensor):
            # Bits, so that NaN equals itself.
            return bool(
                a.dtype == b.dtype
                and a.shape == b.shape
                and torch.equal(a.flatten().view(torch.uint8), b.flatten().view(torch.uint8))
            )
        return bool(a == b)

    return left.keys() == right.keys() and all(
        len(left[name]) == len(right[name])
        and all(equal(a, b) for a, b in zip(left[name], right[name], strict=True))
        for name in left
    )


def check_folder(folder: Path, every: int = 8) -> int:
    """Checks all files of a corpus; runs every ``every``-th, and all with a delegate."""
    import torch

    import object_api

    checker = object_api.build(Path(tempfile.mkdtemp(prefix="object-api-")))
    failed, checked, ours, theirs, ran, refused = [], 0, 0, 0, 0, 0
    for i, path in enumerate(sorted(folder.glob("*.pte"))):
        data = path.read_bytes()
        try:
            outcome = check(data)
            with tempfile.TemporaryDirectory() as scratch:
                names = []
                for number, file in enumerate(outcome.files):
                    names.append(Path(scratch) / f"{number}.pte")
                    names[-1].write_bytes(file)
                done = subprocess.run([checker, "verify", *names], capture_output=True, text=True)
                assert done.returncode == 0, f"C++ verifier: {done.stdout}"
            run(outcome.files[1], None)
            if i % every == 0 or "xnnpack" in path.name:
                inputs = torch.load(path.with_suffix(".inputs"), weights_only=False)
                try:
                    want = run(data, inputs)
                except Exception as error:
                    # What the runtime cannot run from executorch's file says nothing of ours.
                    refused += 1
                    print(f"{path.stem}: not run: {str(error)[:150]}", flush=True)
                else:
                    got = run(outcome.files[1], inputs)
                    assert equal_results(got, want), "the results differ"
                    ran += 1
        except Exception as error:
            failed.append(path.stem)
            print(f"{path.stem}: {type(error).__name__}: {error}", flush=True)
            continue
        checked += 1
        ours, theirs = ours + outcome.ours, theirs + outcome.theirs
    print(
        f"{checked} files agree, {len(failed)} do not; our FlatBuffers take "
        f"{100 * ours / max(theirs, 1):.1f} % of executorch's; {ran} files ran with equal results "
        f"({refused} more do not run from executorch's file either)"
    )
    return 1 if failed else 0
