"""The WebSockets of others, one surface for all: wsproto and websockets, without I/O.

``feed`` returns what has come as pairs, ``("text", "Hello")``, ``("close", (1000, ""))``; the other
methods return the bytes to send.  Both libraries are set up behind the handshake.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any

import websockets.extensions.permessage_deflate as theirs
import wsproto.connection
import wsproto.events
import wsproto.extensions
from websockets.frames import Close as TheirClose
from websockets.frames import Opcode
from websockets.protocol import Protocol, Side

from handmade.events import Signal
from handmade.websocket import Binary, Close, Closed, Connection, Event, Ping, Pong, Text
from handmade.websocket_deflate import Agreed

Seen = list[tuple[str, Any]]


def seen(events: Iterable[Event]) -> Seen:
    """Return our events in the form of ``feed``."""
    found: Seen = []
    for event in events:
        match event:
            case Text(data) | Binary(data) | Ping(data) | Pong(data):
                found.append((type(event).__name__.lower(), data))
            case Close(code, reason):
                found.append(("close", (code, reason)))
    return found


def ours(agreed: Agreed | None, *, client: bool, mask: random.Random, **more: Any) -> Connection:
    """Return our engine; as a client it takes its masks from ``mask``."""
    return Connection(agreed=agreed, client=client, mask=lambda: mask.randbytes(4), **more)


def drained(connection: Connection) -> Iterator[Event]:
    """Yield all events that are here; raise WebSocketError behind those that came before it."""
    while not isinstance(event := connection.next_event(), Signal | Closed):
        yield event


class Wsproto:
    """wsproto's connection."""

    def __init__(self, agreed: Agreed | None, *, client: bool) -> None:
        extensions: list[wsproto.extensions.Extension] = []
        if agreed is not None:
            extension = wsproto.extensions.PerMessageDeflate()
            extension.finalize(agreed.answer.decode())
            extensions.append(extension)
        kind = wsproto.connection.ConnectionType
        side = kind.CLIENT if client else kind.SERVER
        self.connection = wsproto.connection.Connection(side, extensions)
        self._parts: list[Any] = []

    def feed(self, data: bytes) -> Seen:
        self.connection.receive_data(data)
        found: Seen = []
        for event in self.connection.events():
            match event:
                case wsproto.events.Message():
                    self._parts.append(event.data)
                    if event.message_finished:
                        whole = type(self._parts[0])().join(self._parts)
                        kind = "text" if isinstance(whole, str) else "binary"
                        found.append((kind, whole if kind == "text" else bytes(whole)))
                        self._parts.clear()
                case wsproto.events.Ping():
                    found.append(("ping", bytes(event.payload)))
                case wsproto.events.Pong():
                    found.append(("pong", bytes(event.payload)))
                case wsproto.events.CloseConnection():
                    found.append(("close", (int(event.code), event.reason or "")))
        return found

    def message(self, parts: list[str] | list[bytes], between: bytes | None) -> bytes:
        """Return a message in fragments, with a Ping behind each but the last."""
        raw = []
        for place, part in enumerate(parts):
            last = place == len(parts) - 1
            event = (
                wsproto.events.TextMessage(part, message_finished=last)
                if isinstance(part, str)
                else wsproto.events.BytesMessage(part, message_finished=last)
            )
            raw.append(self.connection.send(event))
            if between is not None and not last:
                raw.append(self.connection.send(wsproto.events.Ping(between)))
        return b"".join(raw)

    def close(self, code: int, reason: str) -> bytes:
        return self.connection.send(wsproto.events.CloseConnection(code, reason))


class Websockets:
    """The protocol of the websockets library."""

    def __init__(self, agreed: Agreed | None, *, client: bool) -> None:
        self.protocol = Protocol(Side.CLIENT if client else Side.SERVER, max_size=None)
        if agreed is not None:
            server = agreed.server_no_context_takeover, agreed.server_max_window_bits or 15
            user = agreed.client_no_context_takeover, agreed.client_max_window_bits or 15
            remote, local = (server, user) if client else (user, server)
            extension = theirs.PerMessageDeflate(remote[0], local[0], remote[1], local[1])
            self.protocol.extensions = [extension]
        self._parts: list[bytes] = []
        self._text = False

    def feed(self, data: bytes) -> Seen:
        self.protocol.receive_data(data)
        found: Seen = []
        for frame in self.protocol.events_received():
            data = bytes(frame.data)
            if frame.opcode in (Opcode.PING, Opcode.PONG):
                found.append((frame.opcode.name.lower(), data))
            elif frame.opcode is Opcode.CLOSE:
                told = TheirClose.parse(data)
                found.append(("close", (int(told.code), told.reason)))
            else:
                self._text = (
                    self._text if frame.opcode is Opcode.CONT else frame.opcode is Opcode.TEXT
                )
                self._parts.append(data)
                if frame.fin:
                    whole = b"".join(self._parts)
                    self._parts.clear()
                    found.append(("text", whole.decode()) if self._text else ("binary", whole))
        return found

    def message(self, parts: list[str] | list[bytes], between: bytes | None) -> bytes:
        for place, part in enumerate(parts):
            last = place == len(parts) - 1
            data = part.encode() if isinstance(part, str) else part
            if place:
                self.protocol.send_continuation(data, last)
            elif isinstance(part, str):
                self.protocol.send_text(data, last)
            else:
                self.protocol.send_binary(data, last)
            if between is not None and not last:
                self.protocol.send_ping(between)
        return self._to_send()

    def close(self, code: int, reason: str) -> bytes:
        self.protocol.send_close(code, reason)
        return self._to_send()

    def _to_send(self) -> bytes:
        return b"".join(self.protocol.data_to_send())


PEERS = {"wsproto": Wsproto, "websockets": Websockets}
