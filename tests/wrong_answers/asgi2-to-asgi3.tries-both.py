# trips: a TypeError of its own
from __future__ import annotations

from typing import Any


def to_asgi3(app: Any) -> Any:
    """Return an application to be awaited as ``app(scope, receive, send)``."""

    async def single(scope: Any, receive: Any, send: Any) -> None:
        try:
            instance = app(scope)
        except TypeError:
            await app(scope, receive, send)
        else:
            await instance(receive, send)

    return single
