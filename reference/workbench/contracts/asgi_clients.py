"""Chapters 9 and 10, many requests and many clients: order, concurrency, patience, memory."""

from __future__ import annotations

import contextvars
import hashlib
import select
import time
from typing import Any

from . import Broken, case
from .asgi_disconnect import BLOCK, Streams
from .asgi_probes import (
    App,
    Receive,
    Scope,
    Send,
    answer,
    body,
    body_of,
    echo_path,
    hello,
    instant,
    running_loop,
    start,
    task_of,
    turns,
    up,
)
from .probes import expect, same
from .wire import Wire, request

CROWD = 40  # clients at a time: many more than threads would be
BOUND = 4.0  # seconds: far more than an impatient server waits for anybody, with room for a sweep
HELD = 24_000_000  # bytes: what the network and a server with backpressure hold, at the very most
ENDLESS = 80_000_000  # bytes: more than that, and no more than a server without it can hold
UPLOAD = request("/", f"Content-Length: {ENDLESS}", method="POST")


# ---------------------------------------------------------------- one connection


@case("asgi", "keep-alive", "RFC 9112 §9.3", 9)
def keep_alive(server: Any) -> None:
    """A connection serves one request after the other, with bodies in either framing."""
    app = echo_path()
    with up(server, app) as connect:
        wire = connect()
        for number in range(4):
            content: dict[str, Any] = ({}, {"body": b"hello"}, {"chunks": (b"he", b"llo")}, {})[
                number
            ]
            sent = request(f"/{number}", method="POST", **content)
            same(wire.send(sent).response().body, b"/%d" % number, "the answer", sent)
    same(app.paths, ["/0", "/1", "/2", "/3"], "the requests on one connection")


@case("asgi", "Connection: close", "RFC 9112 §9.6", 9)
def connection_close(server: Any) -> None:
    """Who says ``Connection: close``, or speaks HTTP/1.0, gets one answer, and the end."""
    with up(server, hello()) as connect:
        wire = connect().send(request("/", "Connection: close"))
        same(wire.response().value("connection"), "close", "the last response says so")
        same(wire.closed("it was asked to"), b"", "more than one answer came")
        wire = connect().send(request(version="1.0"))
        wire.response()
        same(wire.closed("HTTP/1.0 knows nothing else"), b"", "more than one answer came")


@case("asgi", "an unread body that is here", "RFC 9112 §9.3", 9)
def an_unread_body_that_is_here(server: Any) -> None:
    """A short body that nobody reads is passed over: the connection goes on behind it."""
    for content in ({"body": b"GET /fake HTTP/1.1\r\n\r\n"}, {"chunks": (b"GET /fake", b"\r\n")}):
        app = hello()
        with up(server, app) as connect:
            wire = connect()
            for _ in range(2):
                wire.send(request("/first", method="POST", **content))
                same(wire.response().status, 200, "a request whose body is not read")
            same(wire.send(request("/last")).response().status, 200, "the request behind it")
        same(app.paths, ["/first", "/first", "/last"], "what ran")


