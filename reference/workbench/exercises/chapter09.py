"""The exercises of chapter 9: a scope, an echo that keeps nothing, a bridge from WSGI to ASGI."""

from __future__ import annotations

import asyncio
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from handmade import http1
from handmade.aio import Asyncio
from handmade.asgi import Exchange, Gateway
from handmade.events import Request
from handmade.gateway import AsyncChannel
from handmade.lifespan import Lifespan
from workbench.contracts import Broken, find
from workbench.contracts.probes import TEXT, Closing, Moment, expect
from workbench.contracts.wire import request, up
from workbench.exercises.coroutines import kind, none_forgotten, within
from workbench.exercises.model import Exercise, Point, Slip
from workbench.exercises.serving import (
    PATIENCE,
    application,
    quiet_loops,
    serving,
    told_by_the_log,
)
from workbench.exercises.talking import same

Message = dict[str, Any]

# --- scope-of ---------------------------------------------------------------------------------

CLIENT, SERVER = ("192.0.2.7", 50000), ("192.0.2.1", 80)
SCOPE = "ASGI HTTP 2.5, HTTP Connection Scope"


def parsed(raw: bytes) -> Request:
    """Return a request as the engine gives it."""
    engine = http1.Connection()
    engine.receive(raw)
    event = engine.next_event()
    if not isinstance(event, Request):
        raise TypeError(f"{raw!r} is no request")
    return event


def scope_by(function: Any, raw: bytes) -> dict[str, Any]:
    """Return what the learner's function makes of a request."""
    found = function(parsed(raw), CLIENT, SERVER)
    if not isinstance(found, dict):
        got = "None" if found is None else type(found).__name__
        raise Broken(f"scope_of() returns a dict; yours returned {got}", sent=raw)
    return found


def has(key: str, wanted: object, raw: bytes) -> Callable[[Any], None]:
    """Return a point: one key of the scope of one request."""

    def run(function: Any) -> None:
        scope = scope_by(function, raw)
        if key not in scope:
            raise Slip(f"the scope has no {key!r}", sent=raw, wanted=wanted)
        got = scope[key]
        if type(got) is not type(wanted) and not isinstance(got, str | bytes):
            kinds = f"{type(wanted).__name__} is wanted, this is {type(got).__name__}"
            raise Slip(f"scope[{key!r}]: {kinds}", sent=raw, got=got, wanted=wanted)
        if got != wanted or type(got) is not type(wanted):
            raise Broken(f"scope[{key!r}] is not right", sent=raw, got=got, wanted=wanted)

    return run


