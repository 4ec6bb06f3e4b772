# trips: two in turns
from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from typing import Any


def round_robin(generators: Iterable[Generator[Any, None, Any]]) -> list[Any]:
    """Run generators in turns; return their results."""
    line = deque(enumerate(generators))
    results: list[Any] = [None] * len(line)
    while line:
        number, generator = line.popleft()
        try:
            next(generator)
        except StopIteration as end:
            results[number] = end.value
        line.append((number, generator))
    return results
