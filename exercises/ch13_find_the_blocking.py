"""★★ find-the-blocking: who lay ready and had to wait for another answer?

Write ``blocked(trace)``. ``trace`` is a list of `Answer`, in the order in which they were asked
for. Return a dict: for each answer that was blocked, by name, the seconds that this took.

Blocked is an answer that was ready while one asked for *earlier* on the *same connection* had not
yet come to its end, and that began only when that one had ended, at that moment or later. What it
lost is the time from being ready to its first byte.

An answer that was late because the server was slow is not blocked, nor is one that shares its
connection in turns.
"""

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
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
