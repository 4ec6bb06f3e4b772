"""The exercise ``wsgi-to-asgi-steps`` of chapter 14: six steps, and a point or two for each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import httpx

from handmade.lifespan import LifespanFailed
from workbench.contracts import Broken
from workbench.contracts.probes import Moment, ok
from workbench.contracts.wire import Wire, request
from workbench.exercises import stuck
from workbench.exercises.coroutines import within
from workbench.exercises.model import Exercise, Hangs, Point, Slip
from workbench.exercises.serving import PATIENCE, Served, application, serving
from workbench.exercises.strip import SOLUTIONS, strip
from workbench.exercises.talking import same
from workbench.running import running

CROWD = 50
NOBODY_ELSE = 0.6  # seconds without a newcomer, after which a crowd is as large as it will be
SOON = 0.4  # seconds for a message that is there, to be received
FILE = "ch14_wsgi_to_asgi_steps.py"


@cache
def given() -> dict[str, Any]:
    """Return what was handed out with the exercise, whatever the learner made of it."""
    source = strip((SOLUTIONS / FILE).read_text(encoding="utf-8"))
    found: dict[str, Any] = {"__name__": "given"}
    exec(compile(source, f"solutions/{FILE}", "exec"), found)
    return found


# --- What stands around the learner's application ---------------------------------------------


class Upstream:
    """A WSGI application: /weather, and /line/1 to /line/3, of which the second may be held back.

    ``connections`` counts them; of a ``crowd`` nobody is answered before all are there.
    """

    def __init__(self, crowd: int = 1) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self.connections: set[str] = set()
        self.largest = 0
        self._here = 0
        self._crowd = crowd
        self._news = threading.Condition()

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        """Answer."""
        self.connections.add(environ["REMOTE_PORT"])
        path = environ["PATH_INFO"]
        if path == "/weather":
            self._wait_for_all()
            return ok(start_response, b"sunny\n")
        if path == "/line/2":
            self.go_on.wait(2.0)
        return ok(start_response, b"line %b\n" % path[-1:].encode())

    def _wait_for_all(self) -> None:
        with self._news:
            self._here += 1
            self.largest = max(self.largest, self._here)
            self._news.notify_all()
            while self.largest < self._crowd:
                before = self.largest
                if not self._news.wait(NOBODY_ELSE) and self.largest == before:
                    self._crowd = 0  # nobody else comes: let go of who is here
                    self._news.notify_all()
            self._here -= 1


class Touched(list[str]):
    """A list of posts that remembers which threads have touched it."""

    def __init__(self, *posts: str) -> None:
        super().__init__(posts)
        self.threads: set[int] = set()

    def _touch(self) -> None:
        self.threads.add(threading.get_ident())

    def append(self, post: str) -> None:
        """Pin up."""
        self._touch()
        super().append(post)

    def __iter__(self) -> Iterator[str]:
        self._touch()
        return super().__iter__()

    def __iadd__(self, posts: Any) -> Any:  # type: ignore[misc]  # as list has it, and no __add__
        self._touch()
        return super().__iadd__(posts)


class Watching:
    """An ASGI application around the learner's: which thread it is called in, what it receives."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.threads: set[int] = set()
        self.received = 0
        self.news = threading.Condition()
        self.ended = Moment("the application to end, now that its client has left,", PATIENCE)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Be an ASGI application."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def received() -> Any:
            message = await receive()
            with self.news:
                self.received += 1
                self.news.notify_all()
            return message

        self.threads.add(threading.get_ident())
        try:
            await self.app(scope, received, send)
        finally:
            self.ended.happens()

    def has_received(self, number: int) -> bool:
        """Wait for so many messages; False when they are not asked for."""
        with self.news:
            return self.news.wait_for(lambda: self.received >= number, SOON)


@contextmanager
def moved(
    make_app: Any, posts: list[str], upstream: Upstream | None = None, threads: int = 4
) -> Iterator[tuple[Served, Watching]]:
    """Serve a learner's application, with an upstream behind it."""
    with running(upstream or Upstream(), threads=threads, patience=1.0) as up:
        app = application(make_app(posts, up.url("")), "make_app")
        watching = Watching(app)
        before = set(threading.enumerate())
        try:
            with serving(watching, tolerant=True) as served:
                yield served, watching
        except LifespanFailed as failed:
            raise not_begun(failed, before) from None


