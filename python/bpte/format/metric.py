# SPDX-License-Identifier: BSD-3-Clause
"""What is measured over all cases of a suite, and how far it may go."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

MAX_CLASSES = 1024
"""Of labels, the largest elements that are looked at, and bins: what a target has memory for."""

MAX_LABELS = 256
"""Of a case."""


class MetricKind(IntEnum):
    """See schema/README.md, *Metrics and labels*."""

    TOP_K_ACCURACY = 0
    """Share of the samples whose label is among the ``k`` largest elements."""
    ARGMAX_AGREEMENT = 1
    """Share of the samples whose largest element is the expected output's."""
    MEAN_ABSOLUTE_ERROR = 2
    MEAN_SQUARED_ERROR = 3
    SQNR_DB = 4
    """Signal-to-quantisation-noise ratio over all cases, in dB."""
    COSINE = 5
    ROC_AUC = 6
    """Area under the receiver operating characteristic, from a histogram of scores."""
    CONFUSION_MATRIX = 7
    """Counts of label against largest element. It has no bounds."""

    @property
    def wants_labels(self) -> bool:
        return self in (self.TOP_K_ACCURACY, self.ROC_AUC, self.CONFUSION_MATRIX)


@dataclass(frozen=True)
class Metric:
    """A metric of one of the method's outputs over all cases of a suite. A sample is a row along
    the output's last dimension. ``minimum`` and ``maximum`` are kept when equal; without them the
    metric is reported and not judged. Raises ``ValueError`` for values that are out of range.
    """

    kind: MetricKind
    output: int = 0
    minimum: float | None = None
    maximum: float | None = None
    k: int = 1
    """Of ``TOP_K_ACCURACY``: 1 to 1024."""
    classes: int = 0
    """Of ``CONFUSION_MATRIX``: 1 to 1024."""
    score: int = 0
    """Of ``ROC_AUC``: which element of a row is the score ..."""
    bins: int = MAX_CLASSES
    """... and its histogram: 1 to 1024 bins from ``low`` to ``high``."""
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", MetricKind(self.kind))
        for name in ("output", "score"):
            if not 0 <= getattr(self, name) < 1 << 32:
                raise ValueError(f"{name} must be an index: {getattr(self, name)}")
        confusion = self.kind is MetricKind.CONFUSION_MATRIX
        for name in ("minimum", "maximum"):
            bound = getattr(self, name)
            if bound is not None and bound != bound:
                raise ValueError(f"{name} must not be NaN")
            if bound is not None and confusion:
                raise ValueError("a confusion matrix has no bounds")
        for name, least in (("k", 1), ("bins", 1), ("classes", int(confusion))):
            if not least <= getattr(self, name) <= MAX_CLASSES:
                raise ValueError(f"{name} must be {least} to {MAX_CLASSES}: {getattr(self, name)}")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"low and high must be finite and ascending: {self.low}, {self.high}")

    def stated(self) -> dict[str, object]:
        """The kind, and what belongs to it, for people and JSON."""
        facts: dict[str, object] = {"kind": self.kind.name.lower(), "output": self.output}
        own = {
            MetricKind.TOP_K_ACCURACY: ("k",),
            MetricKind.CONFUSION_MATRIX: ("classes",),
            MetricKind.ROC_AUC: ("score", "bins", "low", "high"),
        }.get(self.kind, ())
        facts |= {name: getattr(self, name) for name in own}
        for name in ("minimum", "maximum"):
            if getattr(self, name) is not None:
                facts[name] = getattr(self, name)
        return facts
