"""★★ open-and-close: resources that are opened at startup and closed at shutdown.

Write ``with_resources(app, openers)``, which returns an ASGI application around ``app``. The dict
``openers`` has a coroutine function for each name; called without arguments it returns a resource,
which has a coroutine method ``close()``.

At startup open all, in order, put each into the state under its name, and only then say that the
startup is complete. At shutdown close all, the last one first, then say that the shutdown is
complete.

When an opener raises, close what is open already, the last one first, and send
``lifespan.startup.failed`` with the text of the error as ``message``. When a ``close()`` raises,
still close all the others, and send ``lifespan.shutdown.failed`` in the same way.

Any other scope is a matter of ``app``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any


def with_resources(app: Any, openers: dict[str, Callable[[], Awaitable[Any]]]) -> Any:
    """Return an application that opens resources, runs ``app``, and closes them."""
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
