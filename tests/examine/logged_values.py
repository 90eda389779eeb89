# SPDX-License-Identifier: BSD-3-Clause
"""What the runtime of the executorch package logs of a program, read by its own Inspector."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from bpte.pack.tensors import flatten


def logged(program: bytes, method: str, inputs: Any, folder: Path) -> dict[int, list[Any]]:
    """The values of each instruction, by its index."""
    from executorch.devtools import Inspector
    from executorch.extension.pybindings import portable_lib

    module = portable_lib._load_for_executorch_from_buffer(
        program, enable_etdump=True, debug_buffer_size=1 << 20
    )
    module.run_method(method, inputs)
    dump, values = str(folder / "dump.etdp"), str(folder / "values.bin")
    module.write_etdump_result_to_file(dump, values)
    found: dict[int, list[Any]] = defaultdict(list)
    for block in Inspector(etdump_path=dump, debug_buffer_path=values).event_blocks:
        for event in block.events:
            known = event._instruction_id in found and event.name == "OPERATOR_CALL"
            if event.debug_data and not known:
                found[event._instruction_id] = flatten(list(event.debug_data))
    return found
