"""Chapter 12: WebSockets in ASGI (ASGI WebSocket 2.5), and what RFC 6455 asks of the server."""

from __future__ import annotations

import socket
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from . import case
from .asgi_probes import Instant, Message, Receive, Scope, Send, instant, task_of, turns, up
from .asgi_websocket_client import (
    ACCEPTED,
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Frame,
    Talk,
    WebSocketApp,
    accepting,
    closing,
    denied,
    echo,
    frame,
    handshake,
    talking,
)
from .probes import expect, same
from .wire import PATIENCE, Wire, request

NEEDS = ("websocket",)
SCOPE = "ASGI WebSocket 2.5, WebSocket Connection Scope"
ACCEPT = "ASGI WebSocket 2.5, Accept"
RECEIVE = "ASGI WebSocket 2.5, Receive"
SEND = "ASGI WebSocket 2.5, Send"
DISCONNECT = "ASGI WebSocket 2.5, Disconnect"
CLOSE_EVENT = "ASGI WebSocket 2.5, Close"
DENIAL = "ASGI WebSocket Denial Response"


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Wait until the client leaves."""
    while (await receive())["type"] != "websocket.disconnect":
        pass


def told(app: WebSocketApp, server: Any) -> None:
    """Wait for the application's end, and demand that nothing went wrong in it."""
    app.ended.wait()
    same(app.errors, [], "errors in the application")


# ---------------------------------------------------------------- the handshake


@case("asgi", "the websocket scope", SCOPE, 12, NEEDS)
def the_websocket_scope(server: Any) -> None:
    """A handshake becomes a scope of type websocket, with the types that the table gives."""
    app = accepting(nothing)
    sent = handshake("/live/caf%C3%A9?room=1", "Sec-WebSocket-Protocol: chat, board", "X-A: 1")
    with talking(server, app, sent) as talk:
        talk.wire.send(closing())
        talk.is_closed(1000, "the answer to a close")
    scope = app.scopes[0]
    wanted = {
        "type": "websocket", "http_version": "1.1", "scheme": "ws", "path": "/live/café",
        "raw_path": b"/live/caf%C3%A9", "query_string": b"room=1", "root_path": "",
        "subprotocols": ["chat", "board"],
    }  # fmt: skip
    same({key: scope.get(key) for key in wanted}, wanted, "the scope", sent)
    same(scope["asgi"]["version"], "3.0", "the version of ASGI")
    expect("method" not in scope, "a WebSocket's scope has no method")
    expect(
        (b"x-a", b"1") in [tuple(pair) for pair in scope["headers"]], "the headers are not there"
    )
    same(type(scope["client"][1]), int, "the type of the client's port")


@case("asgi", "an upgrade is no http", SCOPE, 12, NEEDS)
def an_upgrade_is_no_http(server: Any) -> None:
    """An application is asked about a handshake as a WebSocket, not as a plain GET."""
    app = accepting(nothing)
    with up(server, app) as connect:
        Talk(connect()).begin(handshake())
    same([scope["type"] for scope in app.scopes], ["websocket"], "the scopes' types")


@case("asgi", "the accept key", "RFC 6455 §4.2.2", 12, NEEDS)
def the_accept_key(server: Any) -> None:
    """The answer is 101 with Upgrade, Connection, and a hash of the client's key."""
    with talking(server, accepting(nothing)) as talk:
        assert talk.answer is not None
        same(talk.answer.value("sec-websocket-accept"), ACCEPTED, "Sec-WebSocket-Accept")
        same((talk.answer.value("upgrade") or "").lower(), "websocket", "Upgrade")
        same((talk.answer.value("connection") or "").lower(), "upgrade", "Connection")
        same(talk.answer.value("sec-websocket-protocol"), None, "a subprotocol nobody chose")
        same(talk.answer.value("sec-websocket-extensions"), None, "an extension nobody asked for")


@case("asgi", "connect comes first", "ASGI WebSocket 2.5, Connect", 12, NEEDS)
def connect_comes_first(server: Any) -> None:
    """The first message is websocket.connect, and it comes before the handshake is answered."""
    seen: list[Message] = []

    @WebSocketApp
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(await receive())
        await send({"type": "websocket.accept"})
        await nothing(scope, receive, send)

    with talking(server, app):
        same(seen, [{"type": "websocket.connect"}], "the first message")


