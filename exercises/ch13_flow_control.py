"""★★★ flow-control: a sender that stalls. Mend it.

`Stalling` sends the content of many streams on one connection of HTTP/2. ``write(stream, data)`` is
one DATA frame. It never sends more than the client's windows allow, and it stalls: sometimes
nothing moves although something could. Write ``Sender``, a subclass, that

- moves whatever can move, after every call, and never more than the windows allow;
- lets no stream wait for another one whose own window is empty;
- gives every stream its turn, a frame each, also when the connection's window opens by a little
  at a time;
- takes a new initial window as RFC 9113 §6.9.2 says: every open stream's window changes by the
  difference, and may become negative; the connection's does not change;
- takes an update for a stream on which nothing was sent so far.
"""

from __future__ import annotations

from collections.abc import Callable

FRAME = 16384  # bytes of content in one frame, at most


class Stalling:
    """Send what the windows allow. It has bugs."""

    def __init__(self, write: Callable[[int, bytes], object], window: int = 65535) -> None:
        self.write = write
        self.initial = window  # of a new stream
        self.connection = 65535
        self.windows: dict[int, int] = {}
        self.waiting: dict[int, bytes] = {}

    def send(self, stream: int, data: bytes) -> None:
        """Send this on a stream, as soon as it may be sent."""
        self.windows.setdefault(stream, self.initial)
        self.waiting[stream] = self.waiting.get(stream, b"") + data
        self.pump()

    def window_update(self, stream: int, size: int) -> None:
        """Hear that so many bytes more may be sent: on a stream, or with 0 on the connection."""
        if stream == 0:
            self.connection += size
        else:
            self.windows[stream] += size
            self.pump()

    def settings(self, window: int) -> None:
        """Hear of a new SETTINGS_INITIAL_WINDOW_SIZE."""
        self.initial = window

    def pump(self) -> None:
        """Write what can be written."""
        for stream in list(self.waiting):
            while data := self.waiting[stream]:
                size = min(len(data), FRAME, self.connection, self.windows[stream])
                if size <= 0:
                    return
                self.write(stream, data[:size])
                self.waiting[stream] = data[size:]
                self.connection -= size
                self.windows[stream] -= size


class Sender(Stalling):
    """Send what the windows allow, and whatever they allow."""

    def window_update(self, stream: int, size: int) -> None:
        """Open a window, and send what it lets through."""
        # YOUR CODE HERE
        raise NotImplementedError("your turn")

    def settings(self, window: int) -> None:
        """Change the windows of all open streams, and send what they let through."""
        # YOUR CODE HERE
        raise NotImplementedError("your turn")

    def pump(self) -> None:
        """Write what can be written, a frame of each stream in turn."""
        # YOUR CODE HERE
        raise NotImplementedError("your turn")
