# trips: two in turns
from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any


def round_robin(generators: Iterable[Generator[Any, None, Any]]) -> list[Any]:
    """Run generators in turns; return their results."""
    return [run(generator) for generator in generators]


def run(generator: Generator[Any, None, Any]) -> Any:
    """Run one to its end."""
    result = yield_from(generator)
    for _ in result:
        pass
    return result.value


class yield_from:
    """A generator that keeps its value."""

    def __init__(self, generator: Generator[Any, None, Any]) -> None:
        self.generator = generator
        self.value: Any = None

    def __iter__(self) -> Generator[Any, None, None]:
        self.value = yield from self.generator
