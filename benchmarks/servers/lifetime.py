"""How the servers of the benchmarks end: with whoever started them."""

import os
import signal
import sys
import threading


def end_with_stdin() -> None:
    """Send this process a SIGTERM as soon as its standard input is at its end."""
    threading.Thread(target=_wait_and_terminate, daemon=True).start()


def _wait_and_terminate() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
