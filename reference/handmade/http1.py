"""HTTP/1.1 on one connection, by hand: the state machine between reading and writing.

Bytes come in by ``receive`` and leave as events by ``next_event``; events come in by ``send`` and
leave as bytes.  Whose bytes they are, and how long one may wait for them, is not known here.

>>> connection = Connection()
>>> connection.receive(b"GET /hello HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
>>> connection.next_event().target, connection.next_event(), connection.next_event()
(b'/hello', End(trailers=(), stream_id=0), <Signal.PAUSED: 'the next request ...'>)
>>> connection.send(Response(204)) + connection.send(End())
b'HTTP/1.1 204 No Content\\r\\n\\r\\n'
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from . import http1_reading, http1_writing
from .events import (
    NEED_DATA,
    PAUSED,
    Closed,
    Data,
    End,
    Event,
    Informational,
    Limits,
    Outgoing,
    PeerError,
    Request,
    Response,
)
from .http1_heads import encode_head
from .http1_states import (
    BROKEN,
    HEAD,
    IDLE,
    OWED,
    READ,
    READING,
    WRITING,
    WRITTEN,
    BothSides,
    Reading,
)


class Connection(BothSides):
    """Speak HTTP/1.1 as the server, on one connection, one request after the other.

    A pipelined request stays unread until the one before it is answered: that keeps answers in
    order (RFC 9112 §9.3.2) and bounds what a client can make us hold.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        super().__init__()
        self._scanned = 0
        self._keep_alive = True
        self._invite = False
        self._request: Request | None = None
        self._reader: http1_reading.BodyReader = http1_reading.NO_BODY
        self._writer: http1_writing.BodyWriter = http1_writing.NoBodyWriter()

    # ------------------------------------------------------------ bytes in, events out

    def receive(self, data: bytes) -> None:
        """Take bytes from the client; ``b""`` means that it will send no more."""
        if self._eof or self.reading is BROKEN:
            return
        self._eof = not data
        self._buf += data

    def next_event(self) -> Event:
        """Return the next event, or NEED_DATA, or PAUSED.

        Raise PeerError when the client breaks the protocol; nothing can be read after that.
        """
        try:
            event = self._READERS[self.reading](self)
        except PeerError:
            self.give_up()
            raise
        if event is NEED_DATA and self._eof:
            return self._at_eof()
        return event

    def _read_head(self) -> Event:
        """Read a request's head when all of it is here."""
        buf = self._buf
        if not self._scanned and buf.startswith(b"\r\n"):
            del buf[:2]  # RFC 9112 §2.2: ignore an empty line before a request; one will do.
            self._scanned = 1
        if not buf or buf == b"\r":
            return NEED_DATA
        head = http1_reading.read_head(buf, self.limits, self._scanned)
        if head is None:
            self._scanned = len(buf)
            return NEED_DATA
        self._scanned = 0
        self.reading = READING[self.reading, Request]
        self.writing = WRITING[self.writing, Request]
        self._request = head.request
        self._invite = head.request.expects_continue
        self._reader = head.body
        self._keep_alive = self._keep_alive and head.keep_alive
        return head.request

    def _read_body(self) -> Event:
        """Read what has come of the body."""
        event = self._reader.read(self._buf)
        if event is None:
            return NEED_DATA
        self._invite = False
        self.reading = READING[self.reading, type(event)]
        return event

    def _at_eof(self) -> Event:
        """Say what the end of the client's bytes means where it came."""
        if self.reading is HEAD and not self._buf:
            self.reading = READING[self.reading, Closed]
            return Closed()
        self.give_up()
        raise PeerError(400, "the client closed in the middle of its request (RFC 9112 §8)")

    def give_up(self) -> None:
        """Read no more.  A client that has had no answer yet is owed one: what was wrong."""
        if self.writing is IDLE:
            self.writing = OWED
            method = b"HEAD" if self._buf.startswith(b"HEAD ") else b"GET"
            # RFC 9112 §6.1: chunked goes only to who has said 1.1, and that was not understood.
            self._request = Request(method, b"/", (), b"1.0")
        self.reading = BROKEN
        self._keep_alive = False
        self._buf.clear()

    def hand_over(self) -> bytes:
        """Return what came behind the request: the client speaks another protocol there."""
        self.reading = BROKEN
        return bytes(self._buf)

    _READERS: ClassVar[dict[Reading, Callable[[Connection], Event]]] = {
        Reading.HEAD: _read_head,
        Reading.BODY: _read_body,
        Reading.DONE: lambda self: PAUSED,
        Reading.CLOSED: lambda self: Closed(),
        Reading.FAILED: BothSides._refuse,
    }

    # ------------------------------------------------------------ events in, bytes out

    def send(self, event: Outgoing) -> bytes:
        """Return the bytes that carry ``event``.

        Raise OurError when the event may not come now, or cannot be written as it is; the state
        is then as it was, so an error response can still take its place.
        """
        kind = type(event)
        state = self._after(kind)
        if kind is Data:
            return self._writer.data(event.data)  # type: ignore[union-attr]  # kind tells mypy nothing
        data = self._WRITERS[kind](self, event)
        self.writing = state
        if state is WRITTEN and self._is_over:
            self.reading, self.writing = HEAD, IDLE
        return data

    def _write_head(self, response: Response) -> bytes:
        """Write the response's head and choose its framing (RFC 9112 §6)."""
        request = self._request or Request(b"GET", b"/", ())
        # RFC 9112 §9.3: unless we read the whole request, its rest would be taken for the next one.
        keep_alive = self._keep_alive and self.reading is READ
        method = b"HEAD" if request.method == b"HEAD" else b"GET"
        head = encode_head(
            response.status,
            response.reason,
            tuple(response.fields),
            method,
            request.version,
            keep_alive,
        )
        self._keep_alive = head.keep_alive
        self._writer = head.writer.fresh()
        return head.encoded

    def _write_informational(self, event: Informational) -> bytes:
        """Write a 1xx response; HTTP/1.0 has none (RFC 9110 §15.2)."""
        data = http1_writing.informational(event)
        if self._request is None or self._request.version == b"1.0":
            return b""
        self._invite = self._invite and event.status != 100
        return data

    _WRITERS: ClassVar[dict[type, Callable[..., bytes]]] = {
        Informational: _write_informational,
        Response: _write_head,
        End: lambda self, event: self._writer.end(event.trailers),
    }

    # ------------------------------------------------------------ questions that a shell asks

    @property
    def owes_continue(self) -> bool:
        """True while the client waits for 100 before it sends its body (RFC 9110 §10.1.1).

        Content that came without the invitation makes it needless.
        """
        waiting = self._invite and not self._buf
        return waiting and self.reading is Reading.BODY and self.writing is OWED
