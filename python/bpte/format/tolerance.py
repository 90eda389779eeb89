# SPDX-License-Identifier: BSD-3-Clause
"""How far an output may be from its expected value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class NanPolicy(IntEnum):
    """When a NaN is close to its counterpart."""

    UNEQUAL = 0
    """A NaN on either side is a mismatch."""
    EQUAL = 1
    """NaN matches NaN."""
    IGNORE = 2
    """Elements whose expected value is NaN are not compared."""


@dataclass(frozen=True)
class Tolerance:
    """Element by element: ``|actual - expected| <= atol + rtol * |expected|``.

    A member that is ``None`` is not stated: ``rtol`` and ``atol`` are then those of
    ``torch.testing.assert_close`` for the output's dtype (integers and bools exact), and a floor is
    not checked. ``atol`` is in the output's own units: LSBs for an integer output. Raises
    ``ValueError`` for values that are out of range.
    """

    rtol: float | None = None
    atol: float | None = None
    max_outlier_share: float = 0.0
    """Share of the elements, 0 to 1, that may lie outside."""
    min_sqnr_db: float | None = None
    """Floor for the signal-to-quantisation-noise ratio over the whole output, in dB."""
    min_cosine: float | None = None
    """Floor for the cosine similarity over the whole output."""
    nan_policy: NanPolicy = NanPolicy.UNEQUAL
    not_compared: bool = False
    """The output is reported but not judged."""

    def __post_init__(self) -> None:
        for name in ("rtol", "atol"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name} must not be negative or NaN: {value}")
        if not 0 <= self.max_outlier_share <= 1:
            raise ValueError(f"max_outlier_share must be 0 to 1: {self.max_outlier_share}")
        for name in ("min_sqnr_db", "min_cosine"):
            value = getattr(self, name)
            if value is not None and value != value:
                raise ValueError(f"{name} must not be NaN")
        if self.nan_policy not in (0, 1, 2):
            raise ValueError(f"unknown NaN policy: {self.nan_policy}")
        object.__setattr__(self, "nan_policy", NanPolicy(self.nan_policy))

    def stated(self) -> dict[str, object]:
        """The members that differ from the default, for people and JSON."""
        facts: dict[str, object] = {}
        for name in ("rtol", "atol", "min_sqnr_db", "min_cosine"):
            value = getattr(self, name)
            if value is not None:
                facts[name] = value
        if self.max_outlier_share:
            facts["max_outlier_share"] = self.max_outlier_share
        if self.nan_policy is not NanPolicy.UNEQUAL:
            facts["nan_policy"] = self.nan_policy.name.lower()
        if self.not_compared:
            facts["not_compared"] = True
        return facts
