"""Clients that break the protocol: which code, and on a stream or on the connection.

The frames and their rules are RFC 9113 §6, the codes RFC 9113 §7, the fields RFC 9113 §8.
"""

from __future__ import annotations

from typing import Any

from . import Broken, case
from .asgi_probes import (
    App,
    Receive,
    Scope,
    Send,
    answer,
    body_of,
    echo_path,
    hello,
    instant,
    taking,
)
from .http2_client import (
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
    Code,
    Http2Wire,
    Pairs,
    frame,
    head,
    up,
)
from .probes import same
from .wire import Wire

# RFC 9113 §8.1.1: each is malformed, and costs its stream.
MALFORMED: dict[str, Pairs] = {
    "a capital letter in a name": head("/", (b"X-Upper", b"1")),
    "an empty name": head("/", (b"", b"1")),
    "a blank in a name": head("/", (b"a b", b"1")),
    "a colon in a name": head("/", (b"a:b", b"1")),
    "a line feed in a value": head("/", (b"a", b"b\nc: d")),
    "a zero in a value": head("/", (b"a", b"b\0")),
    "a carriage return in a value": head("/", (b"a", b"b\r")),
    "a blank before a value": head("/", (b"a", b" b")),
    "a tab behind a value": head("/", (b"a", b"b\t")),
    "connection": head("/", (b"connection", b"close")),
    "keep-alive": head("/", (b"keep-alive", b"timeout=5")),
    "proxy-connection": head("/", (b"proxy-connection", b"close")),
    "transfer-encoding": head("/", (b"transfer-encoding", b"chunked")),
    "upgrade": head("/", (b"upgrade", b"websocket")),
    "te with more than trailers": head("/", (b"te", b"gzip")),
    "no method": head("/")[1:],
    "no scheme": [head("/")[0], *head("/")[2:]],
    "no path": [*head("/")[:2], head("/")[3]],
    "no authority and no host": head("/")[:3],
    "an empty path": head(""),
    "a path without a slash": head("index.html"),
    "a path with a blank": head("/a b"),
    "a path with a fragment": head("/a#b"),
    "a star that is not for OPTIONS": head("*"),
    "an empty authority": [*head("/")[:3], (b":authority", b"")],
    "an authority with a user": [*head("/")[:3], (b":authority", b"me@test")],
    "a Host that is another than :authority": head("/", (b"host", b"other.example")),
    "two Hosts": head("/", (b"host", b"test"), (b"host", b"other.example")),
    "the same Host twice": head("/", (b"host", b"test"), (b"host", b"test")),
    "a pseudo-header field twice": [*head("/"), (b":path", b"/b")],
    "an unknown pseudo-header field": [*head("/"), (b":unknown", b"1")],
    "a pseudo-header field of responses": [*head("/"), (b":status", b"200")],
    "a pseudo-header field behind a field": [*head("/")[:3], (b"a", b"b"), head("/")[3]],
    "a method that is no token": head("/", method=b"GE T"),
    ":protocol without CONNECT": [*head("/"), (b":protocol", b"websocket")],
    "CONNECT with a path": head("/", method=b"CONNECT"),
    "a Content-Length that is no number": head("/", (b"content-length", b"+5")),
    "two Content-Lengths": head("/", (b"content-length", b"5"), (b"content-length", b"6")),
    "a Content-Length and no content": head("/", (b"content-length", b"5")),
}


@case("http2", "malformed requests", "RFC 9113 §8.1.1", 13)
def malformed_requests(server: Any) -> None:
    """A malformed request is reset with PROTOCOL_ERROR, and the connection goes on."""
    app = echo_path()
    with up(server, app) as connect:
        wire = connect()
        for what, fields in MALFORMED.items():
            stream = wire.ask(fields)
            got = wire.responses[stream]
            try:
                wire.reset_of(stream)
            except Broken as broken:
                raise Broken(f"{what}: {broken.problem}; its status is {got.status}") from broken
            same((got.status, got.reset), (0, Code.PROTOCOL_ERROR), f"{what}: status and reset")
        same(bytes(wire.get("/after").body), b"/after", "the request behind them")
    same(app.paths, ["/after"], "what ran")