def not_begun(failed: LifespanFailed, before: set[threading.Thread]) -> Broken:
    """Say where an application is that does not start up; and end it."""
    where = ""
    for thread in set(threading.enumerate()) - before:
        place, waits = stuck.where(thread)
        if place:
            stuck.end(thread)
            where = f"{'waits' if waits else 'is still running'}, at {place}"
    if not where:
        return Broken(f"the server could not begin: {failed}")
    return Stuck(f"the server waits for lifespan.startup.complete, and the application {where}")


class Stuck(Hangs, Slip):
    """A hang at the start, which no trap of a point is about."""


# --- The points -------------------------------------------------------------------------------

ASKED = (
    request("/posts", "Connection: close"),
    request("/posts", "Connection: close", method="POST", body="ein Grüß Gott".encode()),
    request("/posts", "Connection: close"),
    request("/weather", "Connection: close"),
    request("/lines", "Connection: close"),
    request("/else", "Connection: close"),
    request("/weather", "Connection: close", method="POST", body=b"rain"),
)


def answers_of(connect: Callable[[], Wire]) -> Iterator[tuple[int, str | None, bytes]]:
    """Yield what a board answers: status, content-type and content."""
    for sent in ASKED:
        answer = connect().send(sent).response()
        yield answer.status, answer.value("content-type"), answer.body


@cache
def usual_answers() -> tuple[tuple[int, str | None, bytes], ...]:
    """Return what the WSGI form answers."""
    with running(Upstream(), patience=1.0) as up, ExitStack() as stack:
        app = given()["board"](["first", "second"], up.url(""))
        server = stack.enter_context(running(app, patience=1.0))
        return tuple(answers_of(lambda: stack.enter_context(Wire(server.address))))


def the_same_answers(make_app: Any) -> None:
    """Seven requests, of both forms."""
    wanted = usual_answers()
    with moved(make_app, ["first", "second"]) as (served, _):
        for sent, theirs, yours in zip(ASKED, wanted, answers_of(served.connect), strict=True):
            line = sent.partition(b" HTTP")[0].decode()
            for what, one, other in zip(
                ("status", "content-type", "content"), yours, theirs, strict=True
            ):
                same(one, other, f"the {what} of the answer to {line}")


def in_the_loop(make_app: Any) -> None:
    """A post is pinned up, and read: by which thread?"""
    posts = Touched("first")
    with moved(make_app, posts) as (served, watching):
        sent = request("/posts", "Connection: close", method="POST", body=b"second")
        same(served.connect().send(sent).response().status, 201, "the status of POST /posts")
        sent = request("/posts", "Connection: close")
        body = served.connect().send(sent).response().body
    same(body, b"first\nsecond\n", "the content of GET /posts")
    if strangers := posts.threads - watching.threads:
        raise Broken(
            f"`posts` was touched by {len(strangers)} other thread(s) than the loop's: the WSGI "
            "form still does the work, behind the adapter or in to_thread. Look at scope['method'] "
            "and scope['path'], and send http.response.start and http.response.body yourself"
        )


POST = "Grüße aus Köln".encode()
PIECES = (POST[:3], POST[3:9], POST[9:])  # the first boundary falls into the ü


def in_pieces(make_app: Any) -> None:
    """The body of a post comes in three pieces, the next when the one before was received."""
    posts: list[str] = []
    head = request("/posts", "Connection: close", f"Content-Length: {len(POST)}", method="POST")
    with moved(make_app, posts) as (served, watching):
        wire = served.connect().send(head)
        for number, piece in enumerate(PIECES, 1):
            wire.send(piece)
            watching.has_received(number)
        status = wire.response().status
        taken = watching.received
    if posts != [POST.decode()]:
        raise Broken(
            f"a body of {len(POST)} bytes came in {len(PIECES)} pieces, so receive() gives "
            f"{len(PIECES)} messages; the application took {taken}, answered {status}, and pinned "
            "this up",
            sent=head + POST, got=posts, wanted=[POST.decode()],
        )  # fmt: skip
    same(status, 201, "the status of POST /posts")


def half_a_post(make_app: Any) -> None:
    """The client leaves in the middle of its post."""
    posts: list[str] = []
    head = request("/posts", "Content-Length: 20", method="POST")
    with moved(make_app, posts) as (served, watching):
        wire = served.connect().send(head + b"half of")
        watching.has_received(1)
        wire.reset()
        watching.ended.wait()
    same(posts, [], "7 of 20 bytes came, then http.disconnect: pinned up is")


