"""A library of the old kind, for the exercise find-the-blocking-call: none of it knows of a loop.

Some of its functions are quick. Which of them wait, and for what, its documentation does not say,
as with real ones: measure.
"""

from __future__ import annotations

import hashlib
import threading

FAR = 0.1  # seconds: the catalogue is on another machine
SHELVES = {"sockets": "A4", "parsers": "B1", "loops": "C7"}


def normalise(title: str) -> str:
    """Return a title as the catalogue has it."""
    return " ".join(title.casefold().split())


def signature(title: str) -> str:
    """Return the number under which a title is kept."""
    digest = title.encode()
    for _ in range(200):
        digest = hashlib.sha256(digest).digest()
    return digest.hex()[:8]


def shelf_of(title: str) -> str:
    """Return the shelf on which a title stands, "-" for none."""
    threading.Event().wait(FAR)
    return SHELVES.get(title, "-")


def label(title: str, number: str, shelf: str) -> str:
    """Return the line that the reader gets."""
    return f"{title}: shelf {shelf}, number {number}\n"
