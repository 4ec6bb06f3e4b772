"""Exhibits of WebSocket: each function is one bug of a published server, put into ours.

Those of servers with a version were seen by the gauntlet on that very version: see ``confirmed``.
"""

from __future__ import annotations

import re
import struct
from typing import Any

from handmade import (
    asgi_websocket,
    asgi_websocket_states,
    protocol,
    protocol_messages,
    protocol_websocket,
    websocket,
    websocket_frames,
    websocket_handshake,
    websocket_messages,
    websocket_receiving,
    websocket_states,
    websocket_zlib,
)
from handmade.events import Fields
from workbench.contracts.asgi_websocket_client import (
    BINARY,
    PING,
    TEXT,
    closing,
    frame,
    handshake,
)
from workbench.frames import read_frame

from . import Patch, exhibit_of
from .wsgi_exhibits import BOOK

HANDS = "WebSocket servers written by hand, in tutorials"
SHAKE = handshake("/echo")
FRAMES, FRAGMENTS, RULES = "RFC 6455 §5.2", "RFC 6455 §5.4", "RFC 6455 §4.2.1"


# ---------------------------------------------------------------- the handshake


@exhibit_of(
    "one word of Firefox", "asgi",
    symptom="Chrome connects, Firefox is given a page: 404", seen=HANDS,
    packet=SHAKE.replace(b": Upgrade", b": keep-alive, Upgrade"),
    check="Upgrade in a list", clause=RULES,
)  # fmt: skip
def whole_connection(patch: Patch) -> None:
    """Compare all of Connection with one word; what is not alike reaches the app as plain http."""
    exchange_for = protocol_websocket.exchange_for

    def alike(request: Any, http: Any) -> Any:
        if (b"connection", b"Upgrade") not in request.fields:
            request.upgrade = ()
        return exchange_for(request, http)

    patch(protocol, "exchange_for", alike)


@exhibit_of(
    "a GUID by heart", "asgi",
    symptom="every browser says: incorrect Sec-WebSocket-Accept", seen=HANDS, packet=SHAKE,
    check="the answer to the key", clause="RFC 6455 §4.2.2",
)  # fmt: skip
def guid_by_heart(patch: Patch) -> None:
    """Write down the GUID with two of its digits exchanged."""
    patch(websocket_handshake, "GUID", b"258EAFA5-E914-47DA-95CA-C5AB0DC85B12")


@exhibit_of(
    "any key will do", "asgi",
    symptom="a proxy's cache, and a form, pass for a client of WebSockets",
    seen="wsproto 1.3.2, granian 2.8.7",
    packet=handshake("/echo", key="c2hvcnQ="), check="a wrong key", clause=RULES,
)  # fmt: skip
def any_key(patch: Patch) -> None:
    """Take every key."""
    patch(websocket_handshake, "KEY", re.compile(b".*"))


@exhibit_of(
    "the last offer wins", "asgi",
    symptom="a client behind a proxy is told that its subprotocol is not spoken",
    seen="hypercorn 0.18.0",
    packet=handshake("/s/facts", "Sec-WebSocket-Protocol: b", "Sec-WebSocket-Protocol: a"),
    check="subprotocols in the scope",
    clause="ASGI WebSocket 2.5, WebSocket Connection Scope",
)  # fmt: skip
def last_offer(patch: Patch) -> None:
    """Read one Sec-WebSocket-Protocol, the last."""
    values = websocket_handshake._values

    def last(fields: Fields, wanted: bytes) -> list[bytes]:
        found = values(fields, wanted)
        return found[-1:] if wanted == b"sec-websocket-protocol" else found

    patch(websocket_handshake, "_values", last)


# ---------------------------------------------------------------- frames


@exhibit_of(
    "lengths from the other end", "asgi",
    symptom="a message of 256 bytes arrives as one of 1", seen=BOOK,
    packet=SHAKE + frame(BINARY, b"x" * 256) + closing(), check="every length", clause=FRAMES,
)  # fmt: skip
def little_endian(patch: Patch) -> None:
    """Read a length with its least significant byte first."""
    patch(websocket_frames, "_read_length", lambda data: int.from_bytes(data, "little"))


