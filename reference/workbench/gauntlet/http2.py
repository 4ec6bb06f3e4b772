"""How a check speaks HTTP/2: frames as raw bytes, and what comes, sorted by stream.

Only HPACK is taken from a library, hpack: no state machine stands between a check and the wire, so
it may break every rule.  A server that does not answer the preface with SETTINGS does not speak
HTTP/2 here, by prior knowledge: that is one finding, and no check of the group is asked of it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hpack import Decoder, Encoder
from hpack.exceptions import HPACKError

from workbench.contracts.http2_client import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Pairs,
    frame,
    head,
)

from .asking import Asking, Broken, Miss
from .spoken import where_spoken

__all__ = [
    "ACK", "CONTINUATION", "DATA", "END_HEADERS", "END_STREAM", "GOAWAY", "HEADERS", "PADDED",
    "PING", "PREFACE", "PRIORITY", "PUSH_PROMISE", "RST_STREAM", "SETTINGS", "SETTLED",
    "WINDOW_UPDATE", "Connection", "Pairs", "Reply", "connected", "fails", "frame",
    "h2", "head", "reset", "settings", "window",
]  # fmt: skip

KINDS = ("DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY",
         "WINDOW_UPDATE", "CONTINUATION")  # fmt: skip
CODES = (
    "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
    "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
    "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
)  # fmt: skip
"""By their numbers (RFC 9113 §7)."""

SETTLED = b"settled?"  # in a ping: whoever answers it has read all before it
Run = Callable[[Any], None]


def code_name(code: int | None) -> str:
    """Return the name of an error code."""
    if code is None:
        return "none"
    return CODES[code] if code < len(CODES) else f"the unknown code {code:#x}"


def _ask(it: Asking) -> str:
    """Return "" if SETTINGS are the answer to the preface."""
    wire = it.connect().send(PREFACE + frame(SETTINGS))
    try:
        came = bytes(wire.buf[:9]) if wire.until_any() else b""
    finally:
        it.alone()
    spoken = came[3:9] == bytes((SETTINGS, 0, 0, 0, 0, 0))
    return "" if spoken else f"the answer to the preface begins with {came!r}"


h2 = where_spoken("http2", 13, _ask)
"""Register a check that is asked where HTTP/2 is spoken; any answer to a GET is enough for it."""


# ---------------------------------------------------------------- frames to send


def settings(*pairs: tuple[int, int], flags: int = 0) -> bytes:
    """Return a SETTINGS frame."""
    return frame(SETTINGS, flags, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def window(size: int, stream: int = 0) -> bytes:
    """Return a WINDOW_UPDATE frame."""
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", size))


def reset(stream: int, code: int = 8) -> bytes:
    """Return a RST_STREAM frame, by default with CANCEL."""
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def in_words(data: bytes) -> str:
    """Name frames, one after the other: HEADERS on 1, PING."""
    found: list[str] = []
    data = data.removeprefix(PREFACE)
    while len(data) >= 9 and len(found) < 6:
        kind, stream = data[3], int.from_bytes(data[5:9], "big") & 0x7FFFFFFF
        name = KINDS[kind] if kind < len(KINDS) else f"frame {kind:#x}"
        found.append(f"{name} on {stream}" if stream else name)
        data = data[9 + int.from_bytes(data[:3], "big") :]
    return ", ".join(found) + (", ..." if data else "")


# ---------------------------------------------------------------- what comes


@dataclass
class Frame:
    """A frame of the server's."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def content(self) -> bytes:
        """The payload without what pads it."""
        if self.kind in (DATA, HEADERS) and self.flags & PADDED:
            return self.payload[1 : len(self.payload) - self.payload[0]]
        return self.payload


@dataclass
class Reply:
    """What has come on one stream.  ``reset`` is the code by which the server ended it."""

    status: int = 0
    fields: Pairs = field(default_factory=list)
    body: bytes = b""
    trailers: Pairs = field(default_factory=list)
    interim: list[int] = field(default_factory=list)
    complete: bool = False
    reset: int | None = None

    @property
    def over(self) -> bool:
        """True when nothing more comes."""
        return self.complete or self.reset is not None

    def values(self, name: bytes) -> list[bytes]:
        """Return every value of a field."""
        return [value for key, value in self.fields if key == name]


