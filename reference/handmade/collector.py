"""The garbage collector, in a process that does nothing but serve.

Counting references frees nearly everything.  What it cannot free are cycles: two objects, say, that
hold each other.  For them CPython's collector looks at the young objects often, and at all of them
after some 130 of those looks at the earliest.  A request that waits grows old and is no garbage:
with 5,000 of them these full looks took a third of the server's time (CPython 3.11).
"""

from __future__ import annotations

import gc

SELDOM = 140  # looks at the middle generation between two full ones, at the least; CPython says 10
CPYTHONS = (700, 10, 10), (2000, 10, 10)  # its own thresholds: up to 3.12, and in 3.13


def settle() -> None:
    """Look seldom at what is old: a young cycle is found as soon as ever, an old one later.

    Who has disabled the collector, or given it other thresholds than CPython's own, is left alone.
    Affects the whole process, so this is for one that serves, not for a server inside another
    program.
    """
    thresholds = gc.get_threshold()
    if gc.isenabled() and thresholds in CPYTHONS:
        gc.set_threshold(*thresholds[:2], SELDOM)