@case("asgi", "a subprotocol and headers", ACCEPT, 12, NEEDS)
def a_subprotocol_and_headers(server: Any) -> None:
    """What the application chooses with its accept stands in the 101."""

    @WebSocketApp
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        headers = [[b"x-room", b"1"], (b"set-cookie", b"a=b")]
        await send({"type": "websocket.accept", "subprotocol": "board", "headers": headers})
        await nothing(scope, receive, send)

    with talking(server, app, handshake("/", "Sec-WebSocket-Protocol: chat, board")) as talk:
        assert talk.answer is not None
        same(talk.answer.value("sec-websocket-protocol"), "board", "Sec-WebSocket-Protocol")
        same(talk.answer.value("x-room"), "1", "the application's own field")
        same(talk.answer.value("set-cookie"), "a=b", "the application's cookie")


@case("asgi", "wrong in accept", ACCEPT, 12, NEEDS)
def wrong_in_accept(server: Any) -> None:
    """A subprotocol that was not offered, or a header that splits the answer, is the application's
    error, and 500.
    """
    for wrong in (
        {"subprotocol": "chess"},
        {"subprotocol": b"chat"},
        {"headers": [(b"x-a", b"1\r\nx-b: 2")]},
        {"headers": [("x-a", "1")]},
        {"headers": [(b"sec-websocket-accept", b"x")]},
    ):

        @WebSocketApp
        async def app(
            scope: Scope,
            receive: Receive,
            send: Send,
            wrong: Message = wrong,
        ) -> None:
            await receive()
            await send({"type": "websocket.accept", **wrong})

        denied(
            server, app, 500, f"accept with {wrong}", handshake("/", "Sec-WebSocket-Protocol: chat")
        )
        same(len(app.errors), 1, f"errors raised into the application for {wrong}")


@case("asgi", "bad handshakes", "RFC 6455 §4.2.1", 12, NEEDS)
def bad_handshakes(server: Any) -> None:
    """Without a key of 16 bytes it is 400, and another version is 426 with the one we speak and
    an Upgrade (RFC 9110 §15.5.22); the application hears of neither.
    """
    app = accepting(nothing)
    denied(server, app, 400, "a handshake without a key", handshake(key=""))
    denied(server, app, 400, "a key of three bytes", handshake(key="YWJj"))
    denied(server, app, 400, "a key that is no base64", handshake(key="?" * 24))
    answer = denied(server, app, 426, "a handshake of version 8", handshake(version="8"))
    same(answer.value("sec-websocket-version"), "13", "the version that is spoken")
    same(answer.value("upgrade"), "websocket", "Upgrade, without which there is no 426")
    options = ",".join(answer.values("connection")).lower()
    expect("upgrade" in options, f"Connection does not name Upgrade: {options!r}")
    same(app.scopes, [], "what reached the application")


@case("asgi", "not an upgrade", "RFC 9110 §7.8", 12, NEEDS)
def not_an_upgrade(server: Any) -> None:
    """Upgrade counts only if Connection names it, and in HTTP/1.1: else it is a plain request."""
    types: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        types.append(scope["type"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"plain"})

    whole = handshake()
    for sent in (
        whole.replace(b"Connection: Upgrade\r\n", b""),
        whole.replace(b"Upgrade: websocket\r\n", b""),
        whole.replace(b"Upgrade: websocket", b"Upgrade: chess"),
        whole.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ):
        with up(server, app) as connect:
            same(connect().send(sent).response().body, b"plain", "the answer", sent)
    same(types, ["http"] * 4, "the scopes' types")


@case("asgi", "close before accept", CLOSE_EVENT, 12, NEEDS)
def close_before_accept(server: Any) -> None:
    """An application that closes instead of accepting denies the handshake with 403."""

    @WebSocketApp
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.close", "code": 4000})

    denied(server, app, 403, "websocket.close before websocket.accept")
    told(app, server)


