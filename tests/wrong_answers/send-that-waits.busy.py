# trips: waiting costs nothing
from __future__ import annotations

import asyncio


class Outlet:
    """Let those who send wait while the network takes nothing."""

    def __init__(self) -> None:
        self._room = asyncio.Event()
        self._room.set()
        self._gone = False

    def pause(self) -> None:
        """Hear that there is no room."""
        self._room.clear()

    def resume(self) -> None:
        """Hear that there is room again."""
        self._room.set()

    def lost(self) -> None:
        """Hear that the connection is gone."""
        self._gone = True
        self._room.set()

    async def wait(self) -> None:
        """Return when there is room; raise OSError when the connection is gone."""
        while not (self._gone or self._room.is_set()):
            await asyncio.sleep(0)
        if self._gone:
            raise ConnectionResetError("the client has left")
