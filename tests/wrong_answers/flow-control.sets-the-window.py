# trips: new settings
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
        if stream == 0:
            self.connection += size
        else:
            self.windows[stream] = self.windows.get(stream, self.initial) + size
        self.pump()

    def settings(self, window: int) -> None:
        """Change the windows of all streams by the difference."""
        self.initial = window
        for stream in self.windows:
            self.windows[stream] = window
        self.pump()

    def pump(self) -> None:
        """Give each stream its turn; end when nobody can use one."""
        stuck = 0
        while stuck < len(self.waiting):
            stream, data = next(iter(self.waiting.items()))
            del self.waiting[stream]
            size = min(len(data), FRAME, self.connection, self.windows[stream])
            stuck = stuck + 1 if size <= 0 else 0
            if size > 0:
                self.connection -= size
                self.windows[stream] -= size
                self.write(stream, data[:size])
                data = data[size:]
            if data:
                self.waiting[stream] = data  # behind all others: a dict keeps the order
