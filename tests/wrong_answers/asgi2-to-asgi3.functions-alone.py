# trips: an object of ASGI 3
from __future__ import annotations

import inspect
from typing import Any


def to_asgi3(app: Any) -> Any:
    """Return an application to be awaited as ``app(scope, receive, send)``."""
    if inspect.iscoroutinefunction(app):
        return app

    async def single(scope: Any, receive: Any, send: Any) -> None:
        instance = app(scope)
        await instance(receive, send)

    return single
