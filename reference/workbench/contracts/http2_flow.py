"""Flow control and fairness (RFC 9113 §5.2, §6.9): in both directions, without waste or stall."""

from __future__ import annotations

from typing import Any

from . import case
from .asgi_probes import App, Instant, Receive, Scope, Send, answer, body, body_of, start, taking
from .http2_client import SETTINGS, Code, frame, head, up, windows
from .probes import expect, same

BLOCK = bytes(range(256)) * 256
LARGE = BLOCK * 16  # a MiB
HELD = 4_000_000  # bytes: more than a server with backpressure takes ahead of its client


@App
async def _download(scope: Scope, receive: Receive, send: Send) -> None:
    blocks = 1 if scope["path"] == "/short" else 16
    await send(start())
    for _ in range(blocks):
        await send(body(BLOCK))
    await send(body(b"", more=False))


def downloads() -> App:
    """Return an application that sends a MiB, or a block at /short."""
    return App(_download.view)


@case("http2", "a download through small windows", "RFC 9113 §6.9.1", 13)
def through_small_windows(server: Any) -> None:
    """A download passes through windows of 1,000 bytes, of 65,535, and larger ones."""
    for size in (1000, 65_535, 1 << 20):
        with up(server, downloads()) as connect:
            wire = connect(settings=windows(size))
            got = wire.get("/")
            expect(max(got.pieces) <= min(size, 16384), f"a piece of {max(got.pieces)} bytes")
            expect(got.body == LARGE, "the body is not whole")


@case("http2", "a window that is shut", "RFC 9113 §6.9.1", 13)
def a_shut_window(server: Any) -> None:
    """Nothing is sent beyond a stream's window, and all of it once that opens."""
    with up(server, downloads()) as connect:
        wire = connect(settings=windows(100), greedy=False)
        stream = wire.ask("/short")
        got = wire.responses[stream]
        wire.wait_until(lambda: len(got.body) == 100, "a hundred bytes")
        wire.settled()
        same(len(got.body), 100, "bytes in a window of 100")
        wire.open(50, stream)
        wire.wait_until(lambda: len(got.body) == 150, "fifty more")
        wire.open(100_000, stream)
        wire.open(100_000)
        same(bytes(wire.answer(stream).body), BLOCK, "the body")


@case("http2", "the window of the connection", "RFC 9113 §6.9.1", 13)
def the_window_of_the_connection(server: Any) -> None:
    """The streams together never send more than the connection's window, and share it."""
    with up(server, downloads()) as connect:
        wire = connect(settings=windows(0), greedy=False)
        streams = [wire.ask("/") for _ in range(4)]
        bodies = [wire.responses[stream].body for stream in streams]
        wire.settled()
        for stream in streams:
            wire.h2.increment_flow_control_window(2 << 20, stream)
        wire.flush()
        wire.wait_until(lambda: sum(map(len, bodies)) == 65_535, "a full window")
        wire.settled()
        same(sum(map(len, bodies)), 65_535, "bytes in a window of 65,535")
        expect(min(map(len, bodies)) > 0, f"one stream had it all: {[len(one) for one in bodies]}")
        wire.open(5 << 20)
        for stream in streams:
            expect(bytes(wire.answer(stream).body) == LARGE, "a body is not whole")


@case("http2", "windows that grow by a setting", "RFC 9113 §6.9.2", 13)
def windows_that_grow_by_a_setting(server: Any) -> None:
    """A new SETTINGS_INITIAL_WINDOW_SIZE changes the windows of open streams, also below zero."""
    with up(server, downloads()) as connect:
        wire = connect(settings=windows(1000), greedy=False)
        stream = wire.ask("/short")
        got = wire.responses[stream]
        wire.wait_until(lambda: len(got.body) == 1000, "a full window")
        wire.raw(frame(SETTINGS, payload=b"\0\4" + (0).to_bytes(4)))  # now it has -1000
        wire.open(1000, stream)
        wire.settled()
        same(len(got.body), 1000, "bytes through a window of 0")
        wire.raw(frame(SETTINGS, payload=b"\0\4" + (70_000).to_bytes(4)))
        wire.h2.streams[stream]._inbound_window_manager.window_opened(69_000)
        wire.open(100_000)
        same(bytes(wire.answer(stream).body), BLOCK, "the body")