@exhibit_of(
    "bare frames", "asgi",
    symptom="a script in a page can write bytes that a proxy takes for a request", seen=BOOK,
    packet=SHAKE + frame(PING, b"bare", mask=b""), check="a bare frame", clause="RFC 6455 §5.1",
)  # fmt: skip
def bare_frames(patch: Patch) -> None:
    """Undo a mask where there is one."""
    read_header = websocket_frames.read_header

    def tolerant(data: Any, at: int, *, masked: bool, rsv: int) -> Any:
        masked = masked and not (len(data) > at + 1 and data[at + 1] < 128)
        return read_header(data, at, masked=masked, rsv=rsv)

    patch(websocket_receiving, "read_header", tolerant)


@exhibit_of(
    "one frame a packet", "asgi",
    symptom="who types fast loses every other message", seen=HANDS,
    packet=SHAKE, check="many in one packet", clause=FRAMES,
)  # fmt: skip
def one_frame_a_packet(patch: Patch) -> None:
    """Read one frame of what recv() gave."""
    receive = websocket.Connection.receive

    def first_of(self: Any, data: bytes) -> None:
        found = read_frame(data)
        receive(self, found.whole if found is not None else data)

    patch(websocket.Connection, "receive", first_of)


@exhibit_of(
    "eight bytes for a length", "asgi",
    symptom="strict clients close with 1002 at every longer message", seen=HANDS,
    packet=SHAKE, check="a length as short as can be", clause=FRAMES,
)  # fmt: skip
def eight_bytes(patch: Patch) -> None:
    """Write every longer length in eight bytes."""
    short = websocket_frames.frame

    def long(first: int, payload: bytes, mask: bytes = b"") -> bytes:
        if len(payload) < 126:
            return short(first, payload, mask)
        return struct.pack("!BBQ", first, 127, len(payload)) + payload

    patch(websocket, "frame", long)


# ---------------------------------------------------------------- fragments and control frames


@exhibit_of(
    "a ping lost in a message", "asgi",
    symptom="a long upload is cut off by its own client, whose pings nobody answers", seen=BOOK,
    packet=SHAKE + frame(TEXT, b"Hel", last=False) + frame(PING, b"?"),
    check="a ping inside a message", clause=FRAGMENTS,
)  # fmt: skip
def lost_ping(patch: Patch) -> None:
    """Look for nothing but fragments while a message is under way."""
    complete = websocket_receiving.Receiver._complete

    def fragments_only(self: Any, header: Any, piece: bytearray) -> Any:
        if self._begun is not None and header.part is websocket_states.Part.CONTROL:
            return None
        return complete(self, header, piece)

    patch(websocket_receiving.Receiver, "_complete", fragments_only)


@exhibit_of(
    "a ping changes the coding", "asgi",
    symptom="compressed uploads fail now and then: when a ping falls between two fragments",
    seen="wsproto 1.3.2, and so hypercorn 0.18.0",
    packet=handshake("/echo", "Sec-WebSocket-Extensions: permessage-deflate")
    + frame(0x41, b"\xf2", last=False) + frame(PING) + frame(0, b"\x48\x05\x00"),
    check="a ping in a compressed message", clause=FRAGMENTS,
)  # fmt: skip
def a_ping_changes_the_coding(patch: Patch) -> None:
    """Forget with any last frame, be it a ping's, that the message is compressed."""
    complete = websocket_receiving.Receiver._complete

    def forgets(self: Any, header: Any, piece: bytearray) -> Any:
        if self._begun is not None and header.part is websocket_states.Part.CONTROL:
            self._begun.inflater = None
        return complete(self, header, piece)

    patch(websocket_receiving.Receiver, "_complete", forgets)


