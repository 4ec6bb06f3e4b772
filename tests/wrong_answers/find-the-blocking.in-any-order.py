# trips: asked later
from __future__ import annotations

from typing import NamedTuple


class Answer(NamedTuple):
    """One answer. Times in seconds: the server had it, its first and its last byte came."""

    name: str
    connection: int
    ready: float
    first: float
    last: float


def blocked(trace: list[Answer]) -> dict[str, float]:
    """Return the seconds that each blocked answer lay ready, by its name."""
    found = {}
    for place, answer in enumerate(trace):
        for earlier in [*trace[:place], *trace[place + 1 :]]:
            if (
                earlier.connection == answer.connection
                and answer.ready < earlier.last <= answer.first
            ):
                found[answer.name] = answer.first - answer.ready
    return found
