"""The garbage collector, in a process that does nothing but serve.

Counting references frees nearly everything.  What it cannot free are circles, and to find them
CPython's collector looks through the young objects each time 700 more have been made than freed,
and through all objects whenever those that grew old since the last time are a quarter more.  A
request that waits grows old: with 5,000 of them the collector took a third of the server's time.
"""

from __future__ import annotations

import gc

YOUNG = 10_000  # objects made and not freed before the collector looks for circles among them
DEFAULTS = gc.get_threshold()


def settle() -> None:
    """Look no more at what is here when the server begins, and less often at what comes later.

    Thresholds that somebody has set, the application for example, stay as they are.  Affects the
    whole process, so this is for a process that serves, not for a server inside another program.
    Source: the documentation of Python's gc module.
    """
    gc.collect()
    gc.freeze()
    if gc.get_threshold() == DEFAULTS:
        gc.set_threshold(YOUNG, *DEFAULTS[1:])
