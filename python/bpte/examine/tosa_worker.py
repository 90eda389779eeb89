# SPDX-License-Identifier: BSD-3-Clause
"""One call of Arm's TOSA reference model, in a process of its own: it is C++, writes to standard
output, and a graph that is wrong may end it. `tosa_model.py` starts it.

    python -m bpte.examine.tosa_worker GRAPH ANSWER.json [INPUTS.npz OUTPUTS.npz]

Says what the graph's inputs and outputs are and, with inputs, runs it.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from bpte.files import access


def main(graph: str, answer: str, inputs: str = "", outputs: str = "") -> None:
    data = access.read_input(graph)
    try:
        found = _described(data)
        if inputs:
            found["status"] = _run(data, inputs, outputs)
    except Exception as error:
        found = {"error": f"{type(error).__name__}: {error}"}
    Path(answer).write_text(json.dumps(found))


def _described(data: bytes) -> dict[str, Any]:
    if data[4:8] != b"TOSA":
        raise ValueError("bytes 4-7 are not TOSA")
    root = importlib.import_module("tosa.TosaGraph").TosaGraph.GetRootAs(data, 0)
    kinds = vars(importlib.import_module("tosa.DType").DType)
    names = {number: name for name, number in kinds.items() if isinstance(number, int)}
    if (root.RegionsLength(), root.Regions(0).BlocksLength()) != (1, 1):
        raise ValueError("not one region of one block")
    block = root.Regions(0).Blocks(0)
    tensors = {block.Tensors(k).Name(): block.Tensors(k) for k in range(block.TensorsLength())}

    def told(name: bytes) -> dict[str, Any]:
        tensor = tensors[name]
        shape = [tensor.Shape(d) for d in range(tensor.ShapeLength())]
        return {"shape": shape, "dtype": names.get(tensor.Type(), str(tensor.Type()))}

    return {
        "inputs": [told(block.Inputs(k)) for k in range(block.InputsLength())],
        "outputs": [told(block.Outputs(k)) for k in range(block.OutputsLength())],
    }


def _run(data: bytes, inputs: str, outputs: str) -> str:
    """The status that the model ends with."""
    import numpy as np

    model = importlib.import_module("tosa_reference_model")
    with np.load(inputs, allow_pickle=False) as arrays:
        given = [arrays[f"in{k}"] for k in range(len(arrays.files))]
    found, status = model.run(data, given, verbosity="NONE")
    np.savez(outputs, **{f"out{k}": array for k, array in enumerate(found)})
    return str(status).rpartition(".")[2]


if __name__ == "__main__":
    main(*sys.argv[1:])