@case("asgi", "no answer to the handshake", ACCEPT, 12, NEEDS)
def no_answer_to_the_handshake(server: Any) -> None:
    """An application that returns or raises before it answers gets its client a 500."""

    @WebSocketApp
    async def returns(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    @WebSocketApp
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("before the answer")

    denied(server, returns, 500, "an application that returns without an answer")
    denied(server, fails, 500, "an application that fails without an answer")


@case("asgi", "a denial response", DENIAL, 12, NEEDS)
def a_denial_response(server: Any) -> None:
    """websocket.http.response answers the handshake with any status, headers and body."""

    @WebSocketApp
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        expect("websocket.http.response" in scope["extensions"], "the extension is not announced")
        await receive()
        headers = [(b"content-type", b"text/plain"), (b"x-why", b"full")]
        await send({"type": "websocket.http.response.start", "status": 429, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b"later, ", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"please"})

    answer = denied(server, app, 429, "a denial response")
    same(answer.body, b"later, please", "the body of the denial")
    same(answer.value("x-why"), "full", "the denial's header")
    told(app, server)


@case("asgi", "a denial goes on", DENIAL, 12, NEEDS)
def a_denial_goes_on(server: Any) -> None:
    """After a denial the connection is HTTP/1.1 as before."""

    @WebSocketApp
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        kind = "websocket.http" if scope["type"] == "websocket" else "http"
        await receive()
        head = [(b"content-length", b"2")]
        await send({"type": f"{kind}.response.start", "status": 404, "headers": head})
        await send({"type": f"{kind}.response.body", "body": b"no"})

    with up(server, app) as connect:
        wire = connect()
        same(Talk(wire).begin(handshake()).body, b"no", "the denial")
        same(wire.send(request()).response().body, b"no", "the next request")


@case("asgi", "what may not be sent", SEND, 12, NEEDS)
def what_may_not_be_sent(server: Any) -> None:
    """Messages out of order, of wrong types, or with both text and bytes raise in ``send``."""
    wrong: list[Any] = [
        {"type": "websocket.accept"},
        {"type": "websocket.send"},
        {"type": "websocket.send", "text": None, "bytes": None},
        {"type": "websocket.send", "text": "a", "bytes": b"a"},
        {"type": "websocket.send", "text": b"a"},
        {"type": "websocket.send", "bytes": "a"},
        {"type": "websocket.close", "code": 1005},
        {"type": "websocket.close", "code": "1000"},
        {"type": "websocket.close", "code": 999},
        {"type": "websocket.close", "reason": "x" * 124},
        {"type": "websocket.http.response.start", "status": 403, "headers": []},
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "websocket.receive", "text": "a"},
        {"text": "a"},
        "websocket.send",
    ]
    kept: list[Any] = []

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        for message in wrong:
            try:
                await send(message)
            except OSError:
                kept.append(message)
            except Exception:
                continue
            else:
                kept.append(message)
        await send({"type": "websocket.send", "text": "still here"})

    with talking(server, accepting(view)) as talk:
        talk.message(TEXT, b"still here", "a message after the mistakes")
    same(kept, [], "messages that raised nothing")


# ---------------------------------------------------------------- messages


@case("asgi", "echo", RECEIVE, 12, NEEDS)
def echo_of_both(server: Any) -> None:
    """Text arrives as ``text``, binary as ``bytes``, and each goes back as what it is."""
    with talking(server, echo()) as talk:
        for payload in (b"", b"hello", "caf\u00e9 \U0001f355".encode(), b"x" * 125, b"y" * 126):
            talk.send(TEXT, payload).message(TEXT, payload, "the echo of a text")
        for payload in (b"", bytes(range(256)), b"\x00" * 65535, b"\xff" * 65536, b"z" * 1_000_000):
            talk.send(BINARY, payload).message(BINARY, payload, "the echo of bytes")


@case("asgi", "one of the two", RECEIVE, 12, NEEDS)
def one_of_the_two(server: Any) -> None:
    """A message has ``text`` as str or ``bytes`` as bytes; the other is missing or None."""
    got: list[Message] = []

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(2):
            got.append(await receive())
        await send({"type": "websocket.send", "text": "done"})

    with talking(server, accepting(view)) as talk:
        talk.send(TEXT, b"a").send(BINARY, b"b").message(TEXT, b"done", "the end of the view")
    same([m["type"] for m in got], ["websocket.receive"] * 2, "the types")
    same(
        [(m.get("text"), m.get("bytes")) for m in got], [("a", None), (None, b"b")], "the contents"
    )


