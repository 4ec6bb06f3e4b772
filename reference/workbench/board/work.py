"""Work that keeps the processor busy, and one way to measure how much."""

from __future__ import annotations

import time


def burn(milliseconds: float) -> int:
    """Compute in Python for so many milliseconds of this thread's own processor time.

    The thread holds the GIL meanwhile, as ordinary Python code does.  Waiting for one's turn does
    not count, so the work is the same however many do it.  Return the number of rounds.
    """
    until = time.thread_time() + milliseconds / 1000
    rounds = 0
    while time.thread_time() < until:
        sum(range(500))
        rounds += 1
    return rounds