def all_of(*points: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return one point of several."""

    def run(function: Any) -> None:
        for point in points:
            point(function)

    return run


def plain_keys(function: Any) -> None:
    """The keys that hardly differ from one request to the next."""
    asgi = {"version": "3.0", "spec_version": "2.5"}
    wanted = {"type": "http", "asgi": asgi, "scheme": "http", "root_path": "", "method": "PATCH"}
    for key, value in wanted.items():
        has(key, value, request(method="PATCH"))(function)
    has("client", CLIENT, request())(function)
    has("server", SERVER, request())(function)


def a_scope_each(function: Any) -> None:
    """What is written into one scope is not seen in the next."""
    asked = parsed(request("/", "X: 1"))
    first = function(asked, CLIENT, SERVER)
    expect(isinstance(first.get("headers"), list), "scope['headers'] is no list")
    first["headers"].append((b"x-mine", b"1"))
    first["asgi"]["mine"] = "1"
    first["path"] = "/mine"
    second = function(asked, CLIENT, SERVER)
    same(second["headers"], [(b"host", b"test"), (b"x", b"1")], "the headers of the next request")
    same("mine" in second["asgi"], False, "a key that one request wrote, seen by the next")
    same(second["path"], "/", "the path of the next request")


class OwnScopes(Gateway):
    """A gateway whose scopes the learner makes."""

    function: Callable[..., Any]

    def exchange(self, request: Request, channel: AsyncChannel) -> Exchange:
        """Return an exchange with the learner's scope."""
        made = super().exchange(request, channel)
        made.scope = self.function(request, channel.client, self.server.address)
        return made


class ScopeServer:
    """Serve an application over the wire, with the learner's scopes."""

    patience = PATIENCE

    def __init__(self, function: Any) -> None:
        self.function = function

    @contextmanager
    def serve(self, app: Any) -> Iterator[tuple[str, int]]:
        """Serve ``app``; the context gives the address."""
        function = self.function

        class Shell(Asyncio):
            def _make_gateway(self, lifespan: Lifespan) -> Gateway:
                theirs = super()._make_gateway(lifespan)
                gateway = OwnScopes(theirs.app, theirs.server, theirs.date)
                gateway.function = function
                return gateway

        def make(service: Any, threads: int, **how: Any) -> Shell:
            return Shell(service, **how)

        with serving(app, shell=make, lifespan="off") as server:
            yield server.server.address


def over_the_wire(function: Any) -> None:
    """The same and more, from a server."""
    names = ("the scope's types", "the method", "the path", "the raw path", "the query")
    with quiet_loops():
        for name in (*names, "a path beyond UTF-8", "the headers", "both addresses"):
            find("asgi", name).run(ScopeServer(function))


SCOPE_OF = Exercise(
    name="scope-of",
    chapter=9,
    title="The scope of a request",
    effort=1,
    subject="scope_of",
    points=(
        Point(
            "what hardly changes",
            plain_keys,
            "bytes for text: method and versions are text.",
            SCOPE,
        ),
        Point(
            "the version of HTTP",
            all_of(
                has("http_version", "1.1", request()),
                has("http_version", "1.0", request(version="1.0")),
            ),
            'a constant, or a prefix: it is "1.0" or "1.1", without "HTTP/".',
            SCOPE,
        ),
        Point(
            "the path",
            all_of(
                has("path", "/posts", request("/posts?to=all")),
                has("path", "/café/€", request("/caf%C3%A9/%E2%82%AC")),
            ),
            "leaving it encoded, leaving the query on, or dressing bytes as latin-1 as WSGI does: "
            "an ASGI path is text, decoded as UTF-8.",
            SCOPE,
        ),
        Point(
            "a plus in the path",
            has("path", "/a+b c", request("/a+b%20c")),
            "unquote_plus: a plus is a blank in a form's query, and a plus in a path.",
            "WHATWG URL, application/x-www-form-urlencoded",
        ),
        Point(
            "a path that is no UTF-8",
            has("path", "/\ufffd\ufffd", request("/%ff%fe")),
            "an error for bytes that anybody can send. Decode with errors='replace'; who wants the "
            "bytes has raw_path.",
            SCOPE,
        ),
        Point(
            "the path as it came",
            all_of(
                has("raw_path", b"/caf%C3%A9%2Fb", request("/caf%C3%A9%2Fb?q=1")),
                has("raw_path", b"/A%2fB~", request("/A%2fB~")),
            ),
            "making it from the decoded path, where %2F and / look alike. Take what came, without "
            "the query.",
            SCOPE,
        ),
        Point(
            "the query",
            all_of(
                has("query_string", b"to=%C3%A9&b?c", request("/a?to=%C3%A9&b?c")),
                has("query_string", b"", request("/a")),
            ),
            "text instead of bytes, decoding it, or cutting at the last question mark: it begins "
            "behind the first one.",
            SCOPE,
        ),
        Point(
            "the headers",
            has(
                "headers",
                [(b"host", b"test"), (b"accept", b"a"), (b"x_y", b"1"), (b"accept", b"b")],
                request("/", "Accept: a", "X_Y: 1", "ACCEPT: b"),
            ),
            "a dict, which keeps one of two equal names. It is a list of pairs of bytes, in order.",
            SCOPE,
        ),
        Point(
            "a scope for each request",
            a_scope_each,
            "sharing a list or a dict between requests: what one application writes into its "
            "scope, another one would find there.",
        ),
        Point("on a server", over_the_wire, "", SCOPE),
    ),
    hints=(
        "Which of the keys are bytes? Those that nobody can decode for everybody.",
        "target.partition(b'?') cuts at the first question mark. urllib.parse.unquote decodes as "
        "UTF-8 and takes text: bytes.decode('latin-1') gives text without changing anything.",
        """
        The path:

            raw_path, _, query = request.target.partition(b"?")
            path = unquote(raw_path.decode("latin-1"), errors="replace")

        and the headers are list(request.fields).
        """,
    ),
    afterwards="""
        Environ had to press a request into a dict of text, made for CGI in 1993. The scope keeps
        what came, and decodes the one thing that every router wants.

        Uvicorn and Hypercorn make the same dict: raw_path is the path's bytes as they came, and
        they decode it as ASCII and unquote that for path. (Given --root-path, Uvicorn puts it in
        front of both.) Neither joins headers or drops one with an underscore; a framework that
        builds an environ has to.
        """,
)


# --- stream-echo ------------------------------------------------------------------------------

WHOLE_SCOPE: Message = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.5"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"test")],
    "client": CLIENT,
    "server": SERVER,
}
HTTP_SCOPE: Message = {**WHOLE_SCOPE, "method": "POST"}
PIECE, PIECES = 65536, 200
ENOUGH = 2_000_000  # bytes: of 13 million that go by, so many may be in memory at a time