@exhibit_of(
    "no time for a pong", "asgi",
    symptom="clients leave while the application is busy: nobody answers their pings",
    seen="granian 2.8.7",
    packet=handshake("/s/busy") + frame(PING, b"?"), check="a ping beside a busy application",
    clause="RFC 6455 §5.5.2",
)  # fmt: skip
def no_time_for_a_pong(patch: Patch) -> None:
    """Read frames when the application receives, and at no other time."""
    take = protocol_messages.Messages.take

    def receive(self: Any, data: bytes) -> None:
        self.frames.receive(data)
        self.under.ring()

    def read_and_take(self: Any) -> Any:
        if self.closed is None:
            self.more = self._read()
        return take(self)

    patch(protocol_messages.Messages, "receive", receive)
    patch(protocol_messages.Messages, "take", read_and_take)


# ---------------------------------------------------------------- text, limits, the end


@exhibit_of(
    "each fragment a text", "asgi",
    symptom="a long text fails when a character falls between two fragments", seen=HANDS,
    packet=SHAKE + frame(TEXT, b"\xe2\x82", last=False) + frame(0, b"\xac") + closing(),
    check="a character in two fragments", clause="RFC 6455 §5.6",
)  # fmt: skip
def each_fragment_a_text(patch: Patch) -> None:
    """Decode each fragment by itself."""
    check = websocket_messages.Assembly._check

    def alone(self: Any, piece: bytes, *, last: bool) -> None:
        check(self, piece, last=True)

    patch(websocket_messages.Assembly, "_check", alone)


@exhibit_of(
    "UTF-8 at the end", "asgi",
    symptom="megabytes are taken of a text whose first byte was wrong",
    seen="uvicorn 0.54.0 with websockets 17.4",
    packet=SHAKE + frame(TEXT, b"\xff", last=False), check="bad UTF-8 is seen at once",
    clause="RFC 6455 §8.1",
)  # fmt: skip
def utf_8_at_the_end(patch: Patch) -> None:
    """Look whether it is UTF-8 when all of it is there."""
    patch(websocket_messages.Assembly, "_check", lambda *_, **__: None)


@exhibit_of(
    "the bomb goes off", "asgi",
    symptom="64 KB of a client take 64 MB of the server, and a few clients all of it",
    seen="websockets before 5.0 (CVE-2018-1000518)",
    packet=SHAKE, check="a bomb", clause="RFC 6455 §10.4",
)  # fmt: skip
def bomb(patch: Patch) -> None:
    """Inflate a message whole, and then look how long it is."""
    add = websocket_zlib.Inflater.add
    patch(websocket_zlib.Inflater, "add", lambda self, piece, room: add(self, piece, 1 << 40))


@exhibit_of(
    "1005 said aloud", "asgi",
    symptom="a client that closes without a code reports an error of the protocol", seen=HANDS,
    packet=SHAKE + closing(None), check="no reserved code on the wire", clause="RFC 6455 §7.4.1",
)  # fmt: skip
def said_aloud(patch: Patch) -> None:
    """Send back the code that our own reader has made of none."""

    def payload(code: int | None, reason: str) -> bytes:
        return struct.pack("!H", 1005 if code is None else code) + reason.encode()

    patch(websocket, "close_payload", payload)


@exhibit_of(
    "an empty message is none", "asgi",
    symptom="an empty text, which is one, never arrives", seen="daphne 4.2.3",
    packet=SHAKE, check="empty messages", clause=FRAMES,
)  # fmt: skip
def an_empty_message_is_none(patch: Patch) -> None:
    """Ask whether there is a text by whether it is true."""
    send = asgi_websocket.WebSocketExchange._send

    def true_ones(self: Any, message: Any) -> None:
        if message.get("text") or message.get("bytes"):
            send(self, message)

    key = asgi_websocket_states.OPEN, asgi_websocket_states.SEND
    takes = {**asgi_websocket.WebSocketExchange._TAKES, key: true_ones}
    patch(asgi_websocket.WebSocketExchange, "_TAKES", takes)
