"""What an X-ray puts around the engine of an HTTP/2 connection, to listen.

It notes what ``workbench.taps.EngineTap`` notes for HTTP/1.1, and of each event the stream that it
belongs to. Frames are named by ``workbench.http2_bytes``, which reads them by itself. Nothing is
changed: no byte, no event, no order.
"""

from __future__ import annotations

from typing import Any

from handmade.events import PeerError
from handmade.http2_events import ConnectionFailed
from workbench.http2_bytes import Teller
from workbench.taps import Record, _event


class Http2Tap:
    """A ``handmade.http2.Connection``, watched."""

    def __init__(self, engine: Any, x: Record, number: int) -> None:
        self._engine = engine
        self._x = x
        self._number = number
        self._went = Teller()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def _note(self, source: str, target: str, label: str, *told: Any, bad: bool = False) -> None:
        self._x.note(source, target, label, *told, bad=bad, connection=self._number)

    def receive(self, data: bytes) -> None:
        """Take bytes."""
        what = f"{len(data)} bytes" if data else "b'': the end"
        self._note("socket", "engine", "receive", what)
        self._engine.receive(data)

    def next_event(self) -> Any:
        """Return the next event."""
        try:
            event = self._engine.next_event()
        except ConnectionFailed as error:
            self._note("engine", "gateway", "ConnectionFailed", str(error), bad=True)
            raise
        name = getattr(event, "name", type(event).__name__)
        if name == "NEED_DATA":
            self._note("engine", "socket", name)
        else:
            self._note("engine", "gateway", name, *_told(event))
        return event

    def put(self, event: Any, stream_id: int) -> None:
        """Let an event wait to be sent."""
        self._note("gateway", "engine", type(event).__name__, *_told(event, stream_id))
        try:
            self._engine.put(event, stream_id)
        except Exception as error:
            name = type(error).__name__
            self._note("engine", "gateway", name, str(error), bad=True)
            raise

    def outgoing(self, *room: int) -> bytes:
        """Return what is to be sent."""
        data: bytes = self._engine.outgoing(*room)
        if data:
            self._note("engine", "socket", "bytes", self._went.told(data), data)
        return data


def _told(event: Any, stream_id: int | None = None) -> tuple[str, bytes]:
    """Say what an event is about, its stream first."""
    number = getattr(event, "stream_id", 0) if stream_id is None else stream_id
    stream = f"stream {number}" if number else "connection"
    error = getattr(event, "error", None)
    if isinstance(error, PeerError):
        return f"{stream}: {error}", b""
    if hasattr(event, "code"):
        return f"{stream}: {getattr(event.code, 'name', event.code)}", b""
    detail, data = _event(event)
    return f"{stream}: {detail}" if detail else stream, data
