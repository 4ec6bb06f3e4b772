"""★★ find-the-blocking-call: one call of this application holds the loop. Which?

``Before`` is the application as it is. It asks a library of the old kind, four calls for each
request, and one of the four blocks. Do not read the library: measure.

In ``Catalogue``, write ``lag(work)``. It awaits the coroutine ``work`` while a heart beats beside
it (a task that sleeps for 10 ms, again and again), and returns by how many seconds the heart was
late at the worst, the last beat counted too. The heart has ended before ``lag`` returns. Find the
call: give ``lag`` coroutines that do a part of ``Before.find``. Then write a ``find`` that does the
same and lets everybody else of the loop go on.

The check measures your heart, then asks four times at once, and compares with asking once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any
from urllib.parse import unquote_plus

from workbench import library


class Before:
    """Tell where a book stands: ``/?title`` (an ASGI application)."""

    async def find(self, title: str) -> str:
        """Return the line for a title."""
        title = library.normalise(title)
        number = library.signature(title)
        shelf = library.shelf_of(title)
        return library.label(title, number, shelf)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        assert scope["type"] == "http"  # it takes no part in lifespan
        line = await self.find(unquote_plus(scope["query_string"].decode()))
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": line.encode()})


class Catalogue(Before):
    """The same application, mended, and a way to measure it."""

    async def lag(self, work: Coroutine[Any, Any, Any]) -> float:
        """Return by how many seconds a heart was late, at the worst, while ``work`` ran."""
        # YOUR CODE HERE
        raise NotImplementedError("your turn")

    async def find(self, title: str) -> str:
        """Return the line for a title, and let everybody else go on meanwhile."""
        # YOUR CODE HERE
        raise NotImplementedError("your turn")