@case("asgi", "in order", SEND, 12, NEEDS)
def in_order(server: Any) -> None:
    """A thousand messages in one packet come in order, and go back in order."""
    texts = [b"%d" % number for number in range(1000)]
    with talking(server, echo()) as talk:
        talk.wire.send(b"".join(frame(TEXT, text) for text in texts))
        for text in texts:
            talk.message(TEXT, text, "one of a thousand")


@case("asgi", "frames behind the handshake", "RFC 6455 §4.1", 12, NEEDS)
def frames_behind_the_handshake(server: Any) -> None:
    """Bytes that come in the packet of the handshake are the first of the WebSocket."""
    with up(server, echo()) as connect:
        talk = Talk(connect())
        same(talk.begin(handshake(), frame(TEXT, b"early")).status, 101, "the handshake")
        talk.message(TEXT, b"early", "a frame that came with the handshake")


@case("asgi", "frames byte by byte", "RFC 6455 §5.2", 12, NEEDS)
def frames_byte_by_byte(server: Any) -> None:
    """A frame that arrives a byte at a time is the same frame."""
    with talking(server, echo()) as talk:
        for byte in frame(TEXT, b"slowly" * 30):
            talk.wire.send(bytes([byte]))
        talk.message(TEXT, b"slowly" * 30, "a frame in pieces")


@case("asgi", "fragments and a ping", "RFC 6455 §5.4", 12, NEEDS)
def fragments_and_a_ping(server: Any) -> None:
    """A message in three frames is one message, and a ping between them is answered at once."""
    got: list[Message] = []

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        got.append(await receive())
        await send({"type": "websocket.send", "text": got[0]["text"]})

    with talking(server, accepting(view)) as talk:
        talk.send(TEXT, b"one ", last=False).send(PING, b"?")
        talk.message(PONG, b"?", "the pong")
        talk.send(0, b"two ", last=False).send(0, b"three")
        talk.message(TEXT, b"one two three", "the message of three frames")


@case("asgi", "a ping while the application is busy", "RFC 6455 §5.5.2", 12, NEEDS)
def a_ping_while_busy(server: Any) -> None:
    """A ping is answered also while the application does not receive."""
    go = instant(server, "the test")

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        await go.comes()

    with talking(server, accepting(view)) as talk:
        talk.send(PONG, b"nobody asked").send(PING, b"there?")
        talk.message(PONG, b"there?", "the pong")
        go.happens()


# ---------------------------------------------------------------- the end


@case("asgi", "the client closes", DISCONNECT, 12, NEEDS)
def the_client_closes(server: Any) -> None:
    """The application hears the client's code and reason, and the close is answered with it."""
    for code, reason, wanted in ((1000, "bye", 1000), (4321, "", 4321), (None, "", 1005)):
        last: list[Message] = []

        async def view(
            scope: Scope,
            receive: Receive,
            send: Send,
            last: list[Message] = last,
        ) -> None:
            last += [await receive(), await receive()]

        app = accepting(view)
        with talking(server, app) as talk:
            talk.wire.send(closing(code, reason))
            got = talk.hear("the answer to a close")
            same((got.opcode, got.code), (CLOSE, wanted), f"the answer to close({code})")
            talk.wire.closed("the end of the connection")
            told(app, server)
        for message in last:  # also when it asks again
            same(message["type"], "websocket.disconnect", "the type")
            same(message.get("code"), wanted, "the code")
            same(message.get("reason") or "", reason, "the reason")


