# SPDX-License-Identifier: BSD-3-Clause
"""Children that heed the signals which the tests themselves may ignore."""

from __future__ import annotations

import signal


def heed_signals() -> None:
    """For a child's `preexec_fn`. A shell's background job ignores SIGINT, and what nohup starts
    ignores SIGHUP; a child inherits that."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
