"""A WebSocket by hand (RFC 6455), from the end of its handshake on: bytes in, messages out.

The surface is an engine's: ``receive`` takes bytes, ``next_event`` gives what they mean, and for
each kind of frame a method returns the bytes to send.  Whose bytes they are, how long one may wait,
and who answers a Ping or a Close, is not known here.

>>> connection = Connection()
>>> connection.receive(bytes.fromhex("81 85 37fa213d 7f9f4d5158"))
>>> connection.next_event(), connection.next_event()
(Text(data='Hello'), <Signal.NEED_DATA: 'feed me bytes'>)
>>> connection.text("Hello")
b'\\x81\\x05Hello'
"""

from __future__ import annotations

from collections.abc import Callable

from .events import OurError
from .websocket_deflate import Agreed
from .websocket_events import (
    NEED_DATA,
    Binary,
    Close,
    Closed,
    Event,
    Ping,
    Pong,
    Text,
    WebSocketError,
    WebSocketLimits,
)
from .websocket_frames import (
    BINARY,
    CLOSE,
    FIN,
    PING,
    PONG,
    RSV1,
    SHORT,
    TEXT,
    close_payload,
    encode_text,
    frame,
)
from .websocket_receiving import Receiver
from .websocket_states import SENDING, Receiving, Sending
from .websocket_zlib import Deflater, Inflater, streams

DEFAULT_LIMITS = WebSocketLimits()


class Connection(Receiver):
    """Speak WebSocket on one connection, as the server, or with ``client`` as the client.

    ``agreed`` is what both have said of compression.  A client masks what it sends: ``mask``
    returns 4 unpredictable bytes for each frame (RFC 6455 §5.3); without it ValueError is raised.
    """

    __slots__ = ("_deflater", "_mask", "sending")

    def __init__(
        self,
        limits: WebSocketLimits = DEFAULT_LIMITS,
        agreed: Agreed | None = None,
        client: bool = False,
        mask: Callable[[], bytes] | None = None,
    ) -> None:
        if client and mask is None:
            raise ValueError("a client masks its frames: pass mask (RFC 6455 §5.3)")
        self._deflater: Deflater | None = None
        inflater: Inflater | None = None
        if agreed is not None:
            self._deflater, inflater = streams(agreed, client=client)
        super().__init__(limits, inflater, masked=not client)
        self.sending = Sending.OPEN
        self._mask = mask if client else None

    @property
    def closed(self) -> bool:
        """True when a Close went both ways: the server ends the connection (RFC 6455 §7.1.1)."""
        return self.receiving is Receiving.CLOSED and self.sending is Sending.CLOSED

    def text(self, data: str) -> bytes:
        """Return the frame of a text message.  Raise OurError behind our Close."""
        return self._write(FIN | TEXT, Text, encode_text(data))

    def binary(self, data: bytes) -> bytes:
        """Return the frame of a binary message.  Raise OurError behind our Close."""
        return self._write(FIN | BINARY, Binary, data)

    def ping(self, data: bytes = b"") -> bytes:
        """Return a Ping, which the peer answers (RFC 6455 §5.5.2).  Raise OurError: see pong."""
        return self._control(FIN | PING, Ping, data)

    def pong(self, data: bytes) -> bytes:
        """Return a Pong, which answers the Ping with the same data (RFC 6455 §5.5.3).

        Raise OurError for more than 125 bytes (§5.5).
        """
        return self._control(FIN | PONG, Pong, data)

    def close(self, code: int | None = 1000, reason: str = "") -> bytes:
        """Return our Close, the first or the answer to the peer's (RFC 6455 §5.5.1).

        Raise OurError for a code that may not be sent (§7.4), for a reason of over 123 bytes, and
        for a second Close.
        """
        payload = close_payload(code, reason)
        data = self._control(FIN | CLOSE, Close, payload)
        self.sending = SENDING[self.sending, Close]
        return data

    def _write(self, first: int, kind: type, payload: bytes) -> bytes:
        if (self.sending, kind) not in SENDING:
            raise self._too_late(kind)
        if self._deflater is not None:
            first, payload = first | RSV1, self._deflater.message(payload)
        elif self._mask is None and len(payload) < 126:
            return SHORT[first][len(payload)] + payload
        return frame(first, payload, self._mask() if self._mask else b"")

    def _control(self, first: int, kind: type, payload: bytes) -> bytes:
        if (self.sending, kind) not in SENDING:
            raise self._too_late(kind)
        if len(payload) > 125:
            raise OurError(
                f"a control frame has at most 125 bytes, not {len(payload)} (RFC 6455 §5.5)"
            )
        return frame(first, payload, self._mask() if self._mask else b"")

    def _too_late(self, kind: type) -> OurError:
        return OurError(f"{kind.__name__} cannot be sent: {self.sending.value} (RFC 6455 §5.5.1)")


__all__ = [
    "NEED_DATA",
    "Binary",
    "Close",
    "Closed",
    "Connection",
    "Event",
    "Ping",
    "Pong",
    "Text",
    "WebSocketError",
    "WebSocketLimits",
]
