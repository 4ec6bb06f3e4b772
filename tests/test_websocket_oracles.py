"""Our WebSocket engine agrees with wsproto and with websockets, in both directions.

Sizes are those at which a length changes its form, cuts and fragments fall anywhere, and every
parameter of permessage-deflate takes part.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websocket_peers import PEERS, Seen, drained, ours, seen
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.protocol import State
from websockets.uri import parse_uri
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, RejectConnection, TextMessage
from wsproto.events import Request as TheirRequest
from wsproto.extensions import PerMessageDeflate

from handmade import http1
from handmade.events import Informational, PeerError, Request
from handmade.websocket import Connection, Text, WebSocketError
from handmade.websocket_deflate import Agreed, DeflateSettings, negotiate, read_offers
from handmade.websocket_handshake import accept_fields, read_handshake

few = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
many = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
peers = pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
sides = pytest.mark.parametrize("client", [False, True], ids=["we serve", "we are the client"])

SIZES = (0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 128, 255, 256, 257, 65534, 65535, 65536, 65537)
sizes = st.one_of(st.sampled_from(SIZES), st.integers(0, 300))
flags = st.booleans()
bits = st.one_of(st.none(), st.integers(9, 15))  # neither library speaks 8; the contract does
agreements = st.one_of(st.none(), st.builds(Agreed, flags, flags, bits, bits))


@st.composite
def messages(draw: st.DrawFn) -> str | bytes:
    """Return a text or bytes of a size that matters, dull or random."""
    size, dice = draw(sizes), random.Random(draw(st.integers(0, 99)))
    kind = draw(st.sampled_from(["ascii", "all", "dull", "random"]))
    if kind == "ascii":
        return "".join(dice.choices("abcdefgh \n", k=size))
    if kind == "all":  # cut to a size in bytes, so that characters end where lengths change
        text = "".join(dice.choices("aé€𝄞", k=size)).encode()[:size].decode(errors="ignore")
        return text + "x" * (size - len(text.encode()))
    return b"dull" * (size // 4) + b"!" * (size % 4) if kind == "dull" else dice.randbytes(size)


def cut(data: Any, dice: random.Random, most: int = 8) -> list[Any]:
    """Return a str or bytes in pieces, some of them empty, others of one."""
    places = sorted(
        dice.choices([0, 1, 2, len(data) // 2, *range(len(data) + 1)], k=dice.randrange(most))
    )
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def wanted(message: str | bytes) -> tuple[str, Any]:
    return ("text" if isinstance(message, str) else "binary", message)


def fed(connection: Connection, raw: bytes, dice: random.Random) -> Seen:
    """Return what our engine makes of bytes that come in pieces, or by single bytes."""
    pieces = [raw[i : i + 1] for i in range(len(raw))] if len(raw) < 400 else cut(raw, dice)
    events = []
    for piece in filter(None, pieces):
        connection.receive(piece)
        events += drained(connection)
    return seen(events)


@peers
@sides
@few
@given(agreed=agreements, talk=st.lists(messages(), max_size=4), seed=st.integers(0, 9999))
def test_what_we_send_they_read(
    peer: Any, client: bool, agreed: Agreed | None, talk: list[str | bytes], seed: int
) -> None:
    """RFC 6455 §5.2, RFC 7692 §7.2.1: whole or cut anywhere."""
    dice = random.Random(seed)
    we, they = ours(agreed, client=client, mask=dice), peer(agreed, client=not client)
    found: Seen = []
    for message in talk:
        raw = we.text(message) if isinstance(message, str) else we.binary(message)
        for piece in filter(None, cut(raw, dice)):
            found += they.feed(piece)
        found += they.feed(we.ping(b"?"))
    between = [[wanted(message), ("ping", b"?")] for message in talk]
    assert found == [each for pair in between for each in pair]


@peers
@sides
@few
@given(agreed=agreements, talk=st.lists(messages(), max_size=4), seed=st.integers(0, 9999))
def test_what_they_send_we_read(
    peer: Any, client: bool, agreed: Agreed | None, talk: list[str | bytes], seed: int
) -> None:
    """RFC 6455 §5.4, RFC 7692 §7.2.2: in fragments, with Pings between them, cut anywhere."""
    dice = random.Random(seed)
    we, they = ours(agreed, client=client, mask=dice), peer(agreed, client=not client)
    raw, expected = b"", []
    for message in talk:
        parts = cut(message, dice, 5)
        between = dice.choice([None, b"", b"?", b"p" * 125])
        raw += they.message(parts, between)
        pings = [] if between is None else [("ping", between)] * (len(parts) - 1)
        expected += [*pings, wanted(message)]
    assert fed(we, raw, dice) == expected


@peers
@sides
@pytest.mark.parametrize("size", SIZES)
def test_every_size_of_a_frame(peer: Any, client: bool, size: int) -> None:
    """RFC 6455 §5.2: at each size where a length changes its form, whole and byte by byte."""
    dice = random.Random(size)
    data = dice.randbytes(size)
    we, they = ours(None, client=client, mask=dice), peer(None, client=not client)
    assert they.feed(we.binary(data)) == [("binary", data)]
    for pieces in (1, 2):
        raw = they.message([data], None)
        step = 1 if pieces == 1 and size < 70_000 else len(raw)
        events = []
        for at in range(0, len(raw), step):
            we.receive(raw[at : at + step])
            events += drained(we)
        assert seen(events) == [("binary", data)]


CLOSES = [(1000, ""), (1001, "going"), (1011, "é" * 61), (3000, "r" * 123), (4999, "x")]


@peers
@sides
@pytest.mark.parametrize(("code", "reason"), CLOSES)
def test_the_closing_handshake(peer: Any, client: bool, code: int, reason: str) -> None:
    """RFC 6455 §7.1.2: either side begins, the other answers, and both are through."""
    dice = random.Random(code)
    we, they = ours(None, client=client, mask=dice), peer(None, client=not client)
    assert they.feed(we.close(code, reason)) == [("close", (code, reason))]
    if peer is PEERS["wsproto"]:
        answer = they.close(code, "")
        assert fed(we, answer, dice) == [("close", (code, ""))]
    else:  # it has answered by itself
        assert fed(we, b"".join(they.protocol.data_to_send()), dice) == [("close", (code, reason))]
    assert we.closed

    we, they = ours(None, client=client, mask=dice), peer(None, client=not client)
    assert fed(we, they.close(code, reason), dice) == [("close", (code, reason))]
    assert not we.closed
    assert they.feed(we.close(code)) == [("close", (code, ""))]
    assert we.closed


# ---------------------------------------------------------------- bytes that nobody should send


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Return one frame, right or wrong in any way, with its payload whole."""
    fin, opcode = draw(st.sampled_from([0x80, 0x80, 0x00])), draw(st.sampled_from(OPCODES))
    rsv = draw(st.sampled_from([0] * 12 + [0x40, 0x20, 0x10]))
    payload = draw(st.sampled_from(PAYLOADS))
    masked = draw(st.sampled_from([True] * 12 + [False]))
    head = draw(st.sampled_from(["short"] * 12 + ["16 bits", "64 bits"]))
    bit, size = 0x80 if masked else 0, len(payload)
    if head == "short" and size < 126:
        length = bytes([bit | size])
    elif head == "64 bits":
        length = bytes([bit | 127]) + size.to_bytes(8, "big")
    else:
        length = bytes([bit | 126]) + size.to_bytes(2, "big")
    mask = draw(st.binary(min_size=4, max_size=4)) if masked else b""
    turned = bytes([b ^ mask[i % 4] for i, b in enumerate(payload)]) if mask else payload
    return bytes([fin | rsv | opcode]) + length + mask + turned


