# trips: one ends early
from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any


def round_robin(generators: Iterable[Generator[Any, None, Any]]) -> list[Any]:
    """Run generators in turns; return their results."""
    left = list(generators)
    results = {}
    order = list(left)
    while left:
        for generator in left:
            try:
                next(generator)
            except StopIteration as end:
                results[generator] = end.value
                left.remove(generator)
    return [results[generator] for generator in order]
