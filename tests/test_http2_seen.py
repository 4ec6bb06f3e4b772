"""Chapter 13's instruments: frames for people, a client, relays, waterfalls, streams X-rayed."""

from __future__ import annotations

import socket
import time

import pytest
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from handmade import aio
from workbench import page
from workbench.certificates import certificate
from workbench.fetching import feeds2, fetch, fetch2
from workbench.http2_bytes import PREFACE, Teller, cut, frames, header
from workbench.http2_client import Http2Client
from workbench.relay import Relay, UdpRelay
from workbench.running import running
from workbench.talk import StillWaiting
from workbench.waterfall import feeds, longest_gap, stalled, waterfall
from workbench.xray import xray

HEAD = bytes.fromhex("82 86 84 41 0d") + b"board.example"
EVERY = [
    SettingsFrame(0, settings={4: 1000}),
    SettingsFrame(0, flags=["ACK"]),
    HeadersFrame(1, HEAD, flags=["END_HEADERS", "END_STREAM"]),
    DataFrame(3, b"hello", flags=["END_STREAM"]),
    WindowUpdateFrame(0, window_increment=70000),
    RstStreamFrame(5, error_code=8),
    PingFrame(0, b"whatever", flags=["ACK"]),
    GoAwayFrame(0, last_stream_id=7, error_code=11),
]


# --- Frames, beside hyperframe ----------------------------------------------------------------


@pytest.mark.parametrize("frame", EVERY, ids=lambda frame: type(frame).__name__)
def test_a_frame_is_read_as_hyperframe_reads_it(frame):
    data = frame.serialize()
    (ours,), rest = cut(data + b"\0\0")
    theirs, length = Frame.parse_frame_header(memoryview(data[:9]))
    assert rest == b"\0\0"
    assert len(ours.payload) == length
    assert ours.stream == theirs.stream_id
    assert ours.kind == type(theirs).__name__.removesuffix("Frame").upper().replace(
        "RSTSTREAM", "RST_STREAM"
    ).replace("WINDOWUPDATE", "WINDOW_UPDATE")
    assert set(ours.flags) == set(frame.flags)


def test_frames_are_told():
    told = [cut(frame.serialize())[0][0].told for frame in EVERY]
    assert told == [
        "SETTINGS INITIAL_WINDOW_SIZE 1000",
        "SETTINGS ACK",
        "HEADERS END_STREAM END_HEADERS",
        "DATA END_STREAM 5 bytes",
        "WINDOW_UPDATE +70000",
        "RST_STREAM CANCEL",
        "PING ACK",
        "GOAWAY up to 7, ENHANCE_YOUR_CALM",
    ]


def test_a_teller_names_the_same_frames_at_every_split():
    data = PREFACE + b"".join(frame.serialize() for frame in EVERY)
    whole = Teller().frames(data)
    assert len(whole) == 1 + len(EVERY)
    for at in range(len(data)):
        teller = Teller()
        assert teller.frames(data[:at]) + teller.frames(data[at:]) == whole


def test_rows_of_frames_and_the_rest():
    first, rest = repr(frames(EVERY[3].serialize() + b"\0\0\5")).splitlines()
    whole = " 0  00 00 05 | 00 | 01 | 00 00 00 03 | 68 65 6c 6c 6f  <- stream 3: DATA END_STREAM"
    assert first == f"{whole} 5 bytes"
    assert rest.split() == ["14", "00", "00", "05", "<-", "the", "rest", "has", "not", "come"]


def test_a_header_is_drawn_and_told():
    picture = header(EVERY[2].serialize())
    assert picture._repr_png_().startswith(b"\x89PNG")
    assert "length 00 00 12: 18 bytes follow; type 01: HEADERS" in picture.alt
    with pytest.raises(ValueError, match="9 bytes"):
        header(b"\0\0\0\4\0\0\0\0")


# --- Relays -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server():
    with running(page.app) as server:
        yield server


def test_a_relay_takes_its_time_and_changes_nothing(server):
    with Relay(server.address, delay=0.03) as line:
        result = fetch(line.address, ["/?size=50000", "/?size=7"])
    first, second = result.records
    assert [first.bytes, second.bytes] == [50000, 7]
    assert first.done >= 4 * 0.03  # there and back to connect, there and back to ask
    assert second.done - second.sent >= 2 * 0.03


def test_what_is_behind_a_loss_waits_on_its_connection_alone(server):
    with Relay(server.address, delay=0.01, repair=0.3) as line:
        line.lose(1)
        result = fetch(line.address, [f"/{n}?size=700" for n in range(3)], connections=3)
        assert line.lost == 1
    late = [record.done - record.sent >= 0.3 for record in result.records]
    assert sum(late) == 1
    with Relay(server.address, delay=0.01, repair=0.3) as line:
        paths = [f"/{n}?size=700&pieces=8&wait=0.02" for n in range(3)]
        streams = feeds2(line.address, paths, lambda: line.lose(7))
    assert stalled(streams, 0.28) == 3


def test_a_small_piece_is_not_counted(server):
    with Relay(server.address) as line:
        line.lose(1)
        fetch(line.address, ["/?size=5"])
        assert line.lost == 0


