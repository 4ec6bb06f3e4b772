# trips: three pieces, in turn
from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Send a request's body back, piece by piece."""
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    message = await receive()
    while message.get("more_body", False):
        ahead = await receive()
        await send({"type": "http.response.body", "body": message["body"], "more_body": True})
        message = ahead
    if message["type"] != "http.disconnect":
        await send({"type": "http.response.body", "body": message.get("body", b"")})