OPCODES = [0x0, 0x0, 0x1, 0x1, 0x1, 0x2, 0x8, 0x9, 0xA, 0x3, 0x7, 0xB, 0xF]
PAYLOADS = [b"", b"a", b"Hello", "aé€𝄞".encode(), b"\xe2\x82", b"\xac", b"\xff", b"\xed\xa0\x80"]
PAYLOADS += [b"\x03\xe8", b"\x03\xe8why", b"\x03\xe8\xff", b"\x03\xec", b"\x03\xed", b"\x03\xf7"]
PAYLOADS += [b"\x0b\xb8", b"\x13\x88", b"\x00\x00", b"p" * 125, b"p" * 126, b"p" * 300]


def judged(raw: bytes, step: int) -> tuple[Seen, int]:
    """Return what our engine has read, and the code it fails with, or 0."""
    connection, events = Connection(), []
    try:
        for at in range(0, len(raw), step):
            connection.receive(raw[at : at + step])
            for event in drained(connection):
                events.append(event)  # those before an error count
    except WebSocketError as error:
        return seen(events), error.code
    return seen(events), 0


@many
@given(stream=st.lists(frames(), min_size=1, max_size=6).map(b"".join))
def test_we_refuse_what_wsproto_refuses_and_with_the_same_code(stream: bytes) -> None:
    """RFC 6455 §7.1.7, and it does not matter how the bytes are cut."""
    whole = judged(stream, len(stream))
    for step in (1, 2, 3):
        assert judged(stream, step) == whole, step
    events, code = whole
    they = PEERS["wsproto"](None, client=False)
    told = they.feed(stream)
    closed = [place for place, (kind, _) in enumerate(told) if kind == "close"]
    told = told[: closed[0] + 1] if closed else told
    if code == 0:
        assert told == events
    else:
        assert (told[:-1], told[-1][1][0]) == (events, code)


# ---------------------------------------------------------------- the handshake, over HTTP

FACTORIES = {
    "none": None,
    "as it comes": {},
    "no takeover": {"server_no_context_takeover": True, "client_no_context_takeover": True},
    "small windows": {"server_max_window_bits": 9, "client_max_window_bits": 10},
    "large windows": {"server_max_window_bits": 15, "client_max_window_bits": 15},
}
SETTINGS = [
    DeflateSettings(),
    DeflateSettings(True, True, 15, 15),
    DeflateSettings(False, True, 9, 9),
]