@case("asgi", "messages before the close", DISCONNECT, 12, NEEDS)
def messages_before_the_close(server: Any) -> None:
    """What came before the close is delivered before the disconnect."""
    got: list[Message] = []
    go = instant(server, "the close to arrive")

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        await go.comes()
        while (message := await receive())["type"] != "websocket.disconnect":
            got.append(message["text"])

    app = accepting(view)
    with talking(server, app) as talk:
        talk.send(TEXT, b"1").send(TEXT, b"2")
        talk.wire.send(closing())
        same(talk.hear("the answer to a close").opcode, CLOSE, "the answer")
        go.happens()
        told(app, server)
    same(got, ["1", "2"], "the messages before the close")


@case("asgi", "the client vanishes", DISCONNECT, 12, NEEDS)
def the_client_vanishes(server: Any) -> None:
    """A connection that ends without a close is told as 1006."""
    for how in ("close", "reset"):
        last: list[Message] = []

        async def view(
            scope: Scope,
            receive: Receive,
            send: Send,
            last: list[Message] = last,
        ) -> None:
            last.append(await receive())

        app = accepting(view)
        with talking(server, app) as talk:
            getattr(talk.wire, how)()
            told(app, server)
        same((last[0]["type"], last[0].get("code")), ("websocket.disconnect", 1006), how)


@case("asgi", "send on a closed WebSocket", "ASGI WebSocket 2.5, Disconnected Client", 12, NEEDS)
def send_after_the_client_left(server: Any) -> None:
    """``send`` raises an OSError once the client has left."""
    raised: list[BaseException] = []

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await send({"type": "websocket.send", "text": "anybody?"})
        except BaseException as error:
            raised.append(error)

    app = accepting(view)
    with talking(server, app) as talk:
        talk.wire.send(closing())
        told(app, server)
    expect(raised and isinstance(raised[0], OSError), f"send raised {raised!r}, no OSError")


@case("asgi", "the client leaves before the answer", DISCONNECT, 12, NEEDS)
def the_client_leaves_before_the_answer(server: Any) -> None:
    """Who leaves during the handshake is told as a disconnect with 1006."""
    last: list[Message] = []
    began = instant(server, "the application")

    @WebSocketApp
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        began.happens()
        last.append(await receive())

    with up(server, app) as connect:
        wire = connect().send(handshake())
        began.wait()
        wire.reset()
        told(app, server)
    same((last[0]["type"], last[0].get("code")), ("websocket.disconnect", 1006), "the disconnect")


@case("asgi", "close with a code", CLOSE_EVENT, 12, NEEDS)
def the_application_closes(server: Any) -> None:
    """websocket.close sends the code and the reason, 1000 without one."""
    for close, code, reason in (
        ({}, 1000, ""),
        ({"code": 4001, "reason": "full"}, 4001, "full"),
        ({"code": 1001, "reason": None}, 1001, ""),
    ):

        async def view(
            scope: Scope,
            receive: Receive,
            send: Send,
            close: Message = close,
        ) -> None:
            await send({"type": "websocket.close", **close})

        with talking(server, accepting(view)) as talk:
            talk.is_closed(code, "websocket.close", reason)


@case("asgi", "a close that crosses many messages", CLOSE_EVENT, 12, NEEDS)
def a_close_that_crosses_many_messages(server: Any) -> None:
    """The client's close is heard also where the application closes and has taken nothing."""
    last: list[Message] = []
    go = instant(server, "the client's close to be sent")

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        await go.comes()
        await send({"type": "websocket.close"})
        last.append(await receive())

    app = accepting(view)
    with talking(server, app) as talk:
        talk.wire.send(frame(BINARY, b"x" * 40_000) * 3 + closing(4003))
        time.sleep(0.2)  # until the server holds us, and has our close
        go.happens()
        same(talk.hear("websocket.close").code, 1000, "the application's code")
        talk.wire.closed("both have closed")
        told(app, server)
    same(last[0].get("code"), 4003, "the client's code")


@case("asgi", "nothing after close", CLOSE_EVENT, 12, NEEDS)
def nothing_after_close(server: Any) -> None:
    """What is sent after websocket.close raises, and the next message is the disconnect."""
    raised: list[BaseException] = []
    last: list[Message] = []

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close"})
        for kind in ("websocket.send", "websocket.close"):
            try:
                await send({"type": kind, "text": "more"})
            except Exception as error:
                raised.append(error)
        last.append(await receive())

    app = accepting(view)
    with talking(server, app) as talk:
        talk.send(TEXT, b"a message that crosses the close")
        talk.is_closed(1000, "websocket.close")
        told(app, server)
    same(len(raised), 2, "errors raised by what came after the close")
    same(last[0]["type"], "websocket.disconnect", "the next message")


