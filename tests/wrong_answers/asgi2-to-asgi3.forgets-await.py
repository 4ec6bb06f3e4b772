# trips: to its end
from __future__ import annotations

import asyncio
import inspect
from typing import Any

TASKS: set[Any] = set()


def to_asgi3(app: Any) -> Any:
    """Return an application to be awaited as ``app(scope, receive, send)``."""
    if len(inspect.signature(app).parameters) == 3:
        return app

    async def single(scope: Any, receive: Any, send: Any) -> None:
        instance = app(scope)
        task = asyncio.ensure_future(instance(receive, send))
        TASKS.add(task)

    return single