@case("asgi", "an unread body that is not", "RFC 9112 §9.3", 9)
def an_unread_body_that_is_not(server: Any) -> None:
    """A body that still comes when the answer is complete ends the connection, said in the head."""
    smuggled = request("/smuggled")
    length = request("/", f"Content-Length: {len(smuggled) * 9}", method="POST")
    chunked = request("/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhel"
    for sent in (length, chunked):
        app = hello()
        with up(server, app) as connect:
            wire = connect().send(sent)
            same(wire.response().value("connection"), "close", "the answer does not say so", sent)
            wire.send(smuggled * 9)
            same(wire.closed("the rest of the body is not wanted"), b"", "more came", sent)
        same(app.paths, ["/"], "the body ran as requests")


@case("asgi", "an early answer", "RFC 9112 §9.6", 9)
def an_early_answer(server: Any) -> None:
    """An answer in the middle of an upload reaches the client that is still sending."""
    with up(server, hello()) as connect:
        wire = connect().send(request(method="POST", body=b"x" * 3_000_000))
        same(wire.response().status, 200, "closing at once makes the kernel destroy the answer")


@case("asgi", "pipelining", "RFC 9112 §9.3.2", 9)
def pipelining(server: Any) -> None:
    """Pipelined requests are answered in their order, also when the first takes longest."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await turns(20 if scope["path"] == "/0" else 1)
        await send(start())
        await send(body(scope["path"].encode()))
        await send(body(await body_of(receive), more=False))

    sent = [request(f"/{number}") for number in range(5)]
    sent[2] = request("/2", method="POST", body=b"GET /fake HTTP/1.1\r\n\r\n")
    sent[3] = request("/3", method="POST", chunks=(b"a", b"b"))
    with up(server, app) as connect:
        wire = connect().send(b"".join(sent))
        bodies = [wire.response().body for _ in sent]
    wanted = [b"/0", b"/1", b"/2GET /fake HTTP/1.1\r\n\r\n", b"/3ab", b"/4"]
    same(bodies, wanted, "the answers are not in the order of the requests")


@case("asgi", "a task behind the response", "ASGI HTTP 2.5, Response Body", 9)
def a_task_behind_the_response(server: Any) -> None:
    """A client is not kept waiting by what the application still does behind its last body."""
    goes_on = instant(server, "all answers to have come")
    running = 0

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal running
        await answer(send, scope["path"].encode())
        running += 1
        await goes_on.comes()
        running -= 1

    with up(server, app) as connect:
        wire = connect().send(request("/a") + request("/b"))
        bodies = [wire.response().body, wire.response().body]
        bodies.append(wire.send(request("/c")).response().body)
        goes_on.happens()
    same(bodies, [b"/a", b"/b", b"/c"], "the answers")
    same((running, app.errors), (0, []), "those that were still running, and their errors")


@case("asgi", "a client that need not wait", "ASGI HTTP 2.5, Response Body", 9)
def a_client_that_need_not_wait(server: Any) -> None:
    """The last body is on its way when ``send`` returns, also if the application then computes."""
    came = instant(server, "the client to have the answer")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, b"whole")
        came.wait()  # it holds the loop

    with up(server, app) as connect:
        wire = connect().send(request())
        same(wire.response().body, b"whole", "the answer of an application that computes")
        came.happens()
        app.ended.wait()
    same(app.errors, [], "the application's errors")


@case("asgi", "context variables", "Python, contextvars", 9)
def context_variables(server: Any) -> None:
    """What one request sets in a context variable, no other request sees, on no connection."""
    user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")
    seen: list[str] = []

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(user.get())
        user.set(scope["path"])
        await turns()
        seen.append(user.get())
        await answer(send)

    with up(server, app) as connect:
        wire = connect().send(request("/0") + request("/1"))
        wire.response()
        wire.response()
        wire.send(request("/2", method="POST", body=b"hello")).response()
        connect().send(request("/3")).response()
    wanted = [each for number in range(4) for each in ("nobody", f"/{number}")]
    same(seen, wanted, "before and after each request has set the variable")


# ---------------------------------------------------------------- many connections


@case("asgi", "together", "ASGI 3.0, Overview", 9)
def together(server: Any) -> None:
    """Many requests run at one time: each waits in the application until all are there."""
    here = 0
    everybody = instant(server, f"{CROWD} requests to run at the same time")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal here
        here += 1
        if here == CROWD:
            everybody.happens()
        await everybody.comes()
        await answer(send, scope["path"].encode())

    with up(server, app) as connect:
        wires = [connect() for _ in range(CROWD)]
        for number, wire in reversed(list(enumerate(wires))):
            wire.send(request(f"/{number}"))
        for number, wire in enumerate(wires):
            same(wire.response().body, b"/%d" % number, "the answer to another client")


@case("asgi", "in reverse", "RFC 9110 §3.3", 9)
def in_reverse(server: Any) -> None:
    """Connections are served in the order in which they ask, not in which they were opened."""
    with up(server, hello()) as connect:
        wires = [connect() for _ in range(CROWD)]
        for _ in range(2):
            for wire in reversed(wires):
                same(wire.send(request()).response().status, 200, "the last connection asks first")


@case("asgi", "nothing is mixed", "RFC 9110 §3.3", 9)
def nothing_is_mixed(server: Any) -> None:
    """Uploads that arrive in pieces, in turn, keep apart."""
    bodies = [bytes([65 + number]) * 30_000 for number in range(4)]

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, hashlib.sha256(await body_of(receive)).hexdigest().encode())

    with up(server, app) as connect:
        wires = [connect() for _ in bodies]
        for at in range(0, 40_000, 10_000):
            for wire, content in zip(wires, bodies, strict=True):
                wire.send(request("/", method="POST", body=content)[at : at + 10_000])
        for wire, content in zip(wires, bodies, strict=True):
            wanted = hashlib.sha256(content).hexdigest().encode()
            same(wire.response().body, wanted, "one upload is not what was sent")


@case("asgi", "many requests", "RFC 9112 §9.3", 9)
def many_requests(server: Any) -> None:
    """Three hundred requests, on one connection and on many, are all answered."""
    with up(server, echo_path()) as connect:
        wire = connect()
        for number in range(250):
            got = wire.send(request(f"/{number}")).response()
            same(got.body, b"/%d" % number, "the answer to another request")
        for number in range(50):
            with connect() as wire:
                got = wire.send(request(f"/{number}", "Connection: close")).response()
            same(got.body, b"/%d" % number, "the answer to another request")


@case("asgi", "slow clients", "RFC 9112 §9.5", 9)
def slow_clients(server: Any) -> None:
    """Clients that are silent, idle, or stop inside a head or a body, hold up nobody."""
    half = request("/", "Content-Length: 10", method="POST") + b"hello"

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await body_of(receive)
        await answer(send)

    with up(server, app) as connect:
        for begin in (b"", request(), request()[:-2], half):
            for _ in range(CROWD // 4):
                wire = connect().send(begin)
                if begin == request():
                    wire.response()
        same(connect().send(request("/other")).response().status, 200, "the client behind them")


# ---------------------------------------------------------------- patience


@case("asgi", "silent and idle clients", "RFC 9112 §9.5", 9, needs={"timeouts"})
def silent_and_idle_clients(server: Any) -> None:
    """Who says nothing, or nothing more, is not waited for without end."""
    with up(server, hello(), impatient=True) as connect:
        silent, idle = connect(), connect().send(request())
        idle.response()
        for wire in (silent, idle):
            wire.patience = max(wire.patience, BOUND)
            same(wire.closed("its client says nothing"), b"", "a silent client was answered")
        same(connect().send(request()).response().status, 200, "the next client")


@case("asgi", "stalled requests", "RFC 9110 §15.5.9", 9, needs={"timeouts"})
def stalled_requests(server: Any) -> None:
    """A head or a body that does not go on is given up, with 408 or without a word."""
    took: list[bytes] = []

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        took.append(await body_of(receive))
        await answer(send)

    half = request("/", "Content-Length: 10", method="POST") + b"hello"
    long = request("/", "Content-Length: 9000000", method="POST") + b"hello" * 20_000
    chunk = request("/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n5\r\n"
    with up(server, app, impatient=True) as connect:
        wires = [connect().send(begin) for begin in (request()[:-2], half, long, chunk)]
        for wire in wires:
            wire.patience = max(wire.patience, BOUND)
            came = wire.closed("its client has stalled")
            expect(
                not came or came.startswith(b"HTTP/1.1 408 "),
                "a client that stalls is answered with 408 or not at all",
                sent=bytes(wire.sent[:200]),
                got=came,
            )
        same(took, [], "half a request was served")
        same(connect().send(request()).response().status, 200, "the next client")


@case("asgi", "a trickling head", "RFC 9110 §15.5.9", 9, needs={"timeouts"})
def a_trickling_head(server: Any) -> None:
    """A head that comes a byte now and then ends too: slow-loris lives on patience per byte."""
    sent = request("/", "X-Slow: " + "a" * 200)
    with up(server, hello(), impatient=True) as connect:
        wire = connect()
        for position in range(len(sent) - 3):
            wire.send(sent[position : position + 1])
            if wire.was_reset or wire.readable(0.05):
                return
    raise Broken(f"the server waits for a head as long as a byte comes now and then: "
                 f"{len(sent) * 0.05:.0f} s so far", sent=sent)  # fmt: skip


@case("asgi", "an application that takes its time", "RFC 9110 §15.5.9", 9, needs={"timeouts"})
def an_application_that_takes_its_time(server: Any) -> None:
    """The timeouts are for clients: an application may think for longer than any of them."""
    goes_on = instant(server, "nobody")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await body_of(receive)
        await goes_on.came_within(0.8)
        await answer(send, b"at last")

    with up(server, app, impatient=True) as connect:
        wire = connect().send(request(method="POST", body=b"hello"))
        same(wire.response().body, b"at last", "the answer to a client that waits")


@case("asgi", "a stalled reader", "RFC 9112 §9.5", 10, needs={"timeouts"})
def a_stalled_reader(server: Any) -> None:
    """A client that does not read its stream is given up, and the application's send raises."""
    app = Streams(server)
    app.ended.patience = max(app.ended.patience, BOUND)
    with up(server, app, impatient=True) as connect:
        connect().send(request()).until(b"x", "the beginning of the stream")
        app.ended.wait()
        same(connect().send(request("/other")).response().body, b"other", "the next client")
    expect(app.errors and isinstance(app.errors[0], OSError), f"send() raised {app.errors!r}")


# ---------------------------------------------------------------- memory


def settled(server: Any, count: Any, another: Wire, path: str = "/other") -> int:
    """Return what ``count()`` says when it no longer grows.

    Whoever is answered on another connection has had a turn after all that was due before; when
    nothing has moved in ten such turns, and in a moment of silence, nothing will.
    """
    deadline = time.monotonic() + another.patience
    seen, still = -1, 0
    while still < 10:
        another.send(request(path)).response()
        another.readable(0.01)
        now = count()
        still = still + 1 if now == seen else 0
        seen = now
        if time.monotonic() > deadline:
            raise Broken(f"it still grows after {another.patience:g} s: {seen}")
    return seen


@case("asgi", "a slow reader", "ASGI HTTP 2.5, Response Body", 10)
def a_slow_reader(server: Any) -> None:
    """For a client that does not read, send waits: a stream takes a bounded amount of memory."""
    app = Streams(server, ENDLESS // len(BLOCK))
    with up(server, app) as connect:
        wire = connect().send(request())
        app.began.wait()
        sent = settled(server, lambda: app.sent * len(BLOCK), connect())
        expect(sent < HELD, f"the server took {sent} bytes for a client that reads nothing")
        app.stopped.happens()
        same(len(wire.response().body) >= sent, True, "all that was sent arrives")
        app.ended.wait()
    same(app.errors, [], "the application's errors")


@case("asgi", "a slow reader of one body", "ASGI HTTP 2.5, Response Body", 10)
def a_slow_reader_of_one_body(server: Any) -> None:
    """A last body that is long is taken at once, and still arrives whole."""
    content = BLOCK * 300

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, content if scope["path"] == "/" else b"other")

    with up(server, app) as connect:
        wire = connect().send(request() + request("/next"))
        settled(server, lambda: len(app.paths) > CROWD, connect())
        expect(wire.response().body == content, "the long body is not whole")
        same(wire.response().body, b"other", "the pipelined response behind it")


@case("asgi", "a slow reader that asks on", "ASGI HTTP 2.5, Response Body", 10)
def a_slow_reader_that_asks_on(server: Any) -> None:
    """Who asks again and again and reads nothing is not answered beyond what the network takes."""
    content, number = BLOCK * 16, 80

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, content if scope["path"] == "/" else b"other")

    def made() -> int:
        return app.paths.count("/") * len(content)

    with up(server, app) as connect:
        wire = connect().send(request() * number)
        held = settled(server, made, connect())
        expect(held < HELD, f"the server made {held} bytes of answers for who reads nothing")
        for _ in range(number):
            expect(wire.response().body == content, "an answer is not whole")
        same(wire.send(request("/other")).response().body, b"other", "the request behind them")