class Partner:
    """The server of one request, played by hand.

    ``log`` is what happened: "receive", and what was sent. Behind the last message receive waits,
    as it does for a client that is there and says nothing more.
    """

    def __init__(self, *messages: Message) -> None:
        self.log: list[Any] = []
        self._messages = list(messages)
        self._left = False

    async def receive(self) -> Message:
        """Give the next message."""
        self.log.append("receive")
        await asyncio.sleep(0)
        if not self._messages:
            await asyncio.Event().wait()
        message = self._messages.pop(0)
        self._left = message["type"] == "http.disconnect"
        return message

    async def send(self, message: Message) -> None:
        """Take a message."""
        if not isinstance(message, dict) or "type" not in message:
            raise Broken(f"send() takes a dict with a type; it got {message!r:.80}")
        self.log.append(message)
        await asyncio.sleep(0)
        if self._left:
            raise ConnectionError("the client has left")

    async def run(self, app: Any) -> Partner:
        """Run the application to its end."""
        with none_forgotten():
            await within(PATIENCE, kind(app, "app")(HTTP_SCOPE, self.receive, self.send), "app")
        return self

    @property
    def sent(self) -> list[Message]:
        """What the application has sent."""
        return [message for message in self.log if message != "receive"]

    def answered(self, wanted: bytes) -> None:
        """Demand a start, these bytes, and an end."""
        first, rest = (self.sent or [{}])[0], self.sent[1:]
        same(first.get("type"), "http.response.start", "the first message is no start")
        same(first.get("status"), 200, "the status")
        kinds = {message["type"] for message in rest}
        same(kinds, {"http.response.body"}, "the messages behind the start")
        same(b"".join(message.get("body", b"") for message in rest), wanted, "the bytes sent back")
        flags = [bool(message.get("more_body", False)) for message in rest]
        same(flags[-1], False, "more_body of the last message")
        same(any(not flag for flag in flags[:-1]), False, "an end before the last message")


