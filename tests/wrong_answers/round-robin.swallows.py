# trips: an error in one of them
from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from typing import Any


def round_robin(generators: Iterable[Generator[Any, None, Any]]) -> list[Any]:
    """Run generators in turns; return their results."""
    ready = deque(enumerate(generators))
    results: list[Any] = [None] * len(ready)
    while ready:
        number, generator = ready.popleft()
        try:
            next(generator)
        except Exception as end:
            results[number] = getattr(end, "value", None)
        else:
            ready.append((number, generator))
    return results
