"""The board as a plain ASGI application: ASGI 3 and nothing else between it and the server.

Run it with ``handmade serve workbench.board.asgi:app``, or with any other ASGI server; the
variable BOARD_UPSTREAM tells it the URL of its upstream.  It runs on asyncio, as httpx does.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx

from . import asking
from .asking import HEARTBEAT, LONGEST_POST, TYPES, Problem, limited
from .live import Live
from .page import POLICY, as_json, event, page, script
from .store import Board
from .work import burn

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class ClientLeft(Exception):
    """The client has left before its request was complete: nobody waits for an answer."""


class BoardApp:
    """Serve one board; ``upstream_url`` is the slow service behind ``/slow``."""

    def __init__(self, upstream_url: str = "", board: Board | None = None) -> None:
        self.board = board or Board()
        self.live = Live(self.board)
        self.upstream_url = upstream_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find the route and run it; or live, from start-up to shutdown."""
        if scope["type"] == "lifespan":
            await self.lifespan(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
        if scope["type"] == "websocket":
            await (self.live(scope, receive, send) if path == "/live" else deny(receive, send))
            return
        if scope["type"] != "http":
            raise NotImplementedError(f"the board knows nothing of {scope['type']}")
        try:
            await asking.route(ROUTES, scope["method"], path)(self, scope, receive, send)
        except Problem as problem:
            body = as_json({"error": problem.sentence})
            allow = [(b"allow", problem.allow.encode())] if problem.allow else []
            await reply(send, body, "json", problem.status, *allow)
        except ClientLeft:
            pass

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep one client of the upstream, for all requests, as long as the server runs."""
        await receive()
        async with self.client() as client:
            scope.setdefault("state", {})["upstream"] = client
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    def client(self) -> AbstractAsyncContextManager[Any]:
        """Return a client of the upstream, which opens as many connections as are asked for."""
        everybody = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        return httpx.AsyncClient(
            base_url=self.upstream_url, limits=everybody, timeout=30, trust_env=False
        )

    # ------------------------------------------------------------ the routes

    async def home(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Show the page, which follows the feed at ``/live``."""
        policy = (b"content-security-policy", POLICY.encode())
        await reply(send, page(self.board.posts(), self.board.id), "html", 200, policy)

    async def script(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the page's script; a browser asks each time whether it is still the same."""
        await reply(send, script(), "script", 200, (b"cache-control", b"no-cache"))

    async def list_posts(self, scope: Scope, receive: Receive, send: Send) -> None:
        """List the posts."""
        await reply(send, as_json([post.as_dict() for post in self.board.posts()]))

    async def add_post(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a post: a form from the page, which is then shown again, or JSON."""
        body = b"".join([block async for block in blocks(receive, most=LONGEST_POST)])
        is_json = header(scope, b"content-type").startswith("application/json")
        post = asking.add_post(self.board, body, is_json)
        if is_json:
            await reply(send, as_json(post.as_dict()), "json", 201)
        else:
            await reply(send, b"", "plain", 303, (b"location", asking.HOME.encode()))

    async def slow(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the upstream, and let everybody else go on meanwhile; then burn ``ms``."""
        if not self.upstream_url:
            raise Problem(503, "this board was started without an upstream")
        if "upstream" not in scope.get("state", {}):
            raise Problem(503, "this server hands on no state of our start-up")
        wait = number(scope, "wait", 0.1, most=30)
        milliseconds = number(scope, "ms", 0, most=10_000)
        answer = await scope["state"]["upstream"].get("/", params={"wait": wait})
        burn(milliseconds)
        await reply(send, answer.content)

    async def cpu(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Burn processor time, in the thread of the loop: everybody else waits, as in real life."""
        milliseconds = number(scope, "ms", 50, most=10_000)
        await reply(send, as_json({"ms": milliseconds, "rounds": burn(milliseconds)}))

    async def upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count an upload of any length, a block at a time: nothing of it is kept."""
        size, digest = 0, hashlib.sha256()
        async for block in blocks(receive):
            size += len(block)
            digest.update(block)
        await reply(send, as_json({"bytes": size, "sha256": digest.hexdigest()}))

    async def stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give lines, each as soon as it is made."""
        count = int(number(scope, "n", 5, most=1_000_000))
        await start(send, "plain")
        for line in range(1, count + 1):
            await content(send, b"line %d of %d\n" % (line, count), more=True)
        await content(send, b"")

    async def feed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give each post as an event as soon as it is there, until the reader leaves.

        What a slow reader has not taken yet is not kept for it: it is the board that remembers.
        """
        await start(send, "events", 200, (b"cache-control", b"no-cache"))
        if scope["method"] == "HEAD":
            await content(send, b"")
            return
        await content(send, b": welcome\n\n", more=True)
        reader = asyncio.create_task(until_left(receive))
        try:
            await self.events(reader, send, asking.last_event(header(scope, b"last-event-id")))
        finally:
            reader.cancel()

    async def events(self, reader: asyncio.Task[None], send: Send, after: int) -> None:
        """Send events as long as the reader is there; an empty comment when nothing happens."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()
        with self.board.listening(lambda post: loop.call_soon_threadsafe(news.set)):
            reader.add_done_callback(lambda task: news.set())
            while not reader.done():
                news.clear()
                for post in self.board.posts(after):
                    await content(send, event(post), more=True)
                    after = post.number
                try:
                    await asyncio.wait_for(news.wait(), HEARTBEAT)
                except TimeoutError:
                    await content(send, b": still here\n\n", more=True)

    async def fail(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Fail, before the first byte or, with ?after=1, behind it."""
        if number(scope, "after", 0, most=1):
            await start(send, "plain")
            await content(send, b"so far, so good\n", more=True)
        raise RuntimeError("this view fails on purpose")


ROUTES: dict[tuple[str, str], Callable[[BoardApp, Scope, Receive, Send], Awaitable[None]]] = {
    ("GET", "/"): BoardApp.home,
    ("GET", "/posts"): BoardApp.list_posts,
    ("POST", "/posts"): BoardApp.add_post,
    ("GET", "/slow"): BoardApp.slow,
    ("GET", "/cpu"): BoardApp.cpu,
    ("POST", "/upload"): BoardApp.upload,
    ("PUT", "/upload"): BoardApp.upload,
    ("GET", "/stream"): BoardApp.stream,
    ("GET", "/feed"): BoardApp.feed,
    ("GET", "/fail"): BoardApp.fail,
    ("GET", "/live.js"): BoardApp.script,
}


async def start(send: Send, kind: str, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
    """Begin an answer."""
    fields = [(b"content-type", TYPES[kind].encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})


async def content(send: Send, body: bytes, more: bool = False) -> None:
    """Send content, the last of it unless there is ``more``."""
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def reply(
    send: Send, body: bytes, kind: str = "json", status: int = 200, *headers: tuple[bytes, bytes]
) -> None:
    """Answer with a body that is all here."""
    length = (b"content-length", b"%d" % len(body))
    await start(send, kind, status, length, *headers)
    await content(send, body)


def header(scope: Scope, name: bytes) -> str:
    """Return the value of a header, "" where there is none."""
    return next((value.decode("latin-1") for known, value in scope["headers"] if known == name), "")


def number(scope: Scope, name: str, default: float, most: float) -> float:
    """Return a number from the query, between 0 and ``most``."""
    return asking.number(scope["query_string"].decode("latin-1"), name, default, most)


async def blocks(receive: Receive, most: float = float("inf")) -> AsyncIterator[bytes]:
    """Yield the request's body in blocks, as they come; raise Problem for one over ``most`` bytes.

    Raise ClientLeft when it breaks off: here the server tells, nobody has to count.
    """
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        block, more = message.get("body", b""), message.get("more_body", False)
        size += len(block)
        limited(size, most)
        yield block


async def deny(receive: Receive, send: Send) -> None:
    """Accept no WebSocket: the server answers 403."""
    await receive()
    await send({"type": "websocket.close"})


async def until_left(receive: Receive) -> None:
    """Wait until the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


def make_app(upstream_url: str = "", board: Board | None = None) -> BoardApp:
    """Return the board as an ASGI application."""
    return BoardApp(upstream_url, board)


app = make_app(os.environ.get("BOARD_UPSTREAM", ""))