def piece(body: bytes, more: bool = True) -> Message:
    """Return a message with a piece of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


async def one_piece(app: Any) -> None:
    """All in one message."""
    partner = await Partner(piece(b"hello", more=False)).run(app)
    partner.answered(b"hello")


async def says_text(app: Any) -> None:
    """The content type."""
    partner = await Partner(piece(b"hello", more=False)).run(app)
    headers = [tuple(pair) for pair in partner.sent[0].get("headers", [])]
    expect((b"content-type", b"text/plain") in headers, f"the headers are {headers}")


async def in_turn(app: Any) -> None:
    """Three pieces: each comes back before the next one is asked for."""
    pieces = [b"one ", b"two ", b"three"]
    partner = await Partner(piece(pieces[0]), piece(pieces[1]), piece(pieces[2], more=False)).run(
        app
    )
    partner.answered(b"one two three")
    asked, came = 0, b""
    for entry in partner.log:
        if entry == "receive":
            same(came, b"".join(pieces[:asked]), f"what was sent before receive number {asked + 1}")
            asked += 1
        else:
            came += entry.get("body", b"")


async def with_gaps(app: Any) -> None:
    """Empty pieces, and missing keys."""
    pieces = piece(b"a"), piece(b""), piece(b"b"), {"type": "http.request"}
    partner = await Partner(*pieces).run(app)
    partner.answered(b"ab")
    partner = await Partner({"type": "http.request"}).run(app)
    partner.answered(b"")


async def keeps_nothing(app: Any) -> None:
    """Thirteen million bytes go by."""

    class Long(Partner):
        left, most, went = PIECES, 0, 0

        async def receive(self) -> Message:
            self.left -= 1
            return piece(bytes(PIECE), more=self.left > 0)

        async def send(self, message: Message) -> None:
            self.went += len(message.get("body", b""))
            self.most = max(self.most, tracemalloc.get_traced_memory()[0])
            await asyncio.sleep(0)

    long = Long()
    tracemalloc.start()
    try:
        await within(PATIENCE * 4, kind(app, "app")(HTTP_SCOPE, long.receive, long.send), "app")
    finally:
        tracemalloc.stop()
    same(long.went, PIECE * PIECES, "the number of bytes sent back")
    if long.most > ENOUGH:
        raise Broken(f"of {long.went} bytes {long.most} were in memory at one time")


async def who_leaves(app: Any) -> None:
    """The client goes away behind the first piece, and before any."""
    for pieces in ([piece(b"one")], []):
        partner = Partner(*pieces, {"type": "http.disconnect"})
        await partner.run(app)
        last = max(n for n, entry in enumerate(partner.log) if entry == "receive")
        same(partner.log[last + 1 :], [], "what was sent after http.disconnect")


def a_conversation(app: Any) -> None:
    """A client that sends a piece only when the one before has come back."""
    chunks = (b"5\r\nhello\r\n", b"5\r\nworld\r\n")
    with serving(application(app, "app"), lifespan="off") as server:
        wire = server.connect()
        wire.send(request("/", "Transfer-Encoding: chunked", method="POST"))
        for chunk in chunks:
            wire.send(chunk).until(chunk, f"the echo of {chunk!r}")
        wire.send(b"0\r\n\r\n").until(b"0\r\n\r\n", "the end of the answer")
        same(server.connect().send(request()).response().body, b"", "the answer to no body")


STREAM_ECHO = Exercise(
    name="stream-echo",
    chapter=9,
    title="An echo that keeps nothing",
    effort=2,
    subject="app",
    points=(
        Point("all in one message", one_piece, "forgetting the start, or the end."),
        Point("it says what it is", says_text, "headers are pairs of bytes: no text."),
        Point(
            "three pieces, in turn",
            in_turn,
            "reading all of the request before the first answer. A piece comes back before the "
            "next one is asked for, or a client that waits for it will wait for ever.",
            "ASGI HTTP 2.5, Request",
        ),
        Point(
            "empty pieces, missing keys",
            with_gaps,
            "taking an empty piece for the end. Only more_body tells, and it may be missing, as "
            "body may: b'' and False.",
            "ASGI HTTP 2.5, Request",
        ),
        Point(
            "thirteen million bytes",
            keeps_nothing,
            "gathering the pieces beside sending them. A server of many clients has no room for "
            "what each of them uploads.",
        ),
        Point(
            "a client that leaves",
            who_leaves,
            "taking every message for a piece of the body. http.disconnect has neither body nor "
            "more_body, so it looks like a proper end, and half an upload passes for a whole one.",
            "ASGI HTTP 2.5, Disconnect",
        ),
        Point("a conversation, on a server", a_conversation, "", "ASGI HTTP 2.5, Request"),
    ),
    hints=(
        "How many messages of the request must you know to send one of the answer?",
        "One loop: receive, look at the type, send. The more_body of what came is the more_body of "
        "what goes.",
        """
        The loop:

            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                more = message.get("more_body", False)
                body = message.get("body", b"")
                await send({"type": "http.response.body", "body": body, "more_body": more})
        """,
    ),
    afterwards="""
        In memory is one piece, however long the upload. Where it goes on slowly, at either end,
        your application waits, and through it the other side: that is backpressure, and chapter 10
        looks at it.

        Uvicorn and Hypercorn give pieces as they come too. Uvicorn stops reading from a client
        once more than 64 KiB wait for an application that does not ask, and reads on when it does.
        """,
    seconds=6.0,
)


# --- wsgi-to-asgi -----------------------------------------------------------------------------


SEND = 0.25  # seconds that one send takes
BY_HAND = 3.0  # seconds for a point without a server


class BridgeServer:
    """Serve a WSGI application through the learner's bridge."""

    patience = 0.6
    provides: frozenset[str] = frozenset()

    def __init__(self, asgi_of: Any) -> None:
        self.asgi_of = asgi_of

    @contextmanager
    def serve(self, app: Any) -> Iterator[tuple[str, int]]:
        """Serve ``app``; the context gives the address."""
        bridge = application(self.asgi_of(app), "asgi_of()")
        with serving(bridge, tolerant=True, lifespan="off") as server:
            yield server.server.address


