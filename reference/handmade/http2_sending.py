"""What waits to be sent on the streams of one connection, and whose turn it is (RFC 9113 §5.2).

Responses come in, whole or in parts; pieces go out, one stream after the other, each as large as
the client's windows allow and never larger than PIECE.  So a long download costs a short answer
beside it one piece of waiting, and a stream whose window is shut costs the others nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from .events import End, Response

PIECE = 16384  # bytes: what every client must take in one frame (RFC 9113 §4.2)


@dataclass(slots=True, eq=False)
class Queue:
    """What one stream has still to send: its head, its content, its end."""

    stream_id: int
    head: Response | None = None
    data: deque[bytes | memoryview] = field(default_factory=deque)
    size: int = 0
    end: End | None = None

    def put(self, data: bytes) -> None:
        """Add content."""
        self.data.append(data)
        self.size += len(data)

    @property
    def empty(self) -> bool:
        """True when nothing waits."""
        return self.head is None and not self.data and self.end is None

    @property
    def is_last(self) -> bool:
        """True when what is sent now is the last of the stream."""
        return self.end is not None and not self.data and not self.end.trailers

    def take(self, most: int) -> bytes | memoryview:
        """Take at most so many bytes off the front; small ones are joined to one piece."""
        first = self.data.popleft()
        if len(first) > most:
            first = memoryview(first)
            self.data.appendleft(first[most:])
            first = first[:most]
        elif len(first) < most and self.data:
            parts, room = [first], most - len(first)
            while self.data and len(self.data[0]) <= room:
                parts.append(self.data.popleft())
                room -= len(parts[-1])
            first = b"".join(parts)
        self.size -= len(first)
        return first


class Outbox:
    """Give each stream its turn.  ``send`` moves one piece and returns its size; -1: it cannot."""

    __slots__ = ("_queues", "_send", "_turns")

    def __init__(self, send: Callable[[Queue], int]) -> None:
        self._send = send
        self._queues: dict[int, Queue] = {}  # those in which something waits
        self._turns: deque[Queue] = deque()

    def __bool__(self) -> bool:
        """True when anything waits."""
        return bool(self._turns)

    def queue(self, stream_id: int) -> Queue:
        """Return the queue of a stream, to put something in; it has a turn from now on."""
        queue = self._queues.get(stream_id)
        if queue is None:
            queue = self._queues[stream_id] = Queue(stream_id)
            self._turns.append(queue)
        return queue

    def size(self, stream_id: int) -> int:
        """Return how many bytes of a stream's content wait."""
        queue = self._queues.get(stream_id)
        return queue.size if queue is not None else 0

    def drop(self, stream_id: int) -> None:
        """Forget what waits there."""
        queue = self._queues.pop(stream_id, None)
        if queue is not None and queue in self._turns:  # not while it has its turn
            self._turns.remove(queue)

    def pump(self, room: int) -> int:
        """Send pieces in turn while anything moves and ``room`` bytes are not used up.

        Return what is left of the room: 0 or less means that more could move now.
        """
        turns, stuck = self._turns, 0
        while room > 0 and stuck < len(turns):
            queue = turns.popleft()
            sent = self._send(queue)
            stuck = stuck + 1 if sent < 0 else 0
            room -= max(sent, 0)
            if not queue.empty:
                turns.append(queue)
            else:
                self._queues.pop(queue.stream_id, None)
        return room
