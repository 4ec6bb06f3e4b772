"""★★★ broadcast: a room in which everybody hears everybody.

Write ``make_app(most)``, which returns an ASGI application for WebSockets. Whoever connects is
accepted and is in the room; the path without its slash is their name (two may have the same). What
one says, a text, goes to all in the room, themselves too, as ``"ada: hello"``. When one has left,
in whatever way, all others are told ``"ada left"``.

All hear all in the same order. Nobody waits for a slow reader: for each at most ``most`` messages
wait to be sent, and who has no room for another one is closed with code 1013, and has left.

The check is a room of raw clients: some leave without a goodbye, some say much at once, and one
reads nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any


def make_app(most: int) -> Any:
    """Return the application."""
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
