"""How a WebSocket is read: from bytes, however they are cut, to messages and control frames.

The state machine of the peer's side (``websocket_states.RECEIVING``) runs here.  What we send is
not known here: see ``websocket``.
"""

from __future__ import annotations

from .websocket_events import (
    NEED_DATA,
    Binary,
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
    FIN,
    PING,
    RSV1,
    TEXT,
    Header,
    read_close,
    read_header,
    unmask,
    unmask_in_place,
)
from .websocket_messages import Assembly, not_utf8
from .websocket_states import RECEIVING, Part, Receiving
from .websocket_zlib import Inflater

# A name of this module is found faster than one of an Enum: see http1_states.
OPEN, MESSAGE = Receiving.OPEN, Receiving.MESSAGE
WHOLE = (FIN | TEXT, FIN | BINARY)
STEP = 65536  # bytes of payload at a time: what is made of them on the way stays in the cache
ALONE = (Part.CONTROL, Part.CLOSE)  # these belong to no message


class Receiver:
    """Read what one peer sends.  ``masked`` tells whether it must mask its frames."""

    __slots__ = (
        *("limits", "receiving", "_masked", "_short", "_most", "_inflater", "_data", "_at", "_eof"),
        *("_frame", "_taken", "_begun", "_fragments", "_error"),
    )

    def __init__(self, limits: WebSocketLimits, inflater: Inflater | None, masked: bool) -> None:
        self.limits = limits
        self.receiving = OPEN
        self._masked = masked
        self._short = 6 if masked else 2  # bytes of a short frame's header
        self._most = min(125, limits.frame, limits.message)  # bytes of a short frame's payload
        self._inflater = inflater
        self._data: bytes | bytearray = b""
        self._at = 0  # what stands before it in _data has been read
        self._eof = False
        self._frame: Header | None = None  # whose payload comes now
        self._taken = 0  # bytes of it
        self._begun: Assembly | None = None
        self._fragments = 0
        self._error: WebSocketError | None = None

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer; ``b""`` means that it will send no more.

        They are copied only where others before them have not been read yet.
        """
        if self.receiving is not OPEN and self.receiving is not MESSAGE:
            return
        if not data:
            self._eof = True
        elif self._at == len(self._data):
            self._data, self._at = data, 0
        elif type(self._data) is bytearray:
            del self._data[: self._at]
            self._data += data
            self._at = 0
        else:
            self._data = bytearray(memoryview(self._data)[self._at :])
            self._data += data
            self._at = 0

    @property
    def missing(self) -> int:
        """Return how many bytes of the frame that is under way have not come yet."""
        return self._frame.size - self._taken if self._frame is not None else 0

    def next_event(self) -> Event:
        """Return the next message or control frame, or NEED_DATA; at the end Closed.

        Raise WebSocketError when the peer breaks the protocol; nothing can be read after that.
        """
        data, at = self._data, self._at
        begin = at + self._short
        try:
            if begin <= len(data) and self.receiving is OPEN and self._frame is None:
                # The fast lane: a short message in one frame that is all here.  _read makes the
                # same of it, but takes three times as long; a test holds the two together.
                first, size = data[at], data[at + 1]
                if self._masked:
                    size -= 128  # without a mask below zero, and _read says what is wrong
                if first in WHOLE and 0 <= size <= self._most and begin + size <= len(data):
                    self._at = begin + size
                    payload = data[begin : begin + size]
                    if self._masked:
                        payload = unmask(payload, bytes(data[begin - 4 : begin]))
                    return Text(str(payload, "utf-8")) if first & TEXT else Binary(bytes(payload))
            return self._read()
        except UnicodeDecodeError:
            raise self._failed(not_utf8()) from None
        except WebSocketError as error:
            self._failed(error)
            raise

    def _failed(self, error: WebSocketError) -> WebSocketError:
        """Read no more."""
        self.receiving = Receiving.FAILED
        self._error = error
        self._end()
        return error

    def _end(self) -> None:
        """Let go of what was not read, and of what was begun."""
        self._data, self._at = b"", 0
        self._frame = self._begun = None

    def _read(self) -> Event:
        """Read frames until one of them makes an event."""
        while self.receiving is OPEN or self.receiving is MESSAGE:
            header = self._frame
            if header is None:
                rsv = RSV1 if self._inflater else 0
                header = read_header(self._data, self._at, masked=self._masked, rsv=rsv)
                if header is None:
                    return self._nothing_more()
                self._begin(header)
            event = self._read_payload(header)
            if event is not None:
                return event
        if self._error is not None:
            raise WebSocketError(self._error.code, self._error.reason)
        return Closed()

    def _nothing_more(self) -> Event:
        """Say what it means that there is no more here."""
        if self._at == len(self._data):
            self._data, self._at = b"", 0  # it may have been large
        if not self._eof:
            return NEED_DATA
        self.receiving = RECEIVING[self.receiving, Part.END]
        self._end()
        return Closed()

    def _begin(self, header: Header) -> None:
        """Judge a frame by its header, before any of its payload is taken in."""
        if (self.receiving, header.part) not in RECEIVING:
            if self.receiving is OPEN:
                raise WebSocketError(1002, "a fragment continues no message (RFC 6455 §5.4)")
            raise WebSocketError(1002, "a message begins within another one (RFC 6455 §5.4)")
        if header.part not in ALONE:
            self._check_limits(header)
        self._frame = header
        self._at = header.end
        self._taken = 0

    def _check_limits(self, header: Header) -> None:
        """Refuse what is too large by what is announced (RFC 6455 §10.4)."""
        limits, message = self.limits, self._begun
        self._fragments = 1 if message is None else self._fragments + 1
        if self._fragments > limits.fragments:
            raise WebSocketError(1009, f"over {limits.fragments} fragments (RFC 6455 §10.4)")
        if header.size > limits.frame:
            raise WebSocketError(1009, f"a frame is over {limits.frame} bytes (RFC 6455 §10.4)")
        compressed = header.first & RSV1 if message is None else message.inflater is not None
        begun = 0 if message is None else message.size
        if not compressed and begun + header.size > limits.message:
            raise WebSocketError(1009, f"a message is over {limits.message} bytes (RFC 6455 §10.4)")

    def _read_payload(self, header: Header) -> Event | None:
        """Take in what has come of a frame's payload; None when it made no event by itself."""
        here = len(self._data) - self._at
        missing = header.size - self._taken
        if here < missing and (here == 0 or header.part in ALONE):
            return self._nothing_more()  # a control frame is short enough to wait for it
        size = min(here, missing, STEP)
        piece = self._take(size, header.mask)
        if size < missing:
            self._taken += size
            self._assembly(header).add(piece)
            return None
        self._frame = None
        self.receiving = RECEIVING[self.receiving, header.part]
        return self._complete(header, piece)

    def _take(self, size: int, mask: bytes) -> bytearray:
        """Return the next bytes of a payload, unmasked; the mask goes on where it was left."""
        piece = bytearray(memoryview(self._data)[self._at : self._at + size])
        self._at += size
        turn = self._taken % 4
        unmask_in_place(piece, mask[turn:] + mask[:turn])
        return piece

    def _assembly(self, header: Header) -> Assembly:
        """Return the message that is under way, a new one where this frame begins it."""
        if self._begun is None:
            inflater = self._inflater if header.first & RSV1 else None
            text = header.first & 0xF == TEXT
            self._begun = Assembly(text=text, inflater=inflater, limit=self.limits.message)
        return self._begun

    def _complete(self, header: Header, piece: bytearray) -> Event | None:
        """Return what a complete frame means, ``piece`` being the last of its payload."""
        if header.part is Part.CONTROL:
            return (Ping if header.first & 0xF == PING else Pong)(bytes(piece))
        if header.part is Part.CLOSE:
            self._end()
            return read_close(bytes(piece))
        if header.part is Part.WHOLE and self._begun is None and not header.first & RSV1:
            return Text(piece.decode()) if header.first & TEXT else Binary(bytes(piece))
        message = self._assembly(header)
        message.add(piece)
        if not header.first & FIN:
            return None
        self._begun = None
        return message.finish()
