"""★★★ channel-layer: named queues for coroutines, with a capacity.

Write ``Layer(capacity)`` with three methods. Messages are dicts.

``send(channel, message)`` puts a copy of the message into a channel and never waits. It raises
``Full`` where ``capacity`` messages wait in that channel already.

``await put(channel, message)`` does the same, but waits while the channel is full.

``await receive(*channels)`` returns ``(channel, message)``: the oldest message of the first of
these channels that has one. It waits while none has. A message goes to one reader, also when a
reader that waits is cancelled in the very moment in which a message comes.
Whoever else waits then waits on.

All in one loop, no threads; who waits burns no processor. You may use what asyncio has.

The check lets readers and senders wait, cancels some, and lets a server answer 503 when a channel
is full.
"""

from __future__ import annotations

import asyncio
import copy
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any


class Full(Exception):
    """The channel holds as many messages as it may."""


class Layer:
    """Carry messages between coroutines."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        ### BEGIN SOLUTION
        self.queues: dict[str, deque[dict[str, Any]]] = defaultdict(deque)
        self.waiting: list[asyncio.Future[None]] = []
        ### END SOLUTION

    def send(self, channel: str, message: dict[str, Any]) -> None:
        """Put a message into a channel; raise Full."""
        ### BEGIN SOLUTION
        if len(self.queues[channel]) >= self.capacity:
            raise Full(channel)
        self.queues[channel].append(copy.deepcopy(message))
        self.wake()
        ### END SOLUTION

    async def put(self, channel: str, message: dict[str, Any]) -> None:
        """Put a message into a channel, as soon as there is room."""
        ### BEGIN SOLUTION
        await self.until(lambda: len(self.queues[channel]) < self.capacity)
        self.send(channel, message)
        ### END SOLUTION

    async def receive(self, *channels: str) -> tuple[str, dict[str, Any]]:
        """Wait for a message in one of these channels, and return it."""
        ### BEGIN SOLUTION
        await self.until(lambda: any(self.queues[channel] for channel in channels))
        channel = next(channel for channel in channels if self.queues[channel])
        message = self.queues[channel].popleft()
        self.wake()
        return channel, message

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is true, looking again whenever anything has changed."""
        while not true():
            changed = asyncio.get_running_loop().create_future()
            self.waiting.append(changed)
            try:
                await changed
            finally:
                self.waiting.remove(changed)

    def wake(self) -> None:
        """Let all who wait look again."""
        for changed in self.waiting:
            if not changed.done():
                changed.set_result(None)
        ### END SOLUTION