def accepted(raw: bytes, ours: DeflateSettings) -> tuple[bytes, Agreed | None]:
    """Return our answer to a client's handshake, and what was agreed on."""
    engine = http1.Connection()
    engine.receive(raw)
    request = engine.next_event()
    assert isinstance(request, Request)
    handshake = read_handshake(request)
    agreed = negotiate(handshake.offers, ours)
    chosen = handshake.subprotocols[-1] if handshake.subprotocols else None
    fields = accept_fields(handshake, chosen, [(b"X-Seat", b"7")], agreed)
    return engine.send(Informational(101, fields)), agreed


@pytest.mark.parametrize("own", SETTINGS, ids=str)
@pytest.mark.parametrize("offer", FACTORIES.values(), ids=FACTORIES)
def test_websockets_takes_our_answer(offer: dict[str, Any] | None, own: DeflateSettings) -> None:
    """RFC 6455 §4.1, RFC 7692 §5.1: the library checks each field, and then both talk."""
    client = ClientProtocol(
        parse_uri("ws://a.example/chat"),
        extensions=None if offer is None else [ClientPerMessageDeflateFactory(**offer)],
        subprotocols=["chat", "superchat"],
    )
    client.send_request(client.connect())
    answer, agreed = accepted(b"".join(client.data_to_send()), own)
    client.receive_data(answer)
    assert (client.state, client.handshake_exc) == (State.OPEN, None)
    assert client.subprotocol == "superchat"
    assert (len(client.extensions) == 1) == (agreed is not None) == (offer is not None)
    server = Connection(agreed=agreed)
    client.events_received()
    for size in (0, 5, 5, 70_000):
        client.receive_data(server.text("x" * size))
        assert [bytes(frame.data) for frame in client.events_received()] == [b"x" * size]
        client.send_text(b"y" * size)
        server.receive(b"".join(client.data_to_send()))
        assert server.next_event() == Text("y" * size)


@pytest.mark.parametrize("own", SETTINGS, ids=str)
@pytest.mark.parametrize("offer", FACTORIES.values(), ids=FACTORIES)
def test_wsproto_takes_our_answer(offer: dict[str, Any] | None, own: DeflateSettings) -> None:
    """RFC 6455 §4.1, RFC 7692 §5.1: and so does the other library."""
    extensions = [] if offer is None else [PerMessageDeflate(**offer)]
    client = WSConnection(ConnectionType.CLIENT)
    asked = TheirRequest("a.example", "/chat", extensions=extensions, subprotocols=["chat"])
    answer, agreed = accepted(client.send(asked), own)
    client.receive_data(answer)
    accept = next(client.events())
    assert isinstance(accept, AcceptConnection)
    assert (accept.subprotocol, len(accept.extensions)) == ("chat", len(extensions))
    server = Connection(agreed=agreed)
    for size in (1, 5, 5, 70_000):
        client.receive_data(server.text("x" * size))
        assert "".join(event.data for event in client.events()) == "x" * size
        server.receive(client.send(TextMessage("y" * size)))
        assert server.next_event() == Text("y" * size)


@pytest.mark.parametrize("offer", list(FACTORIES.values())[1:], ids=list(FACTORIES)[1:])
def test_we_understand_a_server_s_answer(offer: dict[str, Any]) -> None:
    """RFC 7692 §7.1: an answer has the form of an offer, and wsproto's server gives one."""
    extension = PerMessageDeflate()
    mine = negotiate(
        read_offers(b"permessage-deflate; " + str(PerMessageDeflate(**offer).offer()).encode())
    )
    assert mine is not None
    parameters = extension.accept(mine.answer.decode())
    answer = read_offers(f"permessage-deflate; {parameters}".encode())[0]
    assert Agreed(*[getattr(answer, name) for name in answer.__slots__]).answer == mine.answer


CHANGES: list[tuple[str, bytes, bytes]] = [
    ("the version", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 12"),
    ("no key", b"Sec-WebSocket-Key", b"X-Key"),
    ("no version", b"Sec-WebSocket-Version", b"X-Version"),
]


@pytest.mark.parametrize(("what", "old", "new"), CHANGES, ids=[each[0] for each in CHANGES])
def test_both_refuse_a_wrong_handshake(what: str, old: bytes, new: bytes) -> None:
    """RFC 6455 §4.2.1: what wsproto's server refuses, we refuse."""
    client = WSConnection(ConnectionType.CLIENT)
    raw = client.send(TheirRequest("a.example", "/chat"))
    assert old in raw
    raw = raw.replace(old, new)
    server = WSConnection(ConnectionType.SERVER)
    try:
        server.receive_data(raw)
        refused = any(isinstance(event, RejectConnection) for event in server.events())
    except Exception:
        refused = True
    assert refused
    with pytest.raises(PeerError):
        accepted(raw, DeflateSettings())