class Bridged(Partner):
    """A server of one request, played by hand, around a bridge.

    ``sent`` is what the bridge has sent, ``elsewhere`` counts the sends that ran in another thread
    than the loop's. The block b"one" takes ``takes`` seconds to be sent.
    """

    def __init__(self, takes: float = 0.0) -> None:
        super().__init__(piece(b"", more=False))
        self.elsewhere = 0
        self._takes = takes
        self._thread = threading.get_ident()

    async def send(self, message: Message) -> None:
        """Take a message, after a while."""
        if threading.get_ident() != self._thread:
            self.elsewhere += 1
        if isinstance(message, dict) and message.get("body") == b"one":
            await asyncio.sleep(self._takes)
        await super().send(message)

    async def cross(self, asgi_of: Any, app: Any) -> Bridged:
        """Run an application through the bridge; raise what comes out of it."""
        bridge = application(asgi_of(app), "asgi_of()")
        seconds = PATIENCE + self._takes
        await within(seconds, bridge({**WHOLE_SCOPE}, self.receive, self.send), "the bridge")
        return self

    @property
    def body(self) -> bytes:
        """What was sent behind the start."""
        return b"".join(message.get("body", b"") for message in self.sent[1:])


async def the_start(asgi_of: Any) -> None:
    """Status and headers of the start, piece by piece."""
    cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("404 Nothing Here", [("X-Name", "caf\xe9"), *cookies])
        return [b"x"]

    with none_forgotten():
        start = ((await Bridged().cross(asgi_of, app)).sent or [{}])[0]
    same(start.get("type"), "http.response.start", "the first message is no start")
    same(start.get("status"), 404, "the status of '404 Nothing Here'")
    wanted = [(b"x-name", b"caf\xe9"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    same([tuple(pair) for pair in start.get("headers", [])], wanted, "the headers of the start")


async def write_too(asgi_of: Any) -> None:
    """start_response returns write, whose blocks come before those of the iterable."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [TEXT])
        if not callable(write):
            got = "None" if write is None else type(write).__name__
            raise Broken(f"start_response returns a function, write; yours returned {got}")
        write(b"one ")
        return [b"two"]

    same((await Bridged().cross(asgi_of, app)).body, b"one two", "written and returned blocks")


async def in_the_loop(asgi_of: Any) -> None:
    """It is called in the loop's own thread."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [TEXT])
        return [b"one", b"two"]

    partner = await Bridged().cross(asgi_of, app)
    same(partner.body, b"onetwo", "the blocks that were sent")
    if partner.elsewhere:
        raise Broken(f"send ran in another thread than the loop's, {partner.elsewhere} times")


async def takes_a_while(asgi_of: Any) -> None:
    """One send takes a while: the bridge waits for it, and goes on."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [TEXT])
        return [b"one", b"two"]

    partner = Bridged(SEND)
    try:
        await partner.cross(asgi_of, app)
    except TimeoutError:
        raise Broken(f"a send took {SEND:g} s, and the bridge did not wait for it") from None
    same(partner.body, b"onetwo", f"the blocks that were sent; the first one took {SEND:g} s")


async def goes_on(asgi_of: Any) -> None:
    """The application's error comes out of the bridge."""

    def fails() -> Iterator[bytes]:
        yield b"one"
        raise LookupError("no more")

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])
        return fails()

    def at_once(environ: Any, start_response: Any) -> Any:
        raise LookupError("nothing at all")

    for when, each in {"behind the first block": app, "before any": at_once}.items():
        try:
            await Bridged().cross(asgi_of, each)
        except LookupError:
            continue
        raise Broken(f"the application raised LookupError {when}, and the server heard nothing")


