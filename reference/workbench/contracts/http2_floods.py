"""Clients that attack: each kind of flood has an end (RFC 9113 §10.5).

Every case first does what a busy client may do, and then what no client does.  The end is GOAWAY
with ENHANCE_YOUR_CALM; meanwhile a client on another connection is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import case
from .asgi_probes import App, Receive, Scope, Send, answer, body_of, hello, instant
from .http2_client import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Code,
    Http2Wire,
    frame,
    head,
    up,
)
from .probes import expect, same

MOST = 20_000  # of anything: no defence that is one lets so many pass


def flood(wire: Http2Wire, frames: Callable[[int], bytes], what: str) -> None:
    """Send frames until the server ends the connection; raise Broken when it takes MOST of them."""
    wire.deaf = True
    for number in range(0, MOST, 50):
        wire.raw(b"".join(frames(number + more) for more in range(50)))
        while wire.hears_more(0) and wire.hear("its end"):
            pass
        if wire.ended or wire.was_reset or wire.goaways:
            break
    same(wire.goaway(f"{MOST} {what}"), Code.ENHANCE_YOUR_CALM, f"{what}: the code of GOAWAY")


def ends(server: Any, few: Callable[[int], bytes], what: str, app: Any = None) -> None:
    """Demand that a flood of frames ends, that ten of them are no flood, and others are served."""
    with up(server, app or hello()) as connect:
        wire, other = connect(), connect()
        for number in range(10):
            wire.raw(few(number))
        same(wire.get().status, 200, f"a request behind ten {what}")
        flood(wire, few, what)
        same(other.get().status, 200, "another client's request")


@case("http2", "rapid reset", "CVE-2023-44487", 13, needs={"defences"})
def rapid_reset(server: Any) -> None:
    """Streams that are opened and reset at once, again and again, end the connection."""
    running = most = 0
    over = instant(server, "the attack to be over")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal running, most
        if scope["path"] == "/other":
            return await answer(send)
        running += 1
        most = max(most, running)
        await over.comes()  # it looks at nothing: to reset its stream does not end its work
        running -= 1

    with up(server, app) as connect:
        wire, other = connect(), connect()
        wire.settled()
        block = wire.h2.encoder.encode(head("/"))
        again = wire.h2.encoder.encode(head("/"))

        def attack(number: int) -> bytes:
            stream = 2 * number + 1
            opens = frame(HEADERS, END_HEADERS | END_STREAM, stream, again if number else block)
            return opens + frame(RST_STREAM, 0, stream, (8).to_bytes(4))

        flood(wire, attack, "streams that are reset")
        same(other.get("/other").status, 200, "another client's request")
        over.happens()
    limit = other.h2.remote_settings.max_concurrent_streams
    expect(most <= limit, f"{most} applications ran at once, for a limit of {limit} streams")


@case("http2", "resets that the client provokes", "CVE-2025-8671", 13, needs={"defences"})
def made_you_reset(server: Any) -> None:
    """Streams that the server has to reset, again and again, end the connection."""
    blocks: dict[bool, bytes] = {}

    with up(server, hello()) as connect:
        wire, other = connect(), connect()
        wire.settled()
        fields = head("/", (b"connection", b"close"))
        blocks[True] = wire.h2.encoder.encode(fields)
        blocks[False] = wire.h2.encoder.encode(fields)
        flood(
            wire,
            lambda number: frame(HEADERS, 5, 2 * number + 1, blocks[number == 0]),
            "malformed requests",
        )
        same(other.get().status, 200, "another client's request")


@case("http2", "updates of nothing", "CVE-2025-8671", 13, needs={"defences"})
def updates_of_nothing(server: Any) -> None:
    """Streams that are reset for a window update of 0 count as resets too."""
    with up(server, hello()) as connect:
        wire = connect()
        wire.settled()
        fields = head("/", method=b"POST")
        blocks = [wire.h2.encoder.encode(fields), wire.h2.encoder.encode(fields)]

        def attack(number: int) -> bytes:
            stream = 2 * number + 1
            opens = frame(HEADERS, END_HEADERS, stream, blocks[min(number, 1)])
            return opens + frame(WINDOW_UPDATE, 0, stream, bytes(4))

        flood(wire, attack, "window updates of nothing")


@case("http2", "a flood of pings", "CVE-2019-9512", 13, needs={"defences"})
def a_flood_of_pings(server: Any) -> None:
    """Pings, each of which wants an answer, end the connection when nothing else comes."""
    ends(server, lambda number: frame(PING, payload=b"%8d" % number), "pings")


@case("http2", "a flood of settings", "CVE-2019-9515", 13, needs={"defences"})
def a_flood_of_settings(server: Any) -> None:
    """Settings, each of which wants an answer, end the connection."""
    ends(server, lambda number: frame(SETTINGS), "settings")


@case("http2", "many settings in a frame", "RFC 9113 §10.5", 13, needs={"defences"})
def many_settings_in_a_frame(server: Any) -> None:
    """A frame with thousands of settings that nobody knows is not remembered."""
    many = b"".join(number.to_bytes(2) + bytes(4) for number in range(1000, 3000))
    with up(server, hello()) as connect:
        wire = connect()
        wire.raw(frame(SETTINGS, payload=many))
        same(wire.goaway("too many settings"), Code.ENHANCE_YOUR_CALM, "the code")


@case("http2", "unknown settings one by one", "RFC 9113 §10.5", 13, needs={"defences"})
def unknown_settings_one_by_one(server: Any) -> None:
    """Settings that nobody knows are not remembered for ever, however slowly they come."""

    def few(number: int) -> bytes:
        first = 1000 + 8 * (number % 8000)  # a server that hears late may be sent many
        each = [(first + more).to_bytes(2) + bytes(4) for more in range(8)]
        return frame(SETTINGS, payload=b"".join(each))

    with up(server, hello()) as connect:
        wire = connect()
        flood(wire, few, "unknown settings")


@case("http2", "a flood of empty frames", "CVE-2019-9518", 13, needs={"defences"})
def a_flood_of_empty_frames(server: Any) -> None:
    """Frames of content without content, padded or not, end the connection."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await body_of(receive)
        await answer(send)

    for payload, flags in ((b"", 0), (b"\x02\0\0", 8)):
        with up(server, app) as connect:
            wire = connect()
            stream = wire.ask(head("/", method=b"POST"), end=False)
            wire.settled()
            flood(
                wire,
                lambda number, p=payload, f=flags, s=stream: frame(DATA, f, s, p),  # type: ignore[misc]
                "empty frames",
            )


