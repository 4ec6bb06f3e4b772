# trips: the others wait on
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
        self.queues: dict[str, deque[dict[str, Any]]] = defaultdict(deque)
        self.changed: asyncio.Future[None] | None = None

    def send(self, channel: str, message: dict[str, Any]) -> None:
        """Put a message into a channel; raise Full."""
        if len(self.queues[channel]) >= self.capacity:
            raise Full(channel)
        self.queues[channel].append(copy.deepcopy(message))
        self.wake()

    async def put(self, channel: str, message: dict[str, Any]) -> None:
        """Put a message into a channel, as soon as there is room."""
        await self.until(lambda: len(self.queues[channel]) < self.capacity)
        self.send(channel, message)

    async def receive(self, *channels: str) -> tuple[str, dict[str, Any]]:
        """Wait for a message in one of these channels, and return it."""
        await self.until(lambda: any(self.queues[channel] for channel in channels))
        channel = next(channel for channel in channels if self.queues[channel])
        message = self.queues[channel].popleft()
        self.wake()
        return channel, message

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is true, looking again whenever anything has changed."""
        while not true():
            if self.changed is None or self.changed.done():
                self.changed = asyncio.get_running_loop().create_future()
            await self.changed

    def wake(self) -> None:
        """Let all who wait look again."""
        if self.changed is not None and not self.changed.done():
            self.changed.set_result(None)
