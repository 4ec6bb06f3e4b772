"""★★★ send-that-waits: backpressure by hand.

Write the class ``Outlet``: what stands between a transport and all coroutines that send on one
connection. The transport calls three plain methods, in the thread of the loop: ``pause()`` when its
buffer is full, ``resume()`` when it has room again, ``lost()`` when the connection is gone. Whoever
sends calls ``await outlet.wait()`` behind each write.

``wait()`` returns at once while there is room. It waits while there is none, however many wait, and
costs nothing meanwhile. When the connection is gone it raises OSError, for those who wait already
and for those who come later. When it returns there is room *now*: if ``pause()`` comes behind a
``resume()``, before those who wait had their turn, they wait on.

The check calls the methods in many orders, then builds your class into our server and lets a
client read nothing of 80 MB.
"""

from __future__ import annotations

import asyncio


class Outlet:
    """Let those who send wait while the network takes nothing."""

    def __init__(self) -> None:
        ### BEGIN SOLUTION
        self._room = asyncio.Event()
        self._room.set()
        self._gone = False
        ### END SOLUTION

    def pause(self) -> None:
        """Hear that there is no room."""
        ### BEGIN SOLUTION
        self._room.clear()
        ### END SOLUTION

    def resume(self) -> None:
        """Hear that there is room again."""
        ### BEGIN SOLUTION
        self._room.set()
        ### END SOLUTION

    def lost(self) -> None:
        """Hear that the connection is gone."""
        ### BEGIN SOLUTION
        self._gone = True
        self._room.set()
        ### END SOLUTION

    async def wait(self) -> None:
        """Return when there is room; raise OSError when the connection is gone."""
        ### BEGIN SOLUTION
        while not (self._gone or self._room.is_set()):
            await self._room.wait()
        if self._gone:
            raise ConnectionResetError("the client has left")
        ### END SOLUTION
