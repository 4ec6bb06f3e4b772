"""★ littles-law: how many threads does a pool need?

A site gets ``rate`` requests a second, and each one holds a thread for ``seconds``.

Write ``threads_needed(rate, seconds, idle=0.0)``. It returns the smallest number of threads that
can keep up on average. ``idle`` is the part of the threads that shall be free on average, for the
moments in which more comes than usual: with 0.5 half of the pool waits for work. A pool has at
least one thread.

The check calls it with numbers, some of them unkind to floating point, and at last starts a pool of
the size that you say, and asks it to run so many requests at once.
"""

from __future__ import annotations

from math import ceil


def threads_needed(rate: float, seconds: float, idle: float = 0.0) -> int:
    """Return the number of threads for ``rate`` requests a second of ``seconds`` each."""
    ### BEGIN SOLUTION
    busy = rate * seconds  # L = λ W
    return max(1, ceil(round(busy / (1 - idle), 9)))
    ### END SOLUTION
