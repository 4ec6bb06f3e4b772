# trips: each channel its own
from __future__ import annotations

import asyncio
import copy
from typing import Any


class Full(Exception):
    """The channel holds as many messages as it may."""


class Layer:
    """Carry messages between coroutines."""

    def __init__(self, capacity: int) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue(capacity)

    def send(self, channel: str, message: dict[str, Any]) -> None:
        """Put a message into a channel; raise Full."""
        try:
            self.queue.put_nowait((channel, copy.deepcopy(message)))
        except asyncio.QueueFull:
            raise Full(channel) from None

    async def put(self, channel: str, message: dict[str, Any]) -> None:
        """Put a message into a channel, as soon as there is room."""
        await self.queue.put((channel, copy.deepcopy(message)))

    async def receive(self, *channels: str) -> tuple[str, dict[str, Any]]:
        """Wait for a message in one of these channels, and return it."""
        while True:
            channel, message = await self.queue.get()
            if channel in channels:
                return channel, message
            await self.queue.put((channel, message))
            await asyncio.sleep(0.01)
