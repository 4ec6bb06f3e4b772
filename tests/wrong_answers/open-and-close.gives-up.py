# trips: one does not close
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
        opened: list[Any] = []
        try:
            for name, opener in openers.items():
                scope["state"][name] = await opener()
                opened.insert(0, scope["state"][name])
        except Exception as error:
            for resource in opened:
                await resource.close()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            for resource in opened:
                await resource.close()
        except Exception as error:
            await send({"type": "lifespan.shutdown.failed", "message": str(error)})
        else:
            await send({"type": "lifespan.shutdown.complete"})

    return wrapped
