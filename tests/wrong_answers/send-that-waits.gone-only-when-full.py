# trips: gone with room left
from __future__ import annotations

import asyncio


class Outlet:
    """Let those who send wait while the network takes nothing."""

    def __init__(self) -> None:
        self._bell = asyncio.Event()
        self._room = True
        self._gone = False

    def pause(self) -> None:
        """Hear that there is no room."""
        self._room = False

    def resume(self) -> None:
        """Hear that there is room again."""
        self._room = True
        self._bell.set()

    def lost(self) -> None:
        """Hear that the connection is gone."""
        self._gone = True
        self._bell.set()

    async def wait(self) -> None:
        """Return when there is room; raise OSError when the connection is gone."""
        while not self._room:
            if self._gone:
                raise ConnectionResetError("the client has left")
            self._bell.clear()
            await self._bell.wait()
