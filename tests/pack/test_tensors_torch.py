# SPDX-License-Identifier: BSD-3-Clause
"""Torch tensors as inputs and outputs: every dtype, every memory format."""

from __future__ import annotations

import numpy as np
import pytest

from bpte.format.scalar_type import ScalarType, dtype_name
from bpte.pack.tensors import PackError, normalise
from test_tensors import IMAGE, content, stored

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("name", [dtype_name(number) for number in ScalarType])
def test_every_dtype(name: str) -> None:
    tensor = torch.arange(24).reshape(2, 3, 4).remainder(2).to(getattr(torch, name))
    data = stored(tensor)
    assert dtype_name(data.scalar_type) == name
    assert content(tensor) == tensor.flatten().view(torch.uint8).numpy().tobytes()
    assert content(tensor[0, 0, 0]) == content(tensor.flatten()[:1])


def test_memory_formats() -> None:
    tensor = torch.from_numpy(IMAGE.copy())
    last = tensor.to(memory_format=torch.channels_last)
    assert stored(last).dim_order == (0, 2, 3, 1)
    assert content(last) == IMAGE.transpose(0, 2, 3, 1).tobytes()
    volume = torch.rand(1, 2, 3, 4, 5).to(memory_format=torch.channels_last_3d)
    assert stored(volume).dim_order == (0, 2, 3, 4, 1)
    for strided in (
        tensor[:, ::2],
        tensor.expand(2, 3, 4, 5)[..., 1:],
        tensor[:1].expand(2, -1, -1, -1),
    ):
        assert stored(strided).dim_order == (0, 1, 2, 3)
        assert content(strided) == strided.numpy().tobytes()
    assert content(stored(tensor).reordered((3, 2, 1, 0))) == IMAGE.T.tobytes()


def test_what_torch_gives_that_cannot_be() -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    assert content(parameter * 2) == np.full(3, 2, np.float32).tobytes()
    for tensor in (
        torch.zeros(2, dtype=torch.complex64),
        torch.zeros(2, 2).to_sparse(),
        torch.quantize_per_tensor(torch.zeros(2), 0.1, 0, torch.quint8),
    ):
        with pytest.raises(PackError):
            normalise(tensor)
