# trips: three wait
from __future__ import annotations

import asyncio


class Outlet:
    """Let those who send wait while the network takes nothing."""

    def __init__(self) -> None:
        self._full = False
        self._waiter: asyncio.Future[None] | None = None
        self._gone = False

    def pause(self) -> None:
        """Hear that there is no room."""
        self._full = True

    def resume(self) -> None:
        """Hear that there is room again."""
        self._full = False
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def lost(self) -> None:
        """Hear that the connection is gone."""
        self._gone = True
        self.resume()

    async def wait(self) -> None:
        """Return when there is room; raise OSError when the connection is gone."""
        while self._full and not self._gone:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self._gone:
            raise ConnectionResetError("the client has left")
