"""★★ asgi2-to-asgi3: one way to call, whichever kind of application came.

An ASGI 2 application is called twice: ``instance = app(scope)``, then ``await instance(receive,
send)``. An ASGI 3 application is called once: ``await app(scope, receive, send)``.

Write ``to_asgi3(app)``, which returns an ASGI 3 application: a new one around an application of
ASGI 2, and ``app`` itself, or one that does the same, where it was of ASGI 3.

Both kinds come as functions and as classes, as objects with a ``__call__``, and as a lambda.
``inspect.signature(app).parameters`` works for all of them. Nobody uses ``*args`` here.

The check serves your applications to real clients, and looks at what comes out of the calls.
"""

from __future__ import annotations

import inspect
from typing import Any


def to_asgi3(app: Any) -> Any:
    """Return an application to be awaited as ``app(scope, receive, send)``."""
    ### BEGIN SOLUTION
    if len(inspect.signature(app).parameters) == 3:
        return app

    async def single(scope: Any, receive: Any, send: Any) -> None:
        instance = app(scope)
        await instance(receive, send)

    return single
    ### END SOLUTION
