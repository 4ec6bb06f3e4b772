"""HTTP/1.1 on one connection, by the h11 library, behind the surface of ``http1.Connection``.

h11 does the reading and the framing; this module gives it our events, our limits and our states.
Where the two engines still differ is written down in DIFFERENCES, each with the reason, and a test
sends the same bytes to both and accepts no difference that is not in the list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import h11

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
    OurError,
    Outgoing,
    PeerError,
    Request,
    Response,
)
from .http1_states import READING, WRITING, BothSides, Reading, Writing
from .http1_writing import OURS, REASONS, choose_writer, encode_fields, status_line

LEFT_TO_US = OURS | {b"content-length"}

DIFFERENCES = {
    "equal lengths": "h11 merges Content-Length fields that agree, as RFC 9112 §6.3 case 5 allows; "
    "ours refuses every repetition",
    "long numbers": "h11 answers 400 to over 20 digits, ours 413 (RFC 9110 §8.6, RFC 9112 §7.1)",
    "transfer codings": "h11 answers 501 to all but one 'chunked', and writes that in lower case; "
    "ours 400 where the end of the body cannot be told (RFC 9112 §6.3 case 4)",
    "control characters": "h11 keeps them in field values, as RFC 9110 §5.5 allows; ours refuses",
    "fragment": "h11 takes '#' in a target, which RFC 9112 §3.2 has no place for",
    "1.0 keep-alive": "h11 closes after HTTP/1.0; ours stays when it is asked to (RFC 9112 §9.3)",
    "chunk extension": "h11 skips whatever is behind the semicolon, however long; ours checks its "
    "grammar and bounds it (RFC 9112 §7.1.1)",
    "chunk blank": "h11 takes a blank behind a chunk size; the grammar of RFC 9112 §7.1 has none",
    "extension blank": "h11 refuses a blank before a chunk's semicolon; RFC 9112 §7.1.1 allows it",
    "announced chunk": "ours refuses too large a chunk by its size line, before the content comes; "
    "h11 keeps the size to itself (RFC 9110 §15.5.14)",
    "trailer lines": "h11 takes bare LF and folded lines in trailers (RFC 9112 §2.2, §5.2)",
}


class Connection(BothSides):
    """Speak HTTP/1.1 as the server through h11, with the surface of our own engine.

    h11 0.16 is made stricter: bare LF, folded lines, and Content-Length beside Transfer-Encoding
    are refused; one empty line before a request is skipped (RFC 9112 §2.2, §5.2, §6.1).  Each
    request gets a new h11 connection, as a used one keeps the bytes of the next.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        super().__init__()
        self._next_cycle(b"")

    def _next_cycle(self, rest: bytes) -> None:
        """Begin with the next request; ``rest`` is what has already come of it."""
        self.reading, self.writing = Reading.HEAD, Writing.IDLE
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=self.limits.head + 1)
        self._buf = bytearray(rest)
        self._scanned = self._content = 0
        self._invite = False
        self._request: Request | None = None
        self._writer: http1_writing.BodyWriter = http1_writing.NoBodyWriter()

    # ------------------------------------------------------------ bytes in, events out

    def receive(self, data: bytes) -> None:
        """Take bytes from the client; ``b""`` means that it will send no more."""
        if self._eof or self.reading is Reading.FAILED:
            return
        self._eof = not data
        if self.reading is Reading.HEAD:
            self._buf += data
        else:
            self._h11.receive_data(data)

    def next_event(self) -> Event:
        """Return the next event, or NEED_DATA, or PAUSED.  Raise PeerError as ``http1`` does."""
        try:
            return self._READERS[self.reading](self)
        except h11.RemoteProtocolError as error:
            self.give_up()
            raise PeerError(error.error_status_hint, f"{error} (h11)") from error
        except PeerError:
            self.give_up()
            raise

    def _read_head(self) -> Event:
        """Give h11 a head when it is whole and nothing in it is bent, and judge what it makes."""
        head = self._buf
        if not self._scanned and head.startswith(b"\r\n"):
            del head[:2]
            self._scanned = 1
        begun = bool(head) and head != b"\r"
        if begun and http1_reading.head_is_complete(head, self._scanned, self.limits):
            whole = bytes(head[: head.find(b"\r\n\r\n") + 2])
            http1_reading.check_begun(whole, 0, self.limits)
            if b"\r\n " in whole or b"\r\n\t" in whole:  # h11 would join such lines
                raise PeerError(400, "a line begins with a blank (RFC 9112 §5.2)")
        elif not self._eof:
            self._scanned = max(self._scanned, len(head) if begun else 0)
            return NEED_DATA
        for data in (bytes(head), b"") if self._eof else (bytes(head),):
            self._h11.receive_data(data)
        event = self._h11.next_event()
        if isinstance(event, h11.Request):
            return self._begin(event)
        self.reading = READING[self.reading, Closed]
        return Closed()

    def _begin(self, event: h11.Request) -> Request:
        """Turn h11's request into ours, and judge it by the same rules."""
        fields = tuple(event.headers)
        if len(fields) > self.limits.fields:
            raise PeerError(431, f"more than {self.limits.fields} fields (RFC 6585 §5)")
        request = Request(event.method, event.target, fields, event.http_version)
        head = http1_reading.judge(request, http1_reading.framing_values(fields), self.limits)
        self.reading = READING[self.reading, Request]
        self.writing = WRITING[self.writing, Request]
        self._buf.clear()
        self._request = request
        self._invite = request.expects_continue
        self._keep_alive = self._keep_alive and head.keep_alive and request.version == b"1.1"
        return request

    def _read_body(self) -> Event:
        """Translate what h11 has read of the body, and bound the content of a chunked one."""
        event: Event
        match self._h11.next_event():
            case h11.Data(data=data):
                event = Data(bytes(data))
                self._content += len(data)
            case h11.EndOfMessage(headers=trailers):
                event = End(tuple(trailers))
                if len(event.trailers) > self.limits.fields:
                    raise PeerError(431, f"over {self.limits.fields} trailers (RFC 6585 §5)")
            case _:
                return NEED_DATA
        if self._content > self.limits.body:
            raise PeerError(413, f"the body is over {self.limits.body} bytes (RFC 9110 §15.5.14)")
        self._invite = False
        self.reading = READING[self.reading, type(event)]
        return event

    def give_up(self) -> None:
        """Read no more.  h11 cannot answer what it has not understood: give it a stand-in."""
        self._keep_alive = False
        if self.writing is Writing.IDLE:
            method = b"HEAD" if self._buf.startswith(b"HEAD ") else b"GET"
            self._next_cycle(b"")
            self.writing = Writing.OWED
            self._request = Request(method, b"/", (), b"1.0")
            self._h11.receive_data(method + b" / HTTP/1.0\r\n\r\n")
            self._h11.next_event()
        self.reading = Reading.FAILED

    def hand_over(self) -> bytes:
        """Return what came behind the request: the client speaks another protocol there."""
        self.reading = Reading.FAILED
        return self._h11.trailing_data[0]

    _READERS: ClassVar[dict[Reading, Callable[[Connection], Event]]] = {
        Reading.HEAD: _read_head,
        Reading.BODY: _read_body,
        Reading.DONE: lambda self: PAUSED,
        Reading.CLOSED: lambda self: Closed(),
        Reading.FAILED: BothSides._refuse,
    }

    # ------------------------------------------------------------ events in, bytes out

    def send(self, event: Outgoing) -> bytes:
        """Return the bytes that carry ``event``.  Raise OurError when it cannot be sent now.

        What h11 would refuse is refused before it sees it, for an error is the end of its states.
        """
        kind = type(event)
        state = self._after(kind)
        try:
            data = self._WRITERS[kind](self, event)
        except h11.LocalProtocolError as error:
            raise OurError(f"{error} (h11)") from error
        self.writing = state
        if state is Writing.DONE and self._is_over:
            self._next_cycle(self._h11.trailing_data[0])
        return data

    def _write_data(self, event: Data) -> bytes:
        """Write content, or drop it where the response has none (RFC 9110 §9.3.2)."""
        bare = isinstance(self._writer, http1_writing.NoBodyWriter)
        return b"" if bare else self._h11.send(h11.Data(data=event.data))

    def _write_end(self, event: End) -> bytes:
        """Write the end, with trailers where the framing has a place for them."""
        if not isinstance(self._writer, http1_writing.ChunkedWriter):
            return self._h11.send(h11.EndOfMessage())
        http1_writing.check_trailers(event.trailers)
        return self._h11.send(h11.EndOfMessage(headers=[(n, v.strip()) for n, v in event.trailers]))

    def _write_informational(self, event: Informational) -> bytes:
        """Write a 1xx response; HTTP/1.0 has none (RFC 9110 §15.2)."""
        data = http1_writing.informational(event)
        if self._request is None or self._request.version == b"1.0":
            return b""
        self._invite = self._invite and event.status != 100
        return data  # h11 would write no other

    def _write_head(self, response: Response) -> bytes:
        """Write the response's head; h11 chooses the framing by the same rules."""
        status = response.status
        request = self._request or Request(b"GET", b"/", ())
        facts = encode_fields(tuple(response.fields))
        status_line(status, response.reason)
        fields = [(n, v.strip()) for n, v in response.fields if n.lower() not in LEFT_TO_US]
        self._writer = choose_writer(request.method, request.version, status, facts.length)
        length = 0 if status == 205 else facts.length
        if length is not None and status != 204:
            fields.append((b"content-length", b"%d" % length))
        self._keep_alive = self._keep_alive and not facts.close and self.reading is Reading.DONE
        fields += [(b"connection", b"upgrade")] * facts.upgrade
        if not self._keep_alive:
            fields.append((b"connection", b"close"))
        reason = response.reason or REASONS.get(status, b"")
        return self._h11.send(h11.Response(status_code=status, headers=fields, reason=reason))

    _WRITERS: ClassVar[dict[type, Callable[..., bytes]]] = {
        Informational: _write_informational,
        Response: _write_head,
        Data: _write_data,
        End: _write_end,
    }

    @property
    def owes_continue(self) -> bool:
        """True while the client waits for 100 before it sends its body (RFC 9110 §10.1.1)."""
        waiting = self._invite and not self._h11.trailing_data[0]
        return waiting and self.reading is Reading.BODY and self.writing is Writing.OWED