@case("asgi", "the application returns", CLOSE_EVENT, 12, NEEDS)
def the_application_returns(server: Any) -> None:
    """An application that returns without closing has closed with 1000."""

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.send", "text": "bye"})

    with talking(server, accepting(view)) as talk:
        talk.message(TEXT, b"bye", "the last message")
        talk.is_closed(1000, "the application returned")


@case("asgi", "the application fails", "RFC 6455 §7.4.1", 12, NEEDS)
def the_application_fails(server: Any) -> None:
    """An application that raises ends its own WebSocket with 1011, and no other."""

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/bad":
            raise ValueError("in the middle")
        await nothing(scope, receive, send)

    with up(server, accepting(view)) as connect:
        good, bad = Talk(connect()), Talk(connect())
        good.begin(handshake())
        bad.begin(handshake("/bad"))
        bad.is_closed(1011, "the application failed")
        good.send(PING, b"?").message(PONG, b"?", "the other one's pong")


# ---------------------------------------------------------------- clients that break the rules


@case("asgi", "frames that break the protocol", "RFC 6455 §7.1.7", 12, NEEDS)
def frames_that_break_the_protocol(server: Any) -> None:
    """Each breach is closed with the code that names it; the application hears of the end."""
    breaches = {
        "an unmasked frame (§5.1)": (frame(TEXT, b"bare", mask=b""), 1002),
        "a reserved bit (§5.2)": (b"\xc1\x80" + b"\0" * 4, 1002),
        "a reserved opcode (§5.2)": (frame(0x3), 1002),
        "a ping of 126 bytes (§5.5)": (frame(PING, b"x" * 126), 1002),
        "a ping in fragments (§5.5)": (frame(PING, b"x", last=False), 1002),
        "a continuation of nothing (§5.4)": (frame(0, b"x"), 1002),
        "a new message inside another (§5.4)": (
            frame(TEXT, b"a", last=False) + frame(TEXT, b"b"), 1002,
        ),
        "text that is no UTF-8 (§8.1)": (frame(TEXT, b"caf\xe9!"), 1007),
        "UTF-8 that breaks off (§8.1)": (frame(TEXT, "caf\u00e9".encode()[:-1]), 1007),
        "a length with its top bit set (§5.2)": (b"\x82\xff" + b"\xff" * 8 + b"\0" * 4, 1002),
        "a close code of 1005 (§7.4.1)": (closing(1005), 1002),
        "a close frame of one byte (§5.5.1)": (frame(CLOSE, b"x"), 1002),
    }  # fmt: skip
    for breach, (sent, code) in breaches.items():
        app = accepting(nothing)
        with talking(server, app) as talk:
            talk.wire.send(sent)
            talk.is_closed(code, breach)
            told(app, server)


@case("asgi", "too long a message", "RFC 6455 §7.4.1", 12, NEEDS)
def too_long_a_message(server: Any) -> None:
    """A frame that announces a terabyte is refused by its head, with 1009."""
    app = accepting(nothing)
    with talking(server, app) as talk:
        talk.wire.send(b"\x82\xff" + (1 << 40).to_bytes(8, "big") + b"\0" * 4)
        talk.is_closed(1009, "a frame of a terabyte")
        told(app, server)


@case("asgi", "a silent client is asked", "RFC 6455 §5.5.2", 12, (*NEEDS, "timeouts"))
def a_silent_client_is_asked(server: Any) -> None:
    """Who says nothing for long is sent a ping; who does not answer that is cut off, as 1006."""
    last: list[Message] = []

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        last.append(await receive())

    app = accepting(view)
    with talking(server, app, impatient=True) as talk:
        same(talk.hear("a ping").opcode, PING, "what a silent client is sent")
        talk.wire.closed("the client did not answer a ping")
        told(app, server)
    same(last[0].get("code"), 1006, "the code that the application is told")


