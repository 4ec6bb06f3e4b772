"""Are WebSocket frames shown as they are: their bits, their payload, and those in an X-ray?"""

from __future__ import annotations

import asyncio
import socket
import struct
import time

import pytest

from handmade.websocket_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    TEXT,
    frame,
)
from workbench.audience import HANDSHAKE as WITH_PATH
from workbench.audience import NoWebSocket, audience
from workbench.frames import Reader, bits, frames, read_frame
from workbench.running import fixed, running
from workbench.xray import xray

HANDSHAKE = WITH_PATH % b"/live"
MASK = bytes.fromhex("37 fa 21 3d")
HELLO = frame(FIN | TEXT, b"Hello", MASK)
GOODBYE = frame(FIN | CLOSE, struct.pack("!H", 1000) + b"bye", MASK)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 256, 65535, 65536, 70000])
@pytest.mark.parametrize("mask", [b"", MASK])
def test_a_frame_is_read_as_it_was_made(size, mask):
    payload = bytes(range(256)) * (size // 256 + 1)
    made = frame(FIN | BINARY, payload[:size], mask)
    found = read_frame(made + b"more")
    assert found.payload == payload[:size]
    assert found.whole == made
    assert all(read_frame(made[:cut]) is None for cut in {0, 1, len(made) // 2, len(made) - 1})


def test_the_bits_have_names():
    text = repr(bits(HELLO, "Hello"))
    for line in (
        "Hello",
        "  FIN       1               the last of its message",
        "  opcode    0001            text",
        "  MASK      1               4 bytes of mask",
        "  length    0000101         5: bytes follow",
        "  mask      37 fa 21 3d     chosen anew for each frame",
        "  payload   7f 9f 4d 51 58  as it is on the wire",
        "  = payload 48 65 6c 6c 6f  Hello",
    ):
        assert line in text.splitlines()
    picture = bits(HELLO)
    assert "FIN 1" in picture.alt
    assert picture._repr_png_().startswith(b"\x89PNG")


def test_a_longer_length_is_shown_where_it_stands():
    text = repr(bits(frame(FIN | BINARY, bytes(256), MASK)))
    assert "126: see the next 2 bytes" in text
    assert "01 00" in text
    assert "256, the most significant byte first" in text


def test_half_a_frame_is_no_picture():
    with pytest.raises(ValueError, match="3 bytes are no whole frame"):
        bits(HELLO[:3])


def test_many_frames_are_rows():
    parts = [frame(TEXT, b"Hel", MASK), frame(FIN | PING, b""), frame(FIN | CONTINUATION, b"lo")]
    rows = repr(frames(b"".join([*parts, GOODBYE, b"\x81"]))).splitlines()
    assert [row.split("<- ")[1] for row in rows] == [
        "text, goes on: Hel",
        "bare ping",
        "bare continuation: lo",
        "close: 1000 bye",
        "the rest has not come",
    ]


def test_what_is_no_text_is_escaped():
    assert read_frame(frame(FIN | BINARY, b"\x00\xff")).told == r"binary: \x00\xff"
    assert read_frame(b"\xc1\x02\x00\x01").told == "text, RSV1: 00 01"
    assert read_frame(b"\x83\x00").told == "opcode 3"
    assert read_frame(b"\x88\x00").told == "close: no code"


def test_a_stream_is_read_wherever_it_is_cut():
    stream = HELLO + GOODBYE
    for cut in range(len(stream)):
        reader = Reader()
        found = reader.feed(stream[:cut]) + reader.feed(stream[cut:])
        assert [each.kind for each in found] == ["text", "close"]
    assert Reader().told(HELLO[:4]) == "4 bytes: a part of a frame"


# ------------------------------------------------------------------ in an X-ray


async def upper(scope, receive, send):
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "websocket.send", "text": message["text"].upper()})


STEPS = [
    ("socket", "engine", "receive", "11 bytes: text: Hello"),
    ("engine", "gateway", "Text", "Hello"),
    ("gateway", "application", "receive", "text 'Hello'"),
    ("application", "gateway", "send", "text 'HELLO'"),
    ("gateway", "engine", "text", "HELLO"),
    ("engine", "socket", "bytes", "7 bytes: text: HELLO"),
    ("engine", "gateway", "Close", "1000 bye"),
    ("engine", "socket", "bytes", "4 bytes: close: 1000"),
    ("gateway", "application", "disconnect", "code 1000, reason bye"),
]


def stand_in_order(rows):
    told = [(row.source, row.target, row.label, row.detail) for row in rows]
    places = [told.index(step) for step in STEPS]
    assert places == sorted(places)


@pytest.mark.parametrize("shell", ["asyncio", "loop"])
def test_an_xray_names_the_frames(shell):
    stand_in_order(xray(upper, [HANDSHAKE, HELLO, GOODBYE], shell=shell).rows)


def test_an_xray_is_the_same_every_time():
    pieces = [HANDSHAKE + HELLO[:3], HELLO[3:], GOODBYE]
    assert repr(xray(upper, pieces)) == repr(xray(upper, pieces))


def test_an_xray_tells_what_was_wrong():
    x = xray(upper, [HANDSHAKE, frame(FIN | TEXT, b"bare")])
    bad = [row for row in x.rows if row.bad]
    assert [row.label for row in bad] == ["WebSocketError"]
    assert bad[0].detail.startswith("1002: a client must mask its frames")


@pytest.mark.parametrize("shell", ["asyncio", "loop"])
def test_a_running_server_is_watched(shell):
    x = xray()
    with (
        running(upper, tap=x, clock=fixed, shell=shell) as server,
        socket.create_connection(server.address, 2) as client,
    ):
        for piece in (HANDSHAKE, HELLO, GOODBYE):
            client.sendall(piece)
            client.recv(1000)
        assert client.recv(1000) == b""
    stand_in_order(x.rows)


# ------------------------------------------------------------------ an audience


def posting(publish_to):
    """Return an application that posts twenty messages of 4 KiB, one each 5 ms, to its readers."""

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        if scope["path"] == "/live":
            publish_to.append(send)
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        await receive()
        began = time.monotonic()
        for number in range(20):
            due = began + number * 0.005
            await asyncio.sleep(due - time.monotonic())
            for reader in list(publish_to):
                await reader(
                    {"type": "websocket.send", "bytes": struct.pack("d", due) + bytes(4088)}
                )

    return app


def test_an_audience_hears_all_and_tells_how_late():
    seen = audience(posting([]), lambda: 1 << 20, readers=2, nap=0.1, seconds=0.8)
    assert len(seen.late) == 2 * 20
    assert seen.slow == 20
    assert 1 <= seen.meanwhile <= 20
    assert seen.kept >= 1.0
    assert seen.code is None


def test_an_audience_that_is_not_accepted_says_so():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.close"})

    with pytest.raises(NoWebSocket, match="403"):
        audience(app)
