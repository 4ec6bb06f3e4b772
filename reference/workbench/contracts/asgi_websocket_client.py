"""A WebSocket client of raw bytes for the contract, and the application that it talks to.

Nothing here comes from the engine that the course builds: what both got wrong would stay unseen.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from . import Broken
from .asgi_probes import App, Receive, Scope, Send, View, up
from .probes import same
from .wire import Answer, Wire, request

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # that of RFC 6455 §1.3
ACCEPTED = base64.b64encode(
    hashlib.sha1(KEY.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
).decode()
MASK = b"\x37\xfa\x21\x3d"
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


def handshake(target: str = "/", *fields: str, key: str = KEY, version: str = "13") -> bytes:
    """Return the bytes of a handshake (RFC 6455 §4.1)."""
    ours = ["Connection: Upgrade", "Upgrade: websocket"]
    if key:
        ours.append(f"Sec-WebSocket-Key: {key}")
    if version:
        ours.append(f"Sec-WebSocket-Version: {version}")
    return request(target, *ours, *fields)


def frame(opcode: int, payload: bytes = b"", *, last: bool = True, mask: bytes = MASK) -> bytes:
    """Return a client's frame (RFC 6455 §5.2); an empty ``mask`` leaves it bare."""
    first = (0x80 if last else 0) | opcode
    masked = 0x80 if mask else 0
    if len(payload) < 126:
        head = bytes([first, masked | len(payload)])
    elif len(payload) < 65536:
        head = struct.pack("!BBH", first, masked | 126, len(payload))
    else:
        head = struct.pack("!BBQ", first, masked | 127, len(payload))
    if mask:
        key = int.from_bytes((mask * (len(payload) // 4 + 1))[: len(payload)], "big")
        payload = (int.from_bytes(payload, "big") ^ key).to_bytes(len(payload), "big")
    return head + mask + payload


def closing(code: int | None = 1000, reason: str = "") -> bytes:
    """Return a client's close frame."""
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason.encode())


@dataclass
class Frame:
    """A frame of the server's."""

    opcode: int
    payload: bytes
    last: bool = True
    reserved: int = 0

    @property
    def code(self) -> int:
        """The close code; 1005 for none (RFC 6455 §7.1.5)."""
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else 1005


class Talk:
    """One WebSocket with a server."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.answer: Answer | None = None

    def begin(self, sent: bytes, more: bytes = b"") -> Answer:
        """Send a handshake, and ``more`` right behind it; return the answer."""
        self.answer = self.wire.send(sent + more).response()
        return self.answer

    def send(self, opcode: int, payload: bytes = b"", **how: Any) -> Talk:
        """Send a frame."""
        self.wire.send(frame(opcode, payload, **how))
        return self

    def fill(self, packet: bytes, times: int) -> int:
        """Send a packet so many times, or until the server takes no more; return the bytes sent.

        A server that had no time takes nothing either.  So it must have served others meanwhile,
        and still take nothing.
        """
        sent, had_time = 0, False
        while sent < times * len(packet):
            self.wire.socket.settimeout(0.25)
            try:
                sent += self.wire.socket.send(packet[sent % len(packet) :])
                had_time = False
            except TimeoutError:
                if had_time:
                    break
                self._let_others_be_served()
                had_time = True
        return sent

    def _let_others_be_served(self, number: int = 5) -> None:
        """Wait until the server has answered others, who ask for nothing that it knows."""
        for _ in range(number):
            with Wire(self.wire.socket.getpeername(), 20.0) as other:
                other.send(b"nonsense\r\n\r\n").until_any()

    def hear(self, what: str = "a frame") -> Frame:
        """Read one frame; raise Broken for one that no server may send (RFC 6455 §5.1, §5.2)."""
        first, second = self._bytes(2, what)
        length = second & 0x7F
        if second & 0x80:
            raise Broken("the server masks its frames (RFC 6455 §5.1)", got=bytes([first, second]))
        if length == 126:
            (length,) = struct.unpack("!H", self._bytes(2, what))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._bytes(8, what))
        payload = self._bytes(length, what) if length else b""
        return Frame(first & 0x0F, payload, bool(first & 0x80), first & 0x70)

    def message(self, opcode: int, payload: bytes, what: str) -> None:
        """Demand a frame with this content."""
        got = self.hear(what)
        same((got.opcode, got.payload), (opcode, payload), what, bytes(self.wire.sent[-200:]))

    def is_closed(self, code: int, what: str, reason: str | None = None) -> None:
        """Demand a close frame with this code, answer it, and demand the end of the connection."""
        got = self.hear(what)
        while got.opcode in (PING, PONG):
            got = self.hear(what)
        if got.opcode != CLOSE:
            raise Broken(
                f"{what}: a close frame is wanted, came opcode {got.opcode}: {got.payload!r}"
            )
        same(got.code, code, f"the close code, {what}")
        if reason is not None:
            same(got.payload[2:].decode(), reason, f"the reason, {what}")
        self.wire.send(closing(code))
        self.wire.closed(what)

    def _bytes(self, count: int, what: str) -> bytes:
        """Return the next bytes."""
        self.wire._begin()
        while len(self.wire.buf) < count:
            if not self.wire._more(what):
                raise self.wire._broken(f"the connection ended before {what}")
        return self.wire._take(count)


class WebSocketApp(App):
    """An ASGI application of one coroutine function for WebSockets alone."""

    kinds = ("websocket", "http")


def accepting(view: View) -> WebSocketApp:
    """Return an application that accepts, and then does what ``view`` does."""

    async def accept(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await view(scope, receive, send)

    return WebSocketApp(accept)


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


def echo() -> WebSocketApp:
    """Return an application that sends back what it gets."""
    return accepting(_echo)


@contextmanager
def talking(server: Any, app: Any, sent: bytes = b"", **options: Any) -> Iterator[Talk]:
    """Serve ``app``, and give a WebSocket with it that is open."""
    with up(server, app, **options) as connect:
        talk = Talk(connect())
        answer = talk.begin(sent or handshake())
        if answer.status != 101:
            raise Broken("the handshake is not accepted", sent=sent, got=answer.head)
        yield talk


def denied(server: Any, app: Any, status: int, why: str, sent: bytes = b"") -> Answer:
    """Demand that a handshake is answered with a status."""
    with up(server, app) as connect:
        answer = Talk(connect()).begin(sent or handshake())
        same(answer.status, status, why, sent or handshake())
        return answer
