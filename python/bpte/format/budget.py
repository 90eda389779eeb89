# SPDX-License-Identifier: BSD-3-Clause
"""How much of a resource a run may use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

_U64 = (1 << 64) - 1


class BudgetResource(IntEnum):
    """The three times measure execute() of one case or step; the rest are bytes."""

    TIME_INSTRUCTIONS = 0
    TIME_CYCLES = 1
    TIME_NS = 2
    PLANNED_MEMORY = 3
    """What the method's memory plan asks for."""
    STATIC_MEMORY = 4
    """Of the runner, beside the plan: ``.data`` and ``.bss``."""
    STACK = 5
    FLASH = 6


@dataclass(frozen=True)
class Budget:
    """The largest amount of a resource that a run may use. Raises ``ValueError`` for values that
    are out of range."""

    resource: BudgetResource
    limit: int
    """1 or more."""
    method: str | None = None
    """The suite's method that it holds for; ``None``: every one."""
    target: str | None = None
    """The board's name (``bpte run --board``); ``None``: every target."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "resource", BudgetResource(self.resource))
        if not 1 <= self.limit <= _U64:
            raise ValueError(f"the limit of a budget must be 1 to {_U64}: {self.limit}")

    def stated(self) -> dict[str, object]:
        """For people and JSON."""
        facts: dict[str, object] = {"resource": self.resource.name.lower(), "limit": self.limit}
        if self.method is not None:
            facts["method"] = self.method
        if self.target is not None:
            facts["target"] = self.target
        return facts