@case("http2", "a flood of continuations", "VU#421644", 13, needs={"defences"})
def a_flood_of_continuations(server: Any) -> None:
    """A head that goes on and on ends the connection, whether its frames are full or empty."""
    for payload in (b"", b"\0\1a\xff" * 1000):
        with up(server, hello()) as connect:
            wire, other = connect(), connect()
            wire.settled()
            wire.raw(frame(HEADERS, END_STREAM, 1, b"\x82\x86\x84"))
            flood(
                wire,
                lambda number, p=payload: frame(CONTINUATION, 0, 1, p),  # type: ignore[misc]
                "continuations",
            )
            same(other.get().status, 200, "another client's request")


@case("http2", "a bomb of HPACK", "CVE-2016-6581", 13, needs={"defences"})
def a_bomb_of_hpack(server: Any) -> None:
    """A few bytes that unfold to megabytes of fields end the connection before they have."""
    with up(server, hello()) as connect:
        wire, other = connect(), connect()
        wire.settled()
        long = b"\x40\x01a\x7f\xa1\x1e" + b"b" * 4000  # one field of 4,000 bytes, into the table
        wire.raw(frame(HEADERS, 5, 1, b"\x82\x86\x84\x41\x01a" + long + b"\xbe" * 12_000))
        same(wire.goaway("a bomb"), Code.ENHANCE_YOUR_CALM, "the code")
        same(other.get().status, 200, "another client's request")


@case("http2", "a flood of window updates", "RFC 9113 §10.5", 13, needs={"defences"})
def a_flood_of_window_updates(server: Any) -> None:
    """Window updates that nothing is sent for end the connection."""
    ends(server, lambda number: frame(WINDOW_UPDATE, 0, 0, (1).to_bytes(4)), "window updates")


@case("http2", "a flood of priorities", "CVE-2019-9513", 13, needs={"defences"})
def a_flood_of_priorities(server: Any) -> None:
    """Priorities, which mean nothing any more, end the connection when they are many."""
    ends(server, lambda number: frame(PRIORITY, 0, 99, b"\0\0\0\1\x10"), "priorities")


@case("http2", "a flood of unknown frames", "RFC 9113 §10.5", 13, needs={"defences"})
def a_flood_of_unknown_frames(server: Any) -> None:
    """Frames that nobody knows end the connection when they are many."""
    ends(server, lambda number: frame(0xBE, 0, 0), "unknown frames")


@case("http2", "a flood of streams", "RFC 9113 §5.1.2", 13, needs={"defences"})
def a_flood_of_streams(server: Any) -> None:
    """Streams beyond the limit, again and again, end the connection."""
    goes_on = instant(server, "the flood to be over")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/":
            await goes_on.comes()
        await answer(send)

    with up(server, app) as connect:
        wire, other = connect(), connect()
        wire.settled()
        blocks = [wire.h2.encoder.encode(head("/")) for _ in range(2)]
        flood(
            wire,
            lambda number: frame(HEADERS, 5, 2 * number + 1, blocks[min(number, 1)]),
            "streams",
        )
        same(other.get("/other").status, 200, "another client's request")
        goes_on.happens()
    expect(len(app.paths) < 1000, f"{len(app.paths)} requests ran")
