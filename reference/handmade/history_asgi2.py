"""ASGI 2 and 3: the double callable, the single one, and the bridge in both directions.

An application comes in, an application of the other kind goes out.  The messages are the same in
both; only the way of calling differs (ASGI Specification 3.0, Legacy Applications).
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from .asgi import Application, Receive, Send

Instance = Callable[[Receive, Send], Awaitable[None]]
Double = Callable[[Any], Instance]


def single_from_double(app: Double) -> Application:
    """Return an ASGI 3 application that makes an instance of an ASGI 2 one for each call."""

    async def single(scope: Any, receive: Receive, send: Send) -> None:
        instance = app(scope)
        await instance(receive, send)

    return single


def double_from_single(app: Application) -> Double:
    """Return an ASGI 2 application: its instance remembers the scope, and nothing else."""

    def double(scope: Any) -> Instance:
        async def instance(receive: Receive, send: Send) -> None:
            await app(scope, receive, send)

        return instance

    return double


def is_double(app: Any) -> bool:
    """Tell an ASGI 2 application by the number of arguments that a call of it needs.

    Where a signature leaves that open, as ``*args`` does, a class is one, and so is what is called
    without ``await``.
    """
    call = app if inspect.isroutine(app) else getattr(app, "__call__", app)  # noqa: B004
    awaited = any(map(inspect.iscoroutinefunction, (app, call)))
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):  # some callables made in C do not tell
        return not awaited
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    needed = [p for p in parameters if p.kind in kinds and p.default is p.empty]
    return {1: True, 3: False}.get(len(needed), inspect.isclass(app) or not awaited)


def guarantee_single(app: Any) -> Application:
    """Return an ASGI 3 application, whichever of the two came in."""
    single: Application = single_from_double(app) if is_double(app) else app
    return single