def through(*names: str) -> Callable[[Any], None]:
    """Return a point: cases of the contract of WSGI servers, through the bridge."""

    def run(asgi_of: Any) -> None:
        with quiet_loops():
            for name in names:
                with told_by_the_log(own_only=True):  # some cases fail when their server is gone
                    find("server", name).run(BridgeServer(asgi_of))

    return run


def others_go_on(asgi_of: Any) -> None:
    """One request waits in the application for the next one to come."""
    second = threading.Event()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [TEXT])
        if environ["PATH_INFO"] == "/first":
            return [b"both" if second.wait(PATIENCE / 2) else b"alone"]
        second.set()
        return [b"second"]

    with up(BridgeServer(asgi_of), app) as connect:
        first = connect().send(request("/first"))
        same(connect().send(request("/second")).response().body, b"second", "the second request")
        same(first.response().body, b"both", "the first request, which waits for the second")


async def closed_without_a_server(asgi_of: Any) -> None:
    """The bridge is awaited by hand: when it has ended, the iterable is closed."""

    def fails() -> Iterator[bytes]:
        yield b"one"
        raise ValueError("no more")

    kinds: dict[str, Callable[[], Any]] = {"the end": lambda: [b"one"], "an error": fails}
    for when, blocks in kinds.items():
        iterable = Closing(blocks(), Moment("close()", PATIENCE))

        def app(environ: Any, start_response: Any, iterable: Closing = iterable) -> Closing:
            start_response("200 OK", [TEXT])
            return iterable

        with suppress(ValueError):
            await Bridged().cross(asgi_of, app)
        same(iterable.closes, 1, f"how often close() was called by {when} of the iterable")


def a_slow_client(asgi_of: Any) -> None:
    """A client reads nothing: the application is not asked for all of a long answer."""
    given, block, blocks = [0], bytes(65536), 2000
    closed = Moment("close() of the iterable, when the client has left", PATIENCE)
    pause = threading.Event()

    def many() -> Iterator[bytes]:
        for _ in range(blocks):
            given[0] += 1
            yield block

    iterable = Closing(many(), closed)

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])
        return iterable

    with up(BridgeServer(asgi_of), app) as connect:
        wire = connect().send(request())
        wire.until(bytes(100), "the beginning of the answer")
        before = -1
        while before != given[0] < blocks:  # until it stands still, or has given everything
            before = given[0]
            pause.wait(0.1)
        count = given[0]
        wire.reset()
        closed.wait()
    if count == blocks:
        raise Broken(f"all {blocks} blocks were taken for a client that reads none of them")