class Connection:
    """One connection.  ``greedy``: it gives back the windows as it reads."""

    def __init__(self, it: Asking, *first: bytes, greedy: bool = True) -> None:
        self.wire = it.connect()
        self.greedy = greedy
        self.encoder = Encoder()
        self.decoder = Decoder()
        self.next = 1
        self.replies: dict[int, Reply] = {}
        self.settings: dict[int, int] = {}
        self.acknowledged = 0
        self.pongs: list[bytes] = []
        self.windows: dict[int, int] = {}
        """What the server has added to each window, 0 for that of all streams."""
        self.largest = 0
        self.goaway: tuple[int, int] | None = None
        """Code, and the last stream, of the server's GOAWAY."""
        self.ended = False
        self._block = b""
        self._said = bytearray()
        if first:
            self.wire.send(b"".join(first))

    # ------------------------------------------------------------ sending

    @property
    def sent(self) -> bytes:
        """What the check has sent: without the first settings, and what answers the server's."""
        return bytes(self._said)

    def put(self, *frames: bytes) -> Connection:
        """Send frames."""
        data = b"".join(frames)
        self._said += data
        self.wire.send(data)
        return self

    def block(self, fields: Pairs) -> bytes:
        """Return fields as HPACK writes them."""
        return self.encoder.encode(fields)

    def request(self, fields: Pairs | str = "/ok", *, end: bool = True, stream: int = 0) -> bytes:
        """Return the HEADERS frame of a request, on the next stream."""
        pairs = head(fields) if isinstance(fields, str) else fields
        flags = END_HEADERS | (END_STREAM if end else 0)
        return frame(HEADERS, flags, stream or self.number(), self.block(pairs))

    def number(self) -> int:
        """Take the number of the next stream."""
        stream, self.next = self.next, self.next + 2
        self.replies[stream] = Reply()
        return stream

    def ask(
        self, fields: Pairs | str = "/ok", body: bytes | None = None, *, end: bool = True
    ) -> int:
        """Send a request, with a body that fits the windows; return its stream."""
        sent = self.request(fields, end=end and body is None)
        stream = self.next - 2
        self.put(sent)
        if body is not None:
            self.put(frame(DATA, END_STREAM if end else 0, stream, body))
        return stream

    # ------------------------------------------------------------ receiving

    def read(self, what: str) -> Frame | None:
        """Read one frame and note what it says; None at the end of the connection."""
        got = self._frame(what)
        if got is None:
            self.ended = True
            return None
        if got.kind < len(KINDS):
            self._note(got)
        return got

    def _frame(self, what: str) -> Frame | None:
        header = self._bytes(9, what)
        if header is None:
            return None
        size = int.from_bytes(header[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", header[3:])
        self.largest = max(self.largest, size)
        payload = self._bytes(size, what) if size else b""
        return None if payload is None else Frame(kind, flags, stream & 0x7FFFFFFF, payload)

    def _bytes(self, count: int, what: str) -> bytes | None:
        wire = self.wire
        try:
            wire._begin()
            while len(wire.buf) < count:
                if not wire._more(what):
                    return None
        except Broken as broken:
            raise Miss(broken.problem, sent=self.sent[-4000:], got=broken.got) from None
        return wire._take(count)

    def _note(self, got: Frame) -> None:
        """Keep what a frame says, and answer what wants an answer."""
        if got.kind == SETTINGS:
            if got.flags & ACK:
                self.acknowledged += 1
            else:
                self.settings.update(struct.iter_unpack(">HI", got.payload))
                self.wire.send(frame(SETTINGS, ACK))
        elif got.kind == PING:
            if got.flags & ACK:
                self.pongs.append(got.payload)
            else:
                self.wire.send(frame(PING, ACK, 0, got.payload))
        elif got.kind == GOAWAY:
            last, code = struct.unpack_from(">II", got.payload)
            self.goaway = code, last & 0x7FFFFFFF
        elif got.kind == WINDOW_UPDATE:
            (size,) = struct.unpack(">I", got.payload)
            self.windows[got.stream] = self.windows.get(got.stream, 0) + size
        else:
            self._note_stream(got, self.replies.setdefault(got.stream, Reply()))

    def _note_stream(self, got: Frame, reply: Reply) -> None:
        if got.kind == RST_STREAM:
            (reply.reset,) = struct.unpack(">I", got.payload)
        elif got.kind == DATA:
            reply.body += got.content
            reply.complete |= bool(got.flags & END_STREAM)
            if self.greedy and got.payload:
                self.wire.send(window(len(got.payload)))
                if not reply.complete:
                    self.wire.send(window(len(got.payload), got.stream))
        elif got.kind in (HEADERS, CONTINUATION):
            content = got.content
            if got.kind == HEADERS and got.flags & 0x20:
                content = content[5:]
            self._block += content
            if got.kind == HEADERS:
                self._last = bool(got.flags & END_STREAM)
            if got.flags & END_HEADERS:
                self._note_head(reply)

    def _note_head(self, reply: Reply) -> None:
        """Decode a head: an interim one, the head of the response, or trailers."""
        block, self._block = self._block, b""
        try:
            fields = [(bytes(name), bytes(value))
                      for name, value in self.decoder.decode(block, raw=True)]  # fmt: skip
        except HPACKError as error:
            raise Miss(f"this head cannot be decoded: {error}", sent=self.sent[-4000:],
                       got=block) from None  # fmt: skip
        reply.complete |= self._last
        if reply.status:
            reply.trailers = fields
        elif not fields or fields[0][0] != b":status":
            raise Miss("a response does not begin with :status", sent=self.sent[-4000:], got=fields)
        elif fields[0][1].startswith(b"1"):
            reply.interim.append(int(fields[0][1]))
        else:
            reply.status, reply.fields = int(fields[0][1]), fields[1:]

    def until(self, true: Callable[[], object], what: str) -> None:
        """Read until something holds; raise Miss when it does not come, or the connection ends."""
        while not true():
            if self.ended or self.read(what) is None:
                told = "without a GOAWAY"
                if self.goaway is not None:
                    told = f"with GOAWAY {code_name(self.goaway[0])}"
                raise Miss(f"the connection ended {told} before {what}", sent=self.sent[-4000:],
                           got=b"")  # fmt: skip

    def answer(self, stream: int, whole: bool = True) -> Reply:
        """Wait for the end of a stream; return what came on it."""
        reply = self.replies[stream]
        self.until(lambda: reply.over, f"the end of the response on stream {stream}")
        if whole and not reply.complete:
            raise Miss(f"stream {stream} was reset: {code_name(reply.reset)}",
                       sent=self.sent[-4000:], got=reply.status or b"")  # fmt: skip
        return reply

    def get(self, fields: Pairs | str = "/ok", body: bytes | None = None) -> Reply:
        """Ask, and return the whole response."""
        return self.answer(self.ask(fields, body))

    def told(self, fields: Pairs | str, body: bytes | None = None) -> Any:
        """Ask, and return the JSON of the answer."""
        reply = self.get(fields, body)
        if reply.status != 200:
            raise Miss(f"the request should reach the application, and the answer is "
                       f"{reply.status}", sent=self.sent[-4000:], got=reply.fields)  # fmt: skip
        return json.loads(reply.body)

    def settled(self) -> None:
        """Wait until the server has read all that was sent: it answers a ping."""
        number = self.pongs.count(SETTLED)
        self.put(frame(PING, 0, 0, SETTLED))
        self.until(lambda: self.pongs.count(SETTLED) > number, "the answer to a ping")

    # ------------------------------------------------------------ what is demanded

    def is_failed(self, *codes: str, why: str, suspect: int | None = None) -> None:
        """Demand GOAWAY with one of these codes, or the end of the connection without one.

        RFC 9113 §5.4.1: GOAWAY ought to come first, and need not.
        """
        wanted = " or ".join(codes)
        try:
            while self.goaway is None and not self.ended:
                got = self.read(f"GOAWAY with {wanted}: {why}")
                if got is not None and got.kind == RST_STREAM and got.stream:
                    (code,) = struct.unpack(">I", got.payload)
                    raise Miss(f"stream {got.stream} alone was reset, with {code_name(code)}; "
                               f"wanted GOAWAY with {wanted}: {why}", sent=self.sent,
                               got=got.payload)  # fmt: skip
        except Miss as miss:
            miss.problem += f" (sent: {in_words(self.sent)})"
            miss.sent, miss.suspect = self.sent, suspect
            raise
        if self.goaway is not None and code_name(self.goaway[0]) not in codes:
            problem = f"wanted GOAWAY with {wanted}, came {code_name(self.goaway[0])}: {why}"
            problem += f" (sent: {in_words(self.sent)})"
            came = struct.pack(">II", *self.goaway[::-1])
            wrong = Miss(problem, sent=self.sent, got=came, at=7)
            wrong.suspect = suspect
            raise wrong

    def is_reset(self, stream: int, *codes: str, why: str, status: bool = False) -> None:
        """Demand that a stream is reset with one of these codes; ``status``: or answered by 4xx.

        RFC 9113 §5.4.1: a server may end the connection instead, with GOAWAY and that code.
        """
        reply, wanted = self.replies[stream], " or ".join(codes)
        while not (reply.over or self.goaway or self.ended):
            self.read(f"RST_STREAM with {wanted}: {why}")
        code = reply.reset if reply.reset is not None else self.goaway and self.goaway[0]
        if status and 400 <= reply.status < 500:
            return
        if code is None and self.ended and not reply.complete:
            return
        if code is None or code_name(code) not in codes:
            came = f"the answer {reply.status}" if code is None else code_name(code)
            problem = f"wanted RST_STREAM with {wanted}, came {came}: {why}"
            raise Miss(f"{problem} (sent: {in_words(self.sent)})", sent=self.sent,
                       got=reply.body or None)  # fmt: skip


def connected(it: Asking, *pairs: tuple[int, int], greedy: bool = True) -> Connection:
    """Return a connection that has begun as it should: both have said their settings.

    So a server that ends every connection passes no check that is about how one ends.
    """
    it.alone()
    connection = Connection(it, PREFACE, settings(*pairs), greedy=greedy)
    connection.until(lambda: connection.acknowledged, "our SETTINGS to be acknowledged")
    return connection


def fails(it: Asking, *frames: bytes, codes: tuple[str, ...], why: str, at: int = 0) -> None:
    """Demand that these frames, the first behind the settings, fail the connection."""
    connected(it).put(*frames).is_failed(*codes, why=why, suspect=at)
