# trips: the startup fails halfway
from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any


def with_resources(app: Any, openers: dict[str, Callable[[], Awaitable[Any]]]) -> Any:
    """Return an application that opens resources, runs ``app``, and closes them."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await life(scope, receive, send)
        else:
            await app(scope, receive, send)

    async def life(scope: Any, receive: Any, send: Any) -> None:
        async with AsyncExitStack() as stack:
            await receive()
            for name, opener in openers.items():
                resource = scope["state"][name] = await opener()
                stack.push_async_callback(resource.close)
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    return wrapped