@case("http2", "a body of another length", "RFC 9113 §8.1.1", 13)
def a_body_of_another_length(server: Any) -> None:
    """More or less content than announced resets the stream, and no application takes it whole."""
    took: list[bytes] = []
    app = taking(took)

    with up(server, app) as connect:
        wire = connect()
        for length, content in ((5, b"hell"), (5, b"hello!"), (0, b"x")):
            announced = (b"content-length", b"%d" % length)
            stream = wire.ask(head("/", announced, method=b"POST"), content)
            same(wire.reset_of(stream), Code.PROTOCOL_ERROR, f"{len(content)} bytes of {length}")
        same(wire.get(head("/", method=b"POST"), b"fine").status, 200, "the request behind them")
    same(took, [b"fine"], "what was taken whole")


@case("http2", "trailers that are not the end", "RFC 9113 §8.1", 13)
def trailers_that_are_not_the_end(server: Any) -> None:
    """A second head that does not end the stream, or has pseudo-header fields, is malformed."""
    with up(server, hello_late(server)) as connect:
        wire = connect()
        for fields, flags in (
            ([(b"x", b"1")], END_HEADERS),
            ([(b":path", b"/b")], END_HEADERS | END_STREAM),
            ([(b"connection", b"close")], END_HEADERS | END_STREAM),
        ):
            stream = wire.ask(head("/wait", method=b"POST"), b"some", end=False)
            wire.raw(frame(HEADERS, flags, stream, wire.h2.encoder.encode(fields)))
            same(wire.reset_of(stream), Code.PROTOCOL_ERROR, "the code")
        same(wire.get().status, 200, "the next request")


