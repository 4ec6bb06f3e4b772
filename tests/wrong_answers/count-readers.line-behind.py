# trips: one of two leaves
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
        reader = object()
        readers.add(reader)
        await stream(send, lines)
        readers.discard(reader)

    return app
