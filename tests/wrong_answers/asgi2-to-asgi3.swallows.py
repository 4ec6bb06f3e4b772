# trips: what it raises
from __future__ import annotations

import inspect
from typing import Any


def to_asgi3(app: Any) -> Any:
    """Return an application to be awaited as ``app(scope, receive, send)``."""
    if len(inspect.signature(app).parameters) == 3:
        return app

    async def single(scope: Any, receive: Any, send: Any) -> None:
        try:
            instance = app(scope)
            await instance(receive, send)
        except Exception as error:
            print(error)

    return single