@case("asgi", "who answers pings may be silent", "RFC 6455 §5.5.3", 12, (*NEEDS, "timeouts"))
def who_answers_pings_may_be_silent(server: Any) -> None:
    """A client that answers each ping stays, for longer than a ping is waited for."""
    with talking(server, echo(), impatient=True) as talk:
        for _ in range(3):
            got = talk.hear("a ping")
            same(got.opcode, PING, "what a silent client is sent")
            talk.send(PONG, got.payload)
        talk.send(TEXT, b"still here").message(TEXT, b"still here", "the echo")


# ---------------------------------------------------------------- flow, stop, compression


@case("asgi", "a reader that does not read", SEND, 12, NEEDS)
def a_reader_that_does_not_read(server: Any) -> None:
    """``send`` waits while the client does not read: an endless feed fills no memory."""
    sent: list[int] = []

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        for number in range(2000):  # of 64 KiB: more than any buffer of the system's
            await send({"type": "websocket.send", "bytes": b"x" * 65536})
            sent.append(number)

    app = accepting(view)
    with talking(server, app) as talk:
        before = -1
        while before != len(sent):  # until it stands still
            before = len(sent)
            time.sleep(0.3)
        expect(len(sent) < 1000, f"{len(sent)} messages of 64 KiB were taken, and nobody reads")
        same(talk.hear("the first message").opcode, BINARY, "what comes when the client reads")
        talk.wire.reset()
        app.ended.wait()