@case("asgi", "a slow application", "ASGI HTTP 2.5, Request", 10)
def a_slow_application(server: Any) -> None:
    """From a client whose body is not received the server takes a bounded amount of memory."""
    goes_on = instant(server, "the client to have sent all that is taken")
    received = 0

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal received
        if scope["path"] != "/":
            return await answer(send)
        await goes_on.comes()
        more = True
        while more:
            message = await receive()
            received += len(message["body"])
            more = message["more_body"]
        await answer(send)

    with up(server, app) as connect:
        wire = connect().send(UPLOAD)
        taken = 0

        def count() -> int:
            nonlocal taken
            taken += push(wire, ENDLESS - taken)
            return taken

        held = settled(server, count, connect())
        expect(held < HELD, f"the server took {held} bytes that nobody received")
        goes_on.happens()
        for _ in range(0, ENDLESS - taken, len(BLOCK)):
            wire.send(BLOCK[: ENDLESS - taken])
            taken += min(len(BLOCK), ENDLESS - taken)
        same((wire.response().status, received), (200, ENDLESS), "the answer to the whole upload")


def push(wire: Wire, most: int) -> int:
    """Send as much as the network takes now; return how much that was."""
    pushed = 0
    wire.socket.setblocking(False)
    while pushed < most and select.select([], [wire.socket], [], 0)[1]:
        try:
            pushed += wire.socket.send(BLOCK[: most - pushed])
        except (BlockingIOError, ConnectionError):
            break
    return pushed


