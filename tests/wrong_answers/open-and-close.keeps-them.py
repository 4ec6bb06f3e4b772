# trips: open before the first request
from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any


def with_resources(app: Any, openers: dict[str, Callable[[], Awaitable[Any]]]) -> Any:
    """Return an application that opens resources, runs ``app``, and closes them."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await life(scope, receive, send)
        else:
            await app(scope, receive, send)

    async def life(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        opened = [await opener() for opener in openers.values()]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for resource in reversed(opened):
            await resource.close()
        await send({"type": "lifespan.shutdown.complete"})

    return wrapped