class Life:
    """A server's side of a lifespan, by hand."""

    def __init__(self, app: Any) -> None:
        self.state: dict[str, Any] = {}
        self.sent: list[str] = []
        self._told: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._news = asyncio.Event()
        version = {"version": "3.0", "spec_version": "2.0"}
        scope = {"type": "lifespan", "asgi": version, "state": self.state}
        self._task = asyncio.ensure_future(app(scope, self._told.get, self._send))

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message["type"])
        self._news.set()

    async def tell(self, what: str) -> None:
        """Send lifespan.startup or shutdown, and wait for the answer."""
        self._news.clear()
        await self._told.put({"type": f"lifespan.{what}"})
        news = asyncio.ensure_future(self._news.wait())
        both = asyncio.wait({news, self._task}, return_when=asyncio.FIRST_COMPLETED)
        await within(1.0, both, f"lifespan.{what}.complete")
        if not news.done():
            news.cancel()
            try:
                self._task.result()
            except NotImplementedError:
                raise Broken(
                    "the application takes no part in the lifespan: it raises NotImplementedError "
                    "for that scope"
                ) from None
            raise Broken(f"the application returned, and never sent lifespan.{what}.complete")
        same(self.sent[-1], f"lifespan.{what}.complete", f"the answer to lifespan.{what}")

    async def end(self) -> None:
        """Let nothing stay."""
        self._task.cancel()
        await asyncio.wait({self._task})


async def got(app: Any, state: dict[str, Any], path: str) -> bytes:
    """Return the content of an answer, asked for without a wire."""
    body = bytearray()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        body.extend(message.get("body", b""))

    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.5"}, "http_version": "1.1",
        "method": "GET", "scheme": "http", "path": path, "raw_path": path.encode(),
        "query_string": b"", "root_path": "", "headers": [(b"host", b"test")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": state.copy(),
    }  # fmt: skip
    await within(2.0, app(scope, receive, send), f"the end of app for GET {path}")
    return bytes(body)


@contextmanager
def unmoved(make_app: Any, upstream: Upstream) -> Iterator[Any]:
    """Give a learner's application without a server."""
    with running(upstream, threads=4, patience=1.0) as up:
        yield application(make_app([], up.url("")), "make_app")


async def in_the_state(make_app: Any) -> None:
    """Start up, ask three times."""
    upstream = Upstream()
    with unmoved(make_app, upstream) as app:
        life = Life(app)
        try:
            await life.tell("startup")
            kept = [value for value in life.state.values() if isinstance(value, httpx.AsyncClient)]
            if not kept:
                kinds = [type(value).__name__ for value in life.state.values()]
                raise Broken(
                    "after lifespan.startup.complete no httpx.AsyncClient is in scope['state']; "
                    f"there is {', '.join(kinds) or 'nothing'}"
                )
            for _ in range(3):
                same(await got(app, life.state, "/weather"), b"sunny\n", "the content of /weather")
        finally:
            await life.end()
    if (made := len(upstream.connections)) != 1:
        raise Broken(
            f"three requests, one after the other, made {made} connections to the upstream: the "
            "client in the state keeps one for all of them"
        )


async def closed_behind(make_app: Any) -> None:
    """Start up, shut down."""
    with unmoved(make_app, Upstream()) as app:
        life = Life(app)
        try:
            await life.tell("startup")
            kept = [value for value in life.state.values() if isinstance(value, httpx.AsyncClient)]
            early = [client for client in kept if client.is_closed]
            await life.tell("shutdown")
            late = [client for client in kept if not client.is_closed]
        finally:
            await life.end()
    if early or not kept:
        raise Broken("after lifespan.startup.complete there is no open AsyncClient in the state")
    if late:
        raise Broken("after lifespan.shutdown.complete the AsyncClient is still open")


def piece_by_piece(make_app: Any) -> None:
    """The upstream holds its second line back until the first has reached the client."""
    upstream = Upstream()
    upstream.go_on.clear()
    with moved(make_app, [], upstream) as (served, _):
        wire = served.connect().send(request("/lines", "Connection: close"))
        try:
            wire.wait_for(b"line 1\n", "line 1: the upstream has line 2 only when it has come")
        finally:
            upstream.go_on.set()
        body = wire.response().body
    same(body, b"line 1\nline 2\nline 3\n", "the content of /lines")


