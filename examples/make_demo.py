# SPDX-License-Identifier: BSD-3-Clause
"""Makes examples/demo: a small exported model and its test data.

They are committed, so that the demo needs no torch.

    python examples/make_demo.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from export_models import mlp, outputs_of

DEMO = Path(__file__).parent / "demo"


def main() -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        example = mlp()
        example.program.save(str(DEMO / "mlp.pte"))
        arrays = {}
        for index, inputs in enumerate(example.inputs["forward"]):
            (output,) = outputs_of(example.eager["forward"](*inputs))
            arrays[f"in{index}"] = inputs[0].numpy()
            arrays[f"out{index}"] = output.numpy()
        np.savez(DEMO / "mlp.npz", **arrays)


if __name__ == "__main__":
    main()