def hello_late(server: Any) -> App:
    """Return an application that reads the whole body, and then answers."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await body_of(receive)
        await answer(send)

    return app


@case("http2", "frames behind the end of a request", "RFC 9113 §5.1", 13)
def frames_behind_the_end(server: Any) -> None:
    """Content and heads on a stream that the client has ended are STREAM_CLOSED."""
    goes_on = instant(server, "the streams to be reset")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/wait":
            await goes_on.comes()
        await answer(send)

    with up(server, app) as connect:
        wire = connect()
        for more in (DATA, HEADERS):
            stream = wire.ask("/wait")
            wire.raw(
                frame(more, END_HEADERS | END_STREAM, stream, b"" if more == DATA else b"\x88")
            )
            same(wire.reset_of(stream), Code.STREAM_CLOSED, "the code")
        goes_on.happens()
        same(wire.get().status, 200, "the next request")


@case("http2", "a window update of nothing", "RFC 9113 §6.9", 13)
def a_window_update_of_nothing(server: Any) -> None:
    """An increment of 0 is the end of its stream, and of the connection where it is for that."""
    with up(server, hello_late(server)) as connect:
        wire = connect()
        stream = wire.ask(head("/", method=b"POST"), end=False)
        wire.raw(frame(WINDOW_UPDATE, 0, stream, bytes(4)))
        same(wire.reset_of(stream), Code.PROTOCOL_ERROR, "the code of the stream")
        same(wire.get().status, 200, "the next request")
        wire.raw(frame(WINDOW_UPDATE, 0, 0, bytes(4)))
        same(wire.goaway("an update of nothing"), Code.PROTOCOL_ERROR, "the code of the connection")


@case("http2", "one stream too many", "RFC 9113 §5.1.2", 13)
def one_stream_too_many(server: Any) -> None:
    """A stream beyond SETTINGS_MAX_CONCURRENT_STREAMS is refused, and may be tried again."""
    goes_on = instant(server, "one stream to be refused")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await goes_on.comes()
        await answer(send)

    with up(server, app) as connect:
        wire = connect()
        wire.settled()
        most = wire.h2.remote_settings.max_concurrent_streams
        wire.h2.remote_settings.max_concurrent_streams = most + 5
        wire.h2.remote_settings.acknowledge()
        streams = [wire.ask() for _ in range(most + 1)]
        same(wire.reset_of(streams[-1]), Code.REFUSED_STREAM, "the code")
        goes_on.happens()
        for stream in streams[:-1]:
            same(wire.answer(stream).status, 200, "a stream within the limit")
        same(wire.get().status, 200, "the next request")
    same(len(app.paths), most + 1, "what ran")


@case("http2", "too large a head", "RFC 6585 §5", 13)
def too_large_a_head(server: Any) -> None:
    """A head that is larger than SETTINGS_MAX_HEADER_LIST_SIZE is answered with 431, or reset."""
    app = hello()
    with up(server, app) as connect:
        wire = connect()
        wire.settled()
        most = wire.h2.remote_settings.max_header_list_size or 65536
        large = [(b"x-%d" % number, b"y" * 1000) for number in range(most // 1000 + 1)]
        same(wire.answer(wire.ask(head("/", *large))).status, 431, "the status")
        same(wire.answer(wire.ask(head("/", *[(b"x", b"y")] * 200))).status, 431, "of many fields")
        same(wire.get().status, 200, "the next request")
    same(app.paths, ["/"], "what ran")


OPENS = frame(HEADERS, END_HEADERS, 1, b"\x82\x86\x84\x41\x01a")  # GET http://a/, not ended
FAILS: dict[str, tuple[Code, bytes]] = {
    "a frame that is too long": (
        Code.FRAME_SIZE_ERROR,
        frame(DATA, 0, 1, bytes(16385)),
    ),
    "the header of one": (Code.FRAME_SIZE_ERROR, b"\xff\xff\xff\0\0\0\0\0\1"),
    "settings of 5 bytes": (Code.FRAME_SIZE_ERROR, frame(SETTINGS, payload=bytes(5))),
    "settings on a stream": (Code.PROTOCOL_ERROR, frame(SETTINGS, 0, 1)),
    "an acknowledgement with content": (Code.FRAME_SIZE_ERROR, frame(SETTINGS, ACK, 0, bytes(6))),
    "a window setting of 2^31": (
        Code.FLOW_CONTROL_ERROR,
        frame(SETTINGS, payload=b"\0\4\x80\0\0\0"),
    ),
    "a frame size setting of 100": (
        Code.PROTOCOL_ERROR,
        frame(SETTINGS, payload=b"\0\5\0\0\0\x64"),
    ),
    "push enabled with 2": (Code.PROTOCOL_ERROR, frame(SETTINGS, payload=b"\0\2\0\0\0\2")),
    "a ping of 7 bytes": (Code.FRAME_SIZE_ERROR, frame(PING, payload=bytes(7))),
    "a ping on a stream": (Code.PROTOCOL_ERROR, frame(PING, 0, 1, bytes(8))),
    "GOAWAY on a stream": (Code.PROTOCOL_ERROR, frame(GOAWAY, 0, 1, bytes(8))),
    "GOAWAY of 7 bytes": (Code.FRAME_SIZE_ERROR, frame(GOAWAY, payload=bytes(7))),
    "a window update of 3 bytes": (Code.FRAME_SIZE_ERROR, frame(WINDOW_UPDATE, payload=bytes(3))),
    "a window update on an idle stream": (
        Code.PROTOCOL_ERROR,
        frame(WINDOW_UPDATE, 0, 99, (9).to_bytes(4)),
    ),
    "a connection's window of 2^31": (
        Code.FLOW_CONTROL_ERROR,
        frame(WINDOW_UPDATE, payload=(0x7FFFFFFF).to_bytes(4)),
    ),
    "content on an idle stream": (Code.PROTOCOL_ERROR, frame(DATA, END_STREAM, 99, b"x")),
    "content on no stream": (Code.PROTOCOL_ERROR, frame(DATA, END_STREAM, 0, b"x")),
    "a reset of an idle stream": (
        Code.PROTOCOL_ERROR,
        OPENS + frame(RST_STREAM, 0, 99, bytes(4)),
    ),
    "a reset of no stream": (Code.PROTOCOL_ERROR, frame(RST_STREAM, 0, 0, bytes(4))),
    "a reset of 3 bytes": (Code.FRAME_SIZE_ERROR, OPENS + frame(RST_STREAM, 0, 1, bytes(3))),
    "a head on no stream": (Code.PROTOCOL_ERROR, frame(HEADERS, 5, 0, b"\x82\x86\x84")),
    "a head on an even stream": (Code.PROTOCOL_ERROR, frame(HEADERS, 5, 2, b"\x82\x86\x84")),
    "a head on an older stream": (
        Code.PROTOCOL_ERROR,
        frame(HEADERS, 5, 9, b"\x82\x86\x84") + frame(HEADERS, 5, 7, b"\x82\x86\x84"),
    ),
    "padding that is longer than the frame": (
        Code.PROTOCOL_ERROR,
        frame(HEADERS, 5 | PADDED, 1, b"\x09\x82\x86"),
    ),
    "a promise of a client": (Code.PROTOCOL_ERROR, frame(PUSH_PROMISE, 4, 1, bytes(4) + b"\x82")),
    "a head that goes on nowhere": (Code.PROTOCOL_ERROR, frame(CONTINUATION, 4, 1, b"\x82")),
    "a ping in the middle of a head": (
        Code.PROTOCOL_ERROR,
        frame(HEADERS, 1, 1, b"\x82") + frame(PING, payload=bytes(8)),
    ),
    "an unknown frame in the middle of a head": (
        Code.PROTOCOL_ERROR,
        frame(HEADERS, 1, 1, b"\x82") + frame(0xBE, 0, 1),
    ),
    "a head that goes on on another stream": (
        Code.PROTOCOL_ERROR,
        frame(HEADERS, 1, 1, b"\x82") + frame(CONTINUATION, 4, 3, b"\x86"),
    ),
    "an index of HPACK that is nowhere": (Code.COMPRESSION_ERROR, frame(HEADERS, 5, 1, b"\xfe")),
    "a string of HPACK that is cut": (Code.COMPRESSION_ERROR, frame(HEADERS, 5, 1, b"\x40\x05ab")),
    "an integer of HPACK without end": (
        Code.COMPRESSION_ERROR,
        frame(HEADERS, 5, 1, b"\xff" + b"\xff" * 20 + b"\0"),
    ),
    "a table of HPACK that is too large": (
        Code.COMPRESSION_ERROR,
        frame(HEADERS, 5, 1, b"\x3f\xe1\xff\x03\x82\x86\x84"),
    ),
}


@case("http2", "connection errors", "RFC 9113 §5.4.1", 13)
def connection_errors(server: Any) -> None:
    """What breaks the state that all streams share ends the connection, with the code it names.

    Sizes of frames: RFC 9113 §4.2.  Compression: RFC 9113 §4.3.  Resets: RFC 9113 §6.4.  Settings:
    RFC 9113 §6.5.
    """
    app = hello()
    with up(server, app) as connect:
        for what, (code, sent) in FAILS.items():
            wire = connect()
            wire.settled()
            wire.deaf = True  # h2 knows nothing of these streams
            wire.raw(sent)
            same(wire.goaway(what), code, f"{what}: the code of GOAWAY")
            wire.close()
        same(connect().get().status, 200, "the next client")
    same(len(app.paths), 3, "what ran: the last one, and those that OPENS")


@case("http2", "an error while others run", "RFC 9113 §5.4.1", 13)
def an_error_while_others_run(server: Any) -> None:
    """When a client breaks the connection every application that ran on it is told."""
    told: list[str] = []
    runs = instant(server, "the application to run")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await body_of(receive)
        runs.happens()
        told.append((await receive())["type"])

    with up(server, app) as connect:
        wire = connect()
        wire.ask()
        runs.wait()
        wire.raw(frame(PING, payload=bytes(7)))
        same(wire.goaway("its client is broken"), Code.FRAME_SIZE_ERROR, "the code")
        app.ended.wait()
    same(told, ["http.disconnect"], "what the application was told")


@case("http2", "a wrong preface", "RFC 9113 §3.4", 13)
def a_wrong_preface(server: Any) -> None:
    """The preface is followed by settings, or the connection ends."""
    with up(server, hello()) as connect:
        for first in (frame(PING, payload=bytes(8)), frame(SETTINGS, ACK), frame(HEADERS, 5, 1)):
            wire: Http2Wire = connect(greet=False)
            wire.h2.initiate_connection()
            wire.h2.clear_outbound_data_buffer()
            wire.raw(PREFACE, first)
            same(wire.goaway("the first frame is no SETTINGS"), Code.PROTOCOL_ERROR, "the code")
        wire = connect(greet=False)
        wire.raw(PREFACE[:20] + b"no\r\n")
        Wire.closed(wire, "this is neither")
        same(connect().get().status, 200, "the next client")


@case("http2", "what is not known is passed over", "RFC 9113 §5.5", 13)
def unknown_frames(server: Any) -> None:
    """Unknown frames, settings and flags, and priorities (RFC 9113 §5.3), mean nothing."""
    with up(server, hello()) as connect:
        wire = connect()
        wire.settled()
        wire.raw(
            frame(0xBE, 0xFF, 0, b"whatever"),
            frame(0xBE, 0, 7),
            frame(SETTINGS, 0, 0, b"\xfe\xdc\0\0\0\1"),
            frame(PING, 0xFE, 0, bytes(8)),
            frame(PRIORITY, 0, 5, b"\0\0\0\0\x10"),
            frame(PRIORITY, 0, 5, b"\0\0\0\5\x10"),  # it waits for itself: once that was an error
            frame(PRIORITY, 0, 7, b"\0\0\0\0"),
        )
        same(wire.get().status, 200, "the request behind them")