def fifty_at_once(make_app: Any) -> None:
    """Fifty clients ask for the weather; the upstream answers when it has heard of all."""
    upstream = Upstream(CROWD)
    with moved(make_app, [], upstream, threads=CROWD) as (served, _):
        wires = [served.connect(4.0) for _ in range(CROWD)]
        for wire in wires:
            wire.send(request("/weather", "Connection: close"))
        bodies = [wire.response().body for wire in wires]
        largest = upstream.largest
    if largest < CROWD:
        raise Broken(
            f"{CROWD} clients have asked for /weather, and only {largest} of them waited for the "
            "upstream at the same time; the others stood in line here"
        )
    same(set(bodies), {b"sunny\n"}, "the content of /weather, for fifty")


WSGI_TO_ASGI_STEPS = Exercise(
    name="wsgi-to-asgi-steps",
    chapter=14,
    title="From WSGI to ASGI, step by step",
    effort=3,
    subject="make_app",
    points=(
        Point(
            "step 1: the same answers",
            the_same_answers,
            "changing the answers on the way: a status, a content-type or a line end. Begin with "
            "`return adapted(posts, url)`, which changes nothing, and keep this point "
            "green all the way.",
        ),
        Point(
            "step 2: routes in the loop",
            in_the_loop,
            "leaving the work to the WSGI form, behind the adapter or in asyncio.to_thread. It "
            "is right, and costs a thread for each request that waits.",
            "ASGI HTTP 2.5, HTTP Connection Scope",
        ),
        Point(
            "step 3: a body in pieces",
            in_pieces,
            "taking the first message for the body, or decoding each piece. While more_body is "
            "True another one follows, and a boundary may fall into a character: join the bytes, "
            "decode once.",
            "ASGI HTTP 2.5, Request",
        ),
        Point(
            "step 3: who leaves pins nothing up",
            half_a_post,
            "looking at `more_body` alone. When the client leaves, receive() gives "
            "http.disconnect, again and again, which has neither body nor more_body: half a post "
            "looks like a whole one, or the loop never ends.",
            "ASGI HTTP 2.5, Disconnect",
        ),
        Point(
            "step 4: one client, in the state",
            in_the_state,
            "a client for each request, or one that is made by make_app. A loop's connections "
            "belong to that loop: lifespan.startup is called in it, before the first request, and "
            "what is put into scope['state'] there is in the scope of every request.",
            "ASGI Lifespan 2.0, Lifespan State",
        ),
        Point(
            "step 4: closed at shutdown",
            closed_behind,
            "sending startup.complete and returning. The application waits for lifespan.shutdown, "
            "closes the client, and only then says shutdown.complete.",
            "ASGI Lifespan 2.0, Shutdown",
        ),
        Point(
            "step 5: piece by piece",
            piece_by_piece,
            "collecting the lines before the first send. Each line is a message of its own with "
            "more_body=True, and one without it ends the answer.",
            "ASGI HTTP 2.5, Response Body",
        ),
        Point(
            "step 6: fifty at once",
            fifty_at_once,
            "something that lets in a few at a time: a call that blocks in an `async def`, a pool "
            "of threads, a lock, a small max_connections. Who waits holds no thread now; nothing "
            "but the upstream needs to bound them.",
        ),
    ),
    hints=(
        "Which lines of `board` wait for somebody, and what is each of these in ASGI? The body: "
        "receive. The upstream: an await. The stream: one send for each line.",
        "Begin with three coroutines: one for the lifespan scope (receive, make the client, send, "
        "receive, close, send), one that reads a body, and one that sends a whole answer. "
        "The routes are the same `match`, on scope['method'] and scope['path'].",
        """
        Nearly all of step 4, with `async with` as the one that closes:

            await receive()
            async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
                scope["state"]["client"] = client
                await send({"type": "lifespan.startup.complete"})
                await receive()
            await send({"type": "lifespan.shutdown.complete"})

        and of step 5, after http.response.start:

            line = (await scope["state"]["client"].get(f"/line/{number}")).content
            await send({"type": "http.response.body", "body": line, "more_body": True})
        """,
    ),
    afterwards="""
        That is how a service moves without a day of silence: through an adapter first, then route
        by route, each step checked against the old answers. What is left in threads costs what it
        cost before; what waits in the loop costs next to nothing.

        Uvicorn has such an adapter on board (--interface wsgi), and calls it deprecated: its
        warning points to a2wsgi. Hypercorn serves WSGI as hypercorn wsgi:module:app. Both run it
        in a pool of threads, so fifty who wait need fifty threads there. Daphne has no lifespan:
        the state is not to be had everywhere, as the table of this chapter shows.
        """,
    seconds=6.0,
)
