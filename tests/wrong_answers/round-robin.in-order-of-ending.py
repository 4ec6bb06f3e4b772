# trips: their results
from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from typing import Any


def round_robin(generators: Iterable[Generator[Any, None, Any]]) -> list[Any]:
    """Run generators in turns; return their results."""
    ready = deque(enumerate(generators))
    results: list[Any] = []
    while ready:
        number, generator = ready.popleft()
        try:
            next(generator)
        except StopIteration as end:
            results.append(end.value)
        else:
            ready.append((number, generator))
    return results
