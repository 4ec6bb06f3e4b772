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
        # YOUR CODE HERE
        raise NotImplementedError("your turn")

    def send(self, channel: str, message: dict[str, Any]) -> None:
        """Put a message into a channel; raise Full."""
        # YOUR CODE HERE
        raise NotImplementedError("your turn")

    async def put(self, channel: str, message: dict[str, Any]) -> None:
        """Put a message into a channel, as soon as there is room."""
        # YOUR CODE HERE
        raise NotImplementedError("your turn")

    async def receive(self, *channels: str) -> tuple[str, dict[str, Any]]:
        """Wait for a message in one of these channels, and return it."""
        # YOUR CODE HERE
        raise NotImplementedError("your turn")