def test_a_datagram_that_is_lost_is_lost():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as echo, UdpRelay(("127.0.0.1", 1)) as _:
        echo.bind(("127.0.0.1", 0))
        echo.settimeout(2)
        with (
            UdpRelay(echo.getsockname(), 0.02) as line,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        ):
            client.settimeout(2)
            line.lose(2)
            began = time.monotonic()
            client.sendto(b"?", line.address)
            _, back = echo.recvfrom(100)
            for number in range(3):
                echo.sendto(bytes([number]) * 900, back)
            assert [client.recv(1000)[0] for _ in range(2)] == [0, 2]
            assert time.monotonic() - began >= 0.04
            assert line.lost == 1


# --- The client, and what it fetches ----------------------------------------------------------


def test_all_ways_fetch_the_same(server):
    paths = [f"/{n}?size={n}" for n in range(1, 8)]
    for result in (fetch(server.address, paths), fetch(server.address, paths, 3)):
        assert [record.bytes for record in result.records] == [1, 2, 3, 4, 5, 6, 7]
    result = fetch2(server.address, paths)
    assert [record.bytes for record in result.records] == [1, 2, 3, 4, 5, 6, 7]
    assert {record.status for record in result.records} == {200}
    assert all(0 <= r.sent <= r.first <= r.done <= result.elapsed for r in result.records)


def test_a_window_is_what_the_client_says(server):
    with Http2Client(server.address, window=1000, generous=False) as client:
        one, other = client.ask("/?size=5000"), client.ask("/?size=900")
        client.until(other)
        client.read_all()
        assert client.sizes() == {one: 1000, other: 900}
        client.give(4000, one)
        client.until(one)
        assert client.sizes()[one] == 5000


def test_a_client_says_what_it_waits_for(server):
    with Http2Client(server.address, patience=0.2) as client:
        stream = client.ask("/?wait=2")
        with pytest.raises(StillWaiting, match=rf"open streams: \[{stream}\]"):
            client.until(stream)


def test_a_client_over_tls():
    cert = certificate()
    with (
        running(page.app, tls=cert) as server,
        Http2Client(server.address, tls=cert.context("h2")) as client,
    ):
        client.until(stream := client.ask("/?size=3"))
        assert ("version", "2") in client.answers[stream].fields


def test_pictures_of_it(server):
    result = fetch2(server.address, ["/?size=3", "/?size=4"])
    picture = waterfall({"HTTP/2": result})
    assert picture.text.count("|\n") == 2
    assert picture._repr_png_().startswith(b"\x89PNG")
    streams = [[0.0, 0.1, 0.2, 0.9], [0.0, 0.3, 0.6, 0.9]]
    assert longest_gap(streams[0]) == (0.2, 0.9)
    assert [stalled(streams, seconds) for seconds in (0.2, 0.5, 0.8)] == [2, 1, 0]
    drawn = feeds({"a": streams})
    assert "gap 700 ms" in drawn.text
    assert drawn._repr_png_().startswith(b"\x89PNG")


# --- The X-ray --------------------------------------------------------------------------------

SAID = PREFACE + SettingsFrame(0).serialize() + EVERY[2].serialize()


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.mark.parametrize("shell", ["asyncio", "loop"])
def test_an_x_ray_of_streams(shell):
    x = xray(hello, [SAID], shell=shell)
    engine = [(row.label, row.detail) for row in x.rows if "engine" in (row.source, row.target)]
    assert engine == [
        ("receive", f"{len(SAID)} bytes"),
        ("Request", "stream 1: GET /, 1 field"),
        ("End", "stream 1"),
        ("NEED_DATA", ""),
        ("Response", "stream 1: 200, 2 fields"),
        ("Data", "stream 1: 5 bytes: hello"),
        ("End", "stream 1"),
        ("bytes", next(row.detail for row in x.rows if row.label == "send")),
    ]
    assert x.rows[-1].label == "return"  # the response leaves before the application has returned
    lines = x.streams("title").text.splitlines()
    assert lines[0] == "title"
    assert lines[1].split()[-1] == "server"
    assert "stream 1" in lines[1]
    assert repr(x) == repr(xray(hello, [SAID], shell=shell))


def test_an_x_ray_of_a_connection_that_fails():
    x = xray(hello, [PREFACE + EVERY[3].serialize()])
    bad = [row for row in x.rows if row.bad]
    assert [row.label for row in bad] == ["ConnectionFailed"]
    assert "GOAWAY" in x.rows[-2].detail + x.rows[-1].detail + x.rows[-3].detail


# --- What the pictures brought to light -------------------------------------------------------


def test_asyncio_sends_without_waiting_for_acknowledgements():
    """A listening socket whose protocol is 0, as socket.create_server makes it, is no reason."""
    shells, found = [], []

    def shell(service, threads, **more):
        shells.append(aio.Asyncio(service, **more))
        return shells[-1]

    async def app(scope, receive, send):
        for wire in shells[0]._open:
            sock = wire.transport.get_extra_info("socket")
            found.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        await hello(scope, receive, send)

    with running(app, shell=shell, lifespan="off") as server:
        assert server.get("/").text == "hello"
    assert found
    assert all(found)
