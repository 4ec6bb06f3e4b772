# trips: an instance for each request
from __future__ import annotations

import inspect
from typing import Any


def to_asgi3(app: Any) -> Any:
    """Return an application to be awaited as ``app(scope, receive, send)``."""
    if len(inspect.signature(app).parameters) == 3:
        return app

    made: list[Any] = []

    async def single(scope: Any, receive: Any, send: Any) -> None:
        if not made:
            made.append(app(scope))
        await made[0](receive, send)

    return single
