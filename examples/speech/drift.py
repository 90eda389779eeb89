# SPDX-License-Identifier: BSD-3-Clause
"""Shows how the error of an output grows from step to step, in results of `bpte run -o`.

    bpte run speech_drift.bpte -o free
    bpte run speech_drift.bpte --teach -o taught
    python examples/speech/drift.py free taught [CASE]

A line for each step of the case: the largest error when the target's own state goes on, and when
each step is given the desk's state. What the first has over the second is drift.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bpte.run import results_folder

OUTPUT = 0
WIDTH = 30


def errors(folder: Path, case: int) -> list[float]:
    """The largest error of the output in each step."""
    records = results_folder.read(folder).transcript.cases
    steps = [record for record in records if record.case == case and record.outputs]
    return [step.outputs[OUTPUT].max_abs or 0.0 for step in steps]


def main() -> None:
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    case = int(sys.argv[3]) if len(sys.argv) == 4 else 0
    free, taught = (errors(Path(word), case) for word in sys.argv[1:3])
    if not free or len(free) != len(taught):
        raise SystemExit(f"case {case}: {len(free)} steps ran free, {len(taught)} taught")
    scale = max([*free, *taught, 1e-30])
    print(f"step  {'free':>9}  {'taught':>9}  largest error, a full bar is {scale:.3g}")
    for number, pair in enumerate(zip(free, taught, strict=True)):
        bars = ["#" * round(WIDTH * error / scale) for error in pair]
        print(f"{number:4}  {pair[0]:9.2e}  {pair[1]:9.2e}  {bars[0]:{WIDTH}}  {bars[1]}".rstrip())


if __name__ == "__main__":
    main()
