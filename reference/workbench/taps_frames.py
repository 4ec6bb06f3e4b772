"""What an X-ray puts around the engine of a WebSocket, to listen.

Bytes, frames and events in both directions become rows; nothing of them changes.  Frames are named
by ``workbench.frames``, which reads them by itself.
"""

from __future__ import annotations

from typing import Any

from handmade.websocket import WebSocketError
from workbench.frames import Reader
from workbench.taps import Record, bytes_told


class FramesTap:
    """A ``handmade.websocket.Connection``, watched."""

    def __init__(self, frames: Any, x: Record, number: int) -> None:
        self._frames = frames
        self._x = x
        self._number = number
        self._came, self._went = Reader(), Reader()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._frames, name)

    def _note(self, source: str, target: str, label: str, *told: Any, bad: bool = False) -> None:
        self._x.note(source, target, label, *told, bad=bad, connection=self._number)

    def receive(self, data: bytes) -> None:
        """Take bytes; the row names the frames that they complete."""
        told = (self._came.told(data), data) if data else ("b'': the end", b"")
        self._note("socket", "engine", "receive", *told)
        self._frames.receive(data)

    def next_event(self) -> Any:
        """Return the next event."""
        try:
            event = self._frames.next_event()
        except WebSocketError as error:
            self._note("engine", "gateway", "WebSocketError", str(error), bad=True)
            raise
        name = getattr(event, "name", type(event).__name__)
        if name == "NEED_DATA":
            self._note("engine", "socket", name)
        else:
            self._note("engine", "gateway", name, *_event_told(event))
        return event

    def text(self, data: str) -> bytes:
        """Return a text message's bytes."""
        return self._sent("text", *_told(data), self._frames.text(data))

    def binary(self, data: bytes) -> bytes:
        """Return a binary message's bytes."""
        return self._sent("binary", *_told(data), self._frames.binary(data))

    def ping(self, data: bytes = b"") -> bytes:
        """Return a ping's bytes."""
        return self._sent("ping", *_told(data), self._frames.ping(data))

    def pong(self, data: bytes = b"") -> bytes:
        """Return a pong's bytes."""
        return self._sent("pong", *_told(data), self._frames.pong(data))

    def close(self, code: int | None = 1000, reason: str = "") -> bytes:
        """Return a close's bytes."""
        return self._sent("close", _close_told(code, reason), b"", self._frames.close(code, reason))

    def _sent(self, label: str, detail: str, data: bytes, made: bytes) -> bytes:
        self._note("gateway", "engine", label, detail, data)
        self._note("engine", "socket", "bytes", self._went.told(made), made)
        return made


def _told(data: Any) -> tuple[str, bytes]:
    """Say what a message carries, and return the bytes of it."""
    if isinstance(data, str):
        return _cut(data), b""
    return bytes_told(bytes(data)) if data else ("", b"")


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}..., {len(text)} characters"


def _event_told(event: Any) -> tuple[str, bytes]:
    if hasattr(event, "code"):
        return _close_told(event.code, event.reason), b""
    return _told(getattr(event, "data", b""))


def _close_told(code: int | None, reason: str) -> str:
    return f"{code or 'no code'} {reason}".rstrip()
