"""★ count-readers: a stream that knows how many clients are reading.

Given: ``stream(send, lines)``, which sends a response of so many lines, one every 10 ms.

Write ``make_app(readers, lines)``, which returns an ASGI application. ``readers`` is a set: while a
request is being streamed the set holds one object for it (any object, for example ``object()``),
and afterwards no more, however it ended. The stream may come to its end, its client may leave (then
``stream`` raises OSError), or the server may cancel the request. What ``stream`` raises goes on to
the server.

The check reads with three clients at once, to the end; leaves in the middle; and stops the server
while somebody reads.
"""

from __future__ import annotations

import asyncio
from typing import Any


async def stream(send: Any, lines: int) -> None:
    """Send a response of so many lines."""
    await send({"type": "http.response.start", "status": 200})
    for number in range(lines):
        line = b"line %d\n" % number
        await send({"type": "http.response.body", "body": line, "more_body": True})
        await asyncio.sleep(0.01)
    await send({"type": "http.response.body", "body": b""})


def make_app(readers: set[object], lines: int) -> Any:
    """Return the application."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"  # it takes no part in lifespan
        ### BEGIN SOLUTION
        reader = object()
        readers.add(reader)
        try:
            await stream(send, lines)
        finally:
            readers.discard(reader)
        ### END SOLUTION

    return app
