# SPDX-License-Identifier: BSD-3-Clause
"""The ``bpte`` command as a process of its own: ``bpte``, or ``python -m bpte``."""

import signal


def main() -> int:
    """Runs the command line of this process; gives its exit code, or ends as a signal ends it."""
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Until the command line's guard stands, and after it, Ctrl-C ends the process in silence.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from bpte.cli import EXIT_SIGNAL, _terminal
    from bpte.cli import main as run

    _terminal.open_standard_streams()
    code = run()
    if code - EXIT_SIGNAL in ending:
        # Whoever called is told the truth: a shell's loop ends on Ctrl-C, a supervisor sees why.
        signal.raise_signal(code - EXIT_SIGNAL)
    return code


if __name__ == "__main__":
    import sys

    sys.exit(main())
