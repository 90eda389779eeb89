# SPDX-License-Identifier: BSD-3-Clause
"""The flash and stack that the core takes on a Cortex-M55 do not grow unseen."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest

SIZE: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "size.py"))


@pytest.mark.skipif(shutil.which("arm-none-eabi-g++") is None, reason="no arm-none-eabi-g++")
@pytest.mark.parametrize("budget", SIZE["BUDGETS"], ids=lambda budget: budget.row)
def test_flash_and_stack(budget: Any, tmp_path: Path) -> None:
    (feature,) = (feature for feature in SIZE["FEATURES"] if feature.name == budget.row)
    row = SIZE["measure"](feature, tmp_path)
    assert row.flash <= budget.most
    assert row.stack <= SIZE["BUDGET_STACK"]
    assert (row.data, row.bss) == (0, 0)
    # A measure of nothing would pass for a small one.
    assert row.flash > budget.flash // 2