@case("asgi", "an application that does not receive", RECEIVE, 12, NEEDS)
def an_application_that_does_not_receive(server: Any) -> None:
    """The server stops reading from a client whose messages nobody takes."""
    go = Instant("the test", 60.0)
    got: list[int] = []

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        await go.comes()
        while (message := await receive())["type"] == "websocket.receive":
            got.append(len(message["bytes"]))

    app = accepting(view)
    with talking(server, app) as talk:
        packet = frame(BINARY, b"y" * 65536) * 8
        try:
            sent = talk.fill(packet, 200)
            expect(sent < 200 * len(packet), "the server has read 100 MB that nobody takes")
        finally:
            go.happens()
        talk.wire.send(packet[sent % len(packet) :] if sent % len(packet) else b"")
        talk.wire.send(closing())
        told(app, server)
    same(sum(got), -(-sent // len(packet)) * 8 * 65536, "bytes that arrived in the end")


@case("asgi", "both at once", SEND, 12, NEEDS)
def both_at_once(server: Any) -> None:
    """One task may send while another receives."""

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        async def ask() -> None:
            await send({"type": "websocket.send", "text": "from the other task"})

        task_of(ask())
        message = await receive()
        await send({"type": "websocket.send", "text": message["text"]})

    with talking(server, accepting(view)) as talk:
        talk.message(TEXT, b"from the other task", "a message while the view receives")
        talk.send(TEXT, b"hello").message(TEXT, b"hello", "the echo")


@case("asgi", "a message at once", SEND, 12, NEEDS)
def a_message_at_once(server: Any) -> None:
    """A message is on its way when ``send`` returns, also if the application then computes."""
    came = instant(server, "the client to have the message")

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.send", "text": "first"})
        came.wait()  # it holds the loop
        await send({"type": "websocket.send", "text": "last"})

    with talking(server, accepting(view)) as talk:
        talk.send(TEXT, b"go").message(TEXT, b"first", "a message of an application that computes")
        came.happens()
        talk.message(TEXT, b"last", "the message behind it")


def goodbye(talk: Talk) -> Frame:
    """Hear what a server says that stops, and answer it."""
    got = talk.hear("the close of a server that stops")
    talk.wire.send(closing(got.code))
    return got


@case("asgi", "the server stops", "RFC 6455 §7.4.1", 12, (*NEEDS, "graceful"))
def the_server_stops(server: Any) -> None:
    """A server that stops says so: 1001 or 1012, and the application hears of it."""
    last: list[Message] = []

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        last.append(await receive())

    app = accepting(view)
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor())
        with server.serve(app) as address:
            wire = stack.enter_context(Wire(address, getattr(server, "patience", PATIENCE)))
            talk = Talk(wire)
            talk.begin(handshake())
            answer = pool.submit(goodbye, talk)
        got = answer.result()
    same(got.opcode, CLOSE, "what a server that stops says")
    expect(got.code in (1001, 1012), f"the close code is {got.code}")
    same(last[0]["type"], "websocket.disconnect", "what the application hears")


@case("asgi", "a stop under a sender", "RFC 6455 §7.4.1", 12, (*NEEDS, "graceful", "log"))
def a_stop_under_a_sender(server: Any) -> None:
    """An application that sends while the server stops gets an OSError, and no blame in the log."""
    log: list[str] = []

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            await send({"type": "websocket.send", "text": "tick"})
            await turns(1)

    app = accepting(view)
    with ExitStack() as stack:
        with server.serve(app, log=log) as address:
            wire = stack.enter_context(Wire(address, getattr(server, "patience", PATIENCE)))
            talk = Talk(wire)
            talk.begin(handshake())
            talk.message(TEXT, b"tick", "the first message")
            reader = stack.enter_context(ThreadPoolExecutor()).submit(farewell, talk)
        got = reader.result()
    expect(got.code in (1001, 1012), f"the close code is {got.code}")
    expect(isinstance(app.errors[0], OSError), f"send raised {app.errors[0]!r}, no OSError")
    same([line for line in log if line.startswith("ERROR")], [], "errors in the log")


def farewell(talk: Talk) -> Frame:
    """Hear what a server says at the end, whatever it says before."""
    while (got := talk.hear("the close of a server that stops")).opcode != CLOSE:
        pass
    talk.wire.send(closing(got.code))
    return got


@case("asgi", "empty messages count", RECEIVE, 12, NEEDS)
def empty_messages_count(server: Any) -> None:
    """The server stops reading also from a client whose messages are empty."""
    go = Instant("the test", 60.0)  # longer than any server needs to read too much

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        await go.comes()

    with talking(server, accepting(view)) as talk:
        talk.wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        packet = frame(TEXT) * 10_000
        try:
            sent = talk.fill(packet, 12)
        finally:
            go.happens()
            talk.wire.reset()
        expect(sent < 12 * len(packet), "120,000 empty messages were read, and none taken")


@case("asgi", "who is not read from is not deaf", "RFC 6455 §5.5.3", 12, (*NEEDS, "timeouts"))
def who_is_not_read_from_is_not_deaf(server: Any) -> None:
    """A client whose pong lies unread, for its messages are not taken, is not cut off."""
    go = instant(server, "the test")
    sizes: list[int] = []

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        await go.comes()
        while (message := await receive())["type"] == "websocket.receive":
            sizes.append(len(message["bytes"]))

    app = accepting(view)
    with talking(server, app, impatient=True) as talk:
        for _ in range(3):
            talk.send(BINARY, b"x" * 40_000)
        time.sleep(2.0)  # five times what a silent client has
        go.happens()
        talk.wire.send(closing())
        told(app, server)
    same(sizes, [40_000] * 3, "the messages")


@case("asgi", "compressed messages", "RFC 7692 §7.2", 12, NEEDS)
def compressed_messages(server: Any) -> None:
    """permessage-deflate is agreed on where it is offered, and goes both ways."""
    offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
    text = b"the same again, " * 200
    with talking(server, echo(), handshake("/", offer)) as talk:
        assert talk.answer is not None
        agreed = talk.answer.value("sec-websocket-extensions") or ""
        expect(agreed.startswith("permessage-deflate"), f"the extension is not agreed: {agreed!r}")
        out = zlib.compressobj(wbits=-15)
        packed = (out.compress(text) + out.flush(zlib.Z_SYNC_FLUSH))[:-4]
        raw = bytearray(frame(TEXT, packed))
        raw[0] |= 0x40
        talk.wire.send(bytes(raw))
        got = talk.hear("the echo of a compressed message")
        if got.reserved:
            same(got.reserved, 0x40, "the reserved bits")
            back = zlib.decompressobj(wbits=-15).decompress(got.payload + b"\0\0\xff\xff")
        else:
            back = got.payload
        same(back, text, "the echo")