# ---------------------------------------------------------------- processor time


@case("asgi", "who has left costs nothing", "RFC 9112 §9.6", 9, needs={"cpu"})
def who_has_left_costs_nothing(server: Any) -> None:
    """Clients that closed, or closed one side and wait, use up no processor time."""
    goes_on = instant(server, "the test to have looked")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/wait":
            await goes_on.comes()
        await answer(send)

    with up(server, app) as connect:
        for begin in (b"", request()[:-2], request("/wait"), request("/wait", version="1.0")):
            for leave in (Wire.close, Wire.reset, Wire.half_close):
                leave(connect().send(begin))
        connect().send(request()).response()
        used, began = server.cpu(), time.monotonic()
        connect().readable(0.3)  # nothing comes: this only lets time go by
        used, seconds = server.cpu() - used, time.monotonic() - began
        goes_on.happens()
    expect(used < seconds / 20, f"with nothing to do the server used {used:.2f} s of {seconds:.2f}")


@case("asgi", "who asks in a loop", "ASGI HTTP 2.5, Disconnect", 10)
def who_asks_in_a_loop(server: Any) -> None:
    """An application that receives for ever behind its response does not stop the others."""
    stop = instant(server, "the other client to be answered")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send)
        while scope["path"] == "/loop" and not stop:
            await receive()

    with up(server, app) as connect:
        connect().send(request("/loop")).response()
        same(connect().send(request()).response().status, 200, "the other client")
        stop.happens()


@case("asgi", "tasks of the application", "ASGI 3.0, Extra Coroutines", 9)
def tasks_of_the_application(server: Any) -> None:
    """An application may start tasks, use timers and let one task send what another one made."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        loop = running_loop()
        future = loop.create_future()
        loop.call_later(0.01, future.set_result, b"later")

        async def sends() -> None:
            await answer(send, await future)

        await task_of(sends())

    with up(server, app) as connect:
        same(connect().send(request()).response().body, b"later", "the answer of another task")
