# trips: a heart that is free
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
        worst = 0.0

        async def heart() -> None:
            nonlocal worst
            while True:
                due = time.monotonic() + 0.01
                await asyncio.sleep(0.01)
                worst = max(worst, time.monotonic() - due)

        beating = asyncio.create_task(heart())
        await asyncio.sleep(0)  # let it begin: before the work, not behind it
        try:
            await work
            await asyncio.sleep(0.02)  # one beat more: the late one comes when the work is over
        finally:
            beating.cancel()
        return worst

    async def find(self, title: str) -> str:
        """Return the line for a title, and let everybody else go on meanwhile."""
        title = library.normalise(title)
        number = library.signature(title)
        shelf = await asyncio.to_thread(library.shelf_of, title)
        return library.label(title, number, shelf)
