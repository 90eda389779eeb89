# SPDX-License-Identifier: BSD-3-Clause
"""Random inputs for a TOSA graph that was not built here."""

from __future__ import annotations

from typing import Any

import numpy as np
from tosa.DType import DType
from tosa.TosaGraph import TosaGraph


def graph_inputs(flatbuffer: bytes) -> list[np.ndarray[Any, Any]]:
    """Over the whole range of each input's type; the same for the same graph."""
    kinds = {DType.INT8: np.int8, DType.INT16: np.int16, DType.INT32: np.int32}
    block = TosaGraph.GetRootAs(flatbuffer, 0).Regions(0).Blocks(0)
    tensors = {block.Tensors(k).Name(): block.Tensors(k) for k in range(block.TensorsLength())}
    random = np.random.default_rng(11)
    inputs = []
    for k in range(block.InputsLength()):
        tensor = tensors[block.Inputs(k)]
        kind = np.dtype(kinds[tensor.Type()])
        shape = [tensor.Shape(d) for d in range(tensor.ShapeLength())]
        limits = np.iinfo(kind)
        inputs.append(random.integers(limits.min, limits.max, shape, kind, endpoint=True))
    return inputs
