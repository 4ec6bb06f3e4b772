# trips: one ends early
from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any


def round_robin(generators: Iterable[Generator[Any, None, Any]]) -> list[Any]:
    """Run generators in turns; return their results."""
    given = list(generators)
    results: list[Any] = [None] * len(given)
    while given:
        for number, generator in enumerate(given):
            try:
                next(generator)
            except StopIteration as end:
                results[number] = end.value
                return results
    return results