WSGI_TO_ASGI = Exercise(
    name="wsgi-to-asgi",
    chapter=9,
    title="A bridge from WSGI to ASGI",
    effort=3,
    subject="asgi_of",
    points=(
        Point(
            "the start, piece by piece",
            the_start,
            "a start in WSGI's words. ASGI wants an int for the status, and pairs of bytes: names "
            "in lower case, values as latin-1, which WSGI's text stands for; of two equal names a "
            "dict keeps one. And who waits for send in the loop's own thread waits for himself.",
            "ASGI HTTP 2.5, Response Start",
            BY_HAND,
        ),
        Point(
            "send is the loop's",
            in_the_loop,
            "running send in the thread, by asyncio.run perhaps. It belongs to the loop that has "
            "called you: asyncio.run_coroutine_threadsafe(send(message), loop) hands it over.",
            "Python Library Reference, Concurrency and Multithreading",
            BY_HAND,
        ),
        Point(
            "a send that takes a while",
            takes_a_while,
            "waiting for a limited time, or not at all. A client may read as slowly as it likes: "
            "result() without a number waits until the message is sent.",
            "ASGI HTTP 2.5, Response Body",
            BY_HAND,
        ),
        Point(
            "write",
            write_too,
            "start_response without a result. Old applications write() their blocks.",
            "PEP 3333, The write() Callable",
            BY_HAND,
        ),
        Point(
            "closed at the end",
            closed_without_a_server,
            "calling close() behind the loop alone. It belongs into a finally.",
            "PEP 3333, Specification Details",
            BY_HAND,
        ),
        Point(
            "an error goes on",
            goes_on,
            "swallowing the error of the application. The server must hear of it: it writes it "
            "into its log, and nobody else does.",
            "PEP 3333, Error Handling",
            BY_HAND,
        ),
        Point(
            "pages and uploads",
            through("read()", "no blocks", "empty blocks", "HEAD of an iterable"),
            "an answer without a block: it still needs its start, and its end. Or sending an empty "
            "block, or the head alone, and no end.",
        ),
        Point(
            "the loop stays free",
            others_go_on,
            "calling the application in the loop, or one at a time. What blocks belongs into a "
            "thread: await asyncio.to_thread(...).",
        ),
        Point(
            "each block at once",
            through("each block at once"),
            "joining, or sending when all is there. A thread can let the loop send, and wait: "
            "asyncio.run_coroutine_threadsafe(send(message), loop).result().",
            "PEP 3333, Buffering and Streaming",
        ),
        Point(
            "the start waits",
            through("the head waits", "exc_info before the start", "error after start_response"),
            "sending the start as soon as start_response is called. Until the first block an "
            "application may change its mind.",
            "PEP 3333, The start_response() Callable",
        ),
        Point(
            "too late to change",
            through("exc_info after the start", "started twice"),
            "taking a second start_response for granted. With exc_info it raises that when the "
            "start has been sent; without, it is an error always.",
            "PEP 3333, Error Handling",
        ),
        Point(
            "an application that fails",
            through("error before the start", "error after the first byte", "never started"),
            "catching the error, or ending the answer in a finally. Let it go on: the server "
            "answers 500, or cuts what has begun.",
            "PEP 3333, Error Handling",
        ),
        Point(
            "closed when the client left",
            through("close() when the client left", "close() after an error"),
            "never hearing that the client has left. send raises OSError then: wait for its "
            "result, and it is raised in your thread.",
            "PEP 3333, Specification Details",
        ),
        Point(
            "a client that reads nothing",
            a_slow_client,
            "handing blocks to the loop without waiting. They pile up in memory, as fast as the "
            "application makes them.",
            "ASGI HTTP 2.5, Response Body",
        ),
    ),
    hints=(
        "The application runs in a thread, send belongs to the loop. Who waits for whom?",
        "Two functions: `app`, a coroutine function, waits for a thread; `run`, in the thread, is "
        "the gateway of chapter 04 with messages for events. Between them one function that sends "
        "a message and waits: run_coroutine_threadsafe(...).result().",
        """
        In app:

            loop = asyncio.get_running_loop()

            def send_and_wait(message):
                asyncio.run_coroutine_threadsafe(send(message), loop).result()

            await asyncio.to_thread(run, wsgi_app, environ, send_and_wait)

        In run: start_response puts the start into a list; a write sends what is in the list and
        then the block; at the end a write of b"" with more_body False; in a finally, close().
        """,
    ),
    afterwards="""
        One thread for each request that runs: the price of WSGI, and no bridge can lower it.
        to_thread has 32 threads at most, fewer on small machines; who comes then, waits.

        Uvicorn warns that its own bridge (--interface wsgi) is deprecated and names a2wsgi instead:
        its thread puts blocks into a deque and does not wait, so they can pile up, and nobody is
        closed. Hypercorn, given
        a WSGI application, reads the whole body first, as yours does, waits for each send, and
        closes; but an application without a block gets no start there. asgiref's WsgiToAsgi waits
        too, and never calls close().
        """,
    seconds=8.0,
)

EXERCISES = (SCOPE_OF, STREAM_ECHO, WSGI_TO_ASGI)