@case("http2", "a short answer beside a long one", "RFC 9113 §5.2", 13)
def a_short_answer_beside_a_long_one(server: Any) -> None:
    """A short answer passes by long ones that are all there: the streams take turns."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, BLOCK if scope["path"] == "/short" else LARGE)

    with up(server, app) as connect:
        wire = connect(settings=windows(0))
        longs = [wire.ask("/"), wire.ask("/")]
        short = wire.ask("/short")
        wire.settled()
        for stream in (*longs, short, None):
            wire.h2.increment_flow_control_window(2 << 20, stream)
        wire.flush()
        for stream in (*longs, short):
            wire.answer(stream)
    last = max(place for place, (stream, _) in enumerate(wire.order) if stream == short)
    behind = sum(size for _, size in wire.order[last:])
    expect(behind > len(LARGE), f"only {behind} bytes of the long ones came behind it")


@case("http2", "a shut stream beside an open one", "RFC 9113 §5.2.1", 13)
def a_shut_stream_beside_an_open_one(server: Any) -> None:
    """A stream whose client takes nothing does not keep the others from theirs."""
    with up(server, downloads()) as connect:
        wire = connect(settings=windows(0), greedy=False)
        shut = wire.ask("/")
        wire.open(1 << 20)
        for _ in range(3):
            stream = wire.ask("/short")
            wire.open(1 << 20, stream)
            same(len(wire.answer(stream).body), len(BLOCK), "the open stream")
        same(len(wire.responses[shut].body), 0, "the shut one")


@case("http2", "send waits for the client", "ASGI HTTP 2.5, Response Body", 13)
def send_waits_for_the_client(server: Any) -> None:
    """For a client that takes nothing, send waits: a stream takes a bounded amount of memory."""
    sent = 0

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await send(start())
        for _ in range(200):
            await send(body(BLOCK))
            sent += len(BLOCK)
        await send(body(b"", more=False))

    with up(server, app) as connect:
        wire = connect(settings=windows(1 << 20), greedy=False)
        stream = wire.ask("/")
        got = wire.responses[stream]
        wire.wait_until(lambda: len(got.body) == 65_535, "a full window")
        for _ in range(10):
            wire.settled()
        expect(sent < HELD, f"the server took {sent} bytes ahead of its client")
        wire.greedy = True
        wire.open(1 << 24, stream)
        wire.open(1 << 24)
        same(len(wire.answer(stream).body), 200 * len(BLOCK), "the body")
    same(app.errors, [], "the application's errors")


@case("http2", "an upload", "RFC 9113 §6.9", 13)
def an_upload(server: Any) -> None:
    """An upload of many windows arrives whole, with few window updates."""
    took: list[bytes] = []
    app = taking(took)

    with up(server, app) as connect:
        wire = connect()
        same(wire.get(head("/", method=b"POST"), LARGE * 8).status, 200, "the status")
    same(took[0] == LARGE * 8, True, "the body is the same")
    frames = len(LARGE * 8) // 16384
    expect(wire.window_updates <= frames, f"{wire.window_updates} updates for {frames} frames")


@case("http2", "an upload through a small window", "RFC 9113 §6.9", 13, needs={"small windows"})
def an_upload_through_a_small_window(server: Any) -> None:
    """An upload passes through a window of a hundred bytes, and of one."""
    took: list[bytes] = []
    app = taking(took)

    for size, content in ((100, BLOCK[:3000]), (1, b"hello"), (20_000, LARGE)):
        with up(server, app, stream_window=size) as connect:
            wire = connect()
            wire.settled()
            same(wire.h2.remote_settings.initial_window_size, size, "the setting")
            same(wire.get(head("/", method=b"POST"), content).status, 200, "the status")
        same(took.pop() == content, True, "the body is the same")


@case("http2", "an upload that nobody reads", "RFC 9113 §5.2.2", 13)
def an_upload_that_nobody_reads(server: Any) -> None:
    """What nobody reads is not acknowledged, and holds up neither requests nor other uploads."""
    goes_on = Instant("the other uploads to have ended", 60.0)  # it gives up after the case only

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/unread":
            await goes_on.comes()
        content = await body_of(receive)
        await answer(send, b"%d" % len(content))

    with up(server, app) as connect:
        wire = connect()
        wire.settled()
        try:
            unread = wire.ask(head("/unread", method=b"POST"), end=False)
            held = 0
            while (room := wire.h2.local_flow_control_window(unread)) and held < HELD:
                wire.data(unread, bytes(room))
                held += room
                wire.settled()  # once a window, for many pings are a flood
            expect(held < HELD, f"the server took {held} bytes that nobody reads")
            for _ in range(4):
                got = wire.get(head("/read", method=b"POST"), LARGE)
                same(bytes(got.body), b"%d" % len(LARGE), "the other upload")
        finally:
            goes_on.happens()
        wire.data(unread, b"end", end=True)
        same(bytes(wire.answer(unread).body), b"%d" % (held + 3), "the upload, read at last")


@case("http2", "a stream's window of more than 2^31-1", "RFC 9113 §6.9.1", 13)
def a_window_too_large(server: Any) -> None:
    """A window update that makes a stream's window too large resets that stream alone."""
    with up(server, downloads()) as connect:
        wire = connect(settings=windows(10), greedy=False)
        stream = wire.ask("/")
        update = frame(8, 0, stream, (0x7FFFFFFF).to_bytes(4))
        wire.raw(update, update)  # one may fit, if the window is used up by then
        same(wire.reset_of(stream), Code.FLOW_CONTROL_ERROR, "the code")
        wire.settled()
