"""★ round-robin: give generators their turns, one after the other.

Write ``round_robin(generators)``. It lets each generator run to its next ``yield``, in the order in
which they are given, then each to its next one, and again, until all have ended. One that has ended
leaves the round. What a generator yields does not matter.

It returns a list of what the generators returned, in the order in which they were given. An error
in a generator comes out of ``round_robin``.

The check writes down who had a turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from typing import Any


def round_robin(generators: Iterable[Generator[Any, None, Any]]) -> list[Any]:
    """Run generators in turns; return their results."""
    ### BEGIN SOLUTION
    ready = deque(enumerate(generators))
    results: list[Any] = [None] * len(ready)
    while ready:
        number, generator = ready.popleft()
        try:
            next(generator)
        except StopIteration as end:
            results[number] = end.value
        else:
            ready.append((number, generator))
    return results
    ### END SOLUTION
