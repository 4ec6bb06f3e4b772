"""ASGI 1: server and application never meet; both know a layer of named channels.

Messages come in from any thread and wait in queues until somebody asks for them.  This layer lives
in one process; it takes only what could travel to another one, and copies it, so that nobody can
tell.  Cited as ASGI 1: "ASGI (Asynchronous Server Gateway Interface) Draft Spec", ``docs/asgi.rst``
of Django Channels 1, by section title.  Left out: body channels, server push, statistics, flush.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any

from .asgi_messages import Message
from .gateway import logger

LARGEST = 1_000_000  # bytes of a message ("Channels and Messages": 1 MB)
PATIENCE = 0.1  # seconds that a blocking receive waits ("a built-in timeout")
PLAIN = (bytes, str, int, float, bool, type(None))

Received = tuple[str, Message] | tuple[None, None]
Consumer = Callable[[Message, "ChannelLayer"], object]


class ChannelFull(Exception):
    """The channel holds as many messages as it may: come back later, or give up."""


class MessageTooLarge(Exception):
    """The message is larger than every layer must be able to carry."""


class ChannelLayer:
    """Carry messages from whoever sends to whoever receives; every method may be called anywhere.

    ``capacity`` is how many messages may wait in a channel, ``expiry`` how many seconds each of
    them waits.  ``clock`` returns seconds, ``token`` makes the end of a new channel's name.
    """

    extensions = ("groups", "asyncio")

    def __init__(
        self,
        capacity: int = 100,
        expiry: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        token: Callable[[], str] = lambda: secrets.token_hex(6),
    ) -> None:
        self.capacity = capacity
        self.expiry = expiry
        self._clock = clock
        self._token = token
        self._queues: dict[str, deque[tuple[float, Message]]] = {}
        self._groups: dict[str, set[str]] = defaultdict(set)
        self._watchers: dict[str, list[Callable[[], object]]] = defaultdict(list)
        self._changed = threading.Condition()

    def new_channel(self, pattern: str) -> str:
        """Return a new name: ``http.response!`` becomes ``http.response!5f2c``."""
        if pattern[-1:] not in ("!", "?"):
            raise ValueError(f"{pattern!r} must end in ! or ?")
        return pattern + self._token()

    def send(self, channel: str, message: Message) -> None:
        """Put a message into a channel; never wait.

        Raise ChannelFull and MessageTooLarge ("Capacity"), and TypeError for what cannot travel.
        """
        message = plain(message)
        if weight(message) > LARGEST:
            raise MessageTooLarge(f"a message for {channel} is larger than {LARGEST} bytes")
        with self._changed:
            self._expire()
            queue = self._queues.setdefault(channel, deque())
            if len(queue) >= self.capacity:
                raise ChannelFull(f"{channel} holds {len(queue)} messages already")
            queue.append((self._clock() + self.expiry, message))
            self._changed.notify_all()
            for wake in self._watchers.get(channel, ()):
                wake()

    def receive(self, channels: Sequence[str], block: bool = False) -> Received:
        """Return a channel and its oldest message, or ``(None, None)``.

        No message is given twice: it goes to one reader ("Channels and Messages").
        """
        with self._changed:
            if not any(channel in self._queues for channel in channels) and block:
                self._changed.wait(PATIENCE)
            self._expire()
            for channel in channels:
                if channel in self._queues:
                    _, message = self._queues[channel].popleft()
                    self._drop_if_empty(channel)
                    return channel, message
        return None, None

    async def receive_asyncio(self, channels: Sequence[str], loop: Any) -> tuple[str, Message]:
        """Wait in a loop, without holding it up, until there is a message."""
        while True:
            arrived = loop.create_future()
            wake = Wake(loop, arrived)
            # First watch, then look: a message between the two would wake nobody.
            self._watch(channels, wake)
            try:
                channel, message = self.receive(channels)
                if channel is not None and message is not None:
                    return channel, message
                await arrived
            finally:
                self._unwatch(channels, wake)

    def _watch(self, channels: Sequence[str], wake: Callable[[], object]) -> None:
        with self._changed:
            for channel in channels:
                self._watchers[channel].append(wake)

    def _unwatch(self, channels: Sequence[str], wake: Callable[[], object]) -> None:
        with self._changed:
            for channel in channels:
                self._watchers[channel].remove(wake)
                if not self._watchers[channel]:
                    del self._watchers[channel]

    def _expire(self) -> None:
        """Drop what has waited too long: its reader will never come."""
        now = self._clock()
        for channel in list(self._queues):
            queue = self._queues[channel]
            while queue and queue[0][0] <= now:
                queue.popleft()
            self._drop_if_empty(channel)

    def _drop_if_empty(self, channel: str) -> None:
        if not self._queues[channel]:
            del self._queues[channel]

    # ------------------------------------------------------------ groups

    def group_add(self, group: str, channel: str) -> None:
        """Let a channel get what is sent to a group."""
        with self._changed:
            self._groups[group].add(channel)

    def group_discard(self, group: str, channel: str) -> None:
        """Let it get no more of that."""
        with self._changed:
            self._groups[group].discard(channel)

    def send_group(self, group: str, message: Message) -> None:
        """Send to every channel of a group; those that are full miss it ("Capacity")."""
        with self._changed:
            members = sorted(self._groups[group])
        for channel in members:
            try:
                self.send(channel, message)
            except ChannelFull:
                logger.info("%s is full, and misses a message to %s", channel, group)


class Wake:
    """Wake a task of a loop, from any thread, once."""

    def __init__(self, loop: Any, arrived: Any) -> None:
        self._loop = loop
        self._arrived = arrived

    def __call__(self) -> None:
        """Ask the loop to do it: a future is the loop's own."""
        self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if not self._arrived.done():
            self._arrived.set_result(None)


def plain(value: Any) -> Any:
    """Return a copy of what could be sent to another process; raise TypeError for the rest.

    >>> plain({"status": 200, "headers": [(b"a", b"1")]})
    {'status': 200, 'headers': [[b'a', b'1']]}
    """
    if type(value) in PLAIN:
        return value
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    raise TypeError(f"{type(value).__name__} cannot travel in a message")


def weight(value: Any) -> int:
    """Return about how many bytes a message would be on its way."""
    if isinstance(value, bytes | str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(key) + weight(inner) for key, inner in value.items())
    return sum(map(weight, value)) if isinstance(value, list) else 8


class Worker:
    """Run a consumer for each message of some channels, in a thread, until stopped.

    ``consumers`` maps a channel to ``consumer(message, layer)``.  What one raises is logged, and
    that is all: who waits for its answer is far away.
    """

    def __init__(self, layer: ChannelLayer, consumers: dict[str, Consumer]) -> None:
        self.layer = layer
        self.consumers = consumers
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)

    def __enter__(self) -> Worker:
        """Start."""
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop, when the consumer that runs has ended."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.step()

    def step(self) -> bool:
        """Run the consumer of one message; False when none has come."""
        channel, message = self.layer.receive(list(self.consumers), block=True)
        if channel is None or message is None:
            return False
        try:
            self.consumers[channel](message, self.layer)
        except Exception as error:
            logger.error("a consumer of %s failed: %s", channel, error, exc_info=error)
        return True
