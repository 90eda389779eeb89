# SPDX-License-Identifier: BSD-3-Clause
"""Those of runner_models.py's models that pass by themselves; apart from it, as it needs torch."""

AWKWARD = (
    "stateful",
    "stateful_zero",
    "sequence",
    "recurrent",
    "writes_input",
    "unplanned",
    "scalar_outputs",
    "empty_tensor",
    "control_flow",
)
