"""The board as a plain WSGI application: PEP 3333 and nothing else between it and the server.

Run it with ``handmade serve workbench.board.wsgi:app``, or with any other WSGI server; the
variable BOARD_UPSTREAM tells it the URL of its upstream.
"""

from __future__ import annotations

import hashlib
import os
import queue
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

import httpx

from . import asking
from .asking import HEARTBEAT, LONGEST_POST, TYPES, Problem, limited
from .page import as_json, event, page
from .store import Board, Post
from .work import burn

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Body = Iterable[bytes]

BLOCK = 65536


class BoardApp:
    """Serve one board; ``upstream_url`` is the slow service behind ``/slow``."""

    def __init__(self, upstream_url: str = "", board: Board | None = None) -> None:
        self.board = board or Board()
        everybody = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self.upstream = httpx.Client(
            base_url=upstream_url, limits=everybody, timeout=30, trust_env=False
        )

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Find the route and run it."""
        try:
            method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"] or "/"
            return asking.route(ROUTES, method, path)(self, environ, start_response)
        except Problem as problem:
            body = as_json({"error": problem.sentence})
            allow = [("Allow", problem.allow)] if problem.allow else []
            return reply(start_response, body, "json", problem.status, *allow)

    def close(self) -> None:
        """Give back the connections to the upstream."""
        self.upstream.close()

    # ------------------------------------------------------------ the routes

    def home(self, environ: Environ, start_response: StartResponse) -> Body:
        """Show the page."""
        return reply(start_response, page(self.board.posts()), "html")

    def list_posts(self, environ: Environ, start_response: StartResponse) -> Body:
        """List the posts."""
        return reply(start_response, as_json([post.as_dict() for post in self.board.posts()]))

    def add_post(self, environ: Environ, start_response: StartResponse) -> Body:
        """Take a post: a form from the page, which is then shown again, or JSON."""
        body = b"".join(blocks(environ, most=LONGEST_POST))
        is_json = environ.get("CONTENT_TYPE", "").startswith("application/json")
        post = asking.add_post(self.board, body, is_json)
        if is_json:
            return reply(start_response, as_json(post.as_dict()), "json", 201)
        return reply(start_response, b"", "plain", 303, ("Location", asking.HOME))

    def slow(self, environ: Environ, start_response: StartResponse) -> Body:
        """Wait for the upstream, and do nothing meanwhile; then burn ``ms`` of processor time."""
        if not self.upstream.base_url.host:
            raise Problem(503, "this board was started without an upstream")
        milliseconds = number(environ, "ms", 0, most=10_000)
        answer = self.upstream.get("/", params={"wait": number(environ, "wait", 0.1, most=30)})
        burn(milliseconds)
        return reply(start_response, answer.content)

    def cpu(self, environ: Environ, start_response: StartResponse) -> Body:
        """Burn processor time."""
        milliseconds = number(environ, "ms", 50, most=10_000)
        return reply(start_response, as_json({"ms": milliseconds, "rounds": burn(milliseconds)}))

    def upload(self, environ: Environ, start_response: StartResponse) -> Body:
        """Count an upload of any length, a block at a time: nothing of it is kept."""
        size, digest = 0, hashlib.sha256()
        for block in blocks(environ):
            size += len(block)
            digest.update(block)
        return reply(start_response, as_json({"bytes": size, "sha256": digest.hexdigest()}))

    def stream(self, environ: Environ, start_response: StartResponse) -> Body:
        """Give lines, each as soon as it is made."""
        count = int(number(environ, "n", 5, most=1_000_000))
        start_response("200 OK", [("Content-Type", TYPES["plain"])])
        return (b"line %d of %d\n" % (line, count) for line in range(1, count + 1))

    def feed(self, environ: Environ, start_response: StartResponse) -> Body:
        """Give each post as an event as soon as it is there: one thread for each reader."""
        start_response("200 OK", [("Content-Type", TYPES["events"]), ("Cache-Control", "no-cache")])
        return self.events(asking.last_event(environ.get("HTTP_LAST_EVENT_ID", "0")))

    def events(self, after: int) -> Iterator[bytes]:
        """Yield events for ever; the server's close() ends it when the reader has left."""
        news: queue.SimpleQueue[Post] = queue.SimpleQueue()
        with self.board.listening(news.put, after):
            yield b": welcome\n\n"
            while True:
                try:
                    yield event(news.get(timeout=HEARTBEAT))
                except queue.Empty:
                    yield b": still here\n\n"  # fails when the reader has left

    def fail(self, environ: Environ, start_response: StartResponse) -> Body:
        """Fail, before the first byte or, with ?after=1, behind it."""
        if number(environ, "after", 0, most=1):
            start_response("200 OK", [("Content-Type", "text/plain")])(b"so far, so good\n")
        raise RuntimeError("this view fails on purpose")


ROUTES: dict[tuple[str, str], Callable[[BoardApp, Environ, StartResponse], Body]] = {
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
}


def reply(
    start_response: StartResponse,
    body: bytes,
    kind: str = "json",
    status: int = 200,
    *headers: tuple[str, str],
) -> Body:
    """Answer with a body that is all here."""
    length = ("Content-Length", str(len(body)))
    line = f"{status} {HTTPStatus(status).phrase}"
    start_response(line, [("Content-Type", TYPES[kind]), length, *headers])
    return [body]


def number(environ: Environ, name: str, default: float, most: float) -> float:
    """Return a number from the query, between 0 and ``most``."""
    return asking.number(environ.get("QUERY_STRING", ""), name, default, most)


def blocks(environ: Environ, most: float = float("inf")) -> Iterator[bytes]:
    """Yield the request's body in blocks; raise Problem for one over ``most`` bytes.

    A server need not end wsgi.input with the body (PEP 3333, Input and Error Streams), so we
    count; only one that says ``wsgi.input_terminated`` may be read to the end, as chunks must be.
    """
    length = environ.get("CONTENT_LENGTH") or ""
    left = int(length) if length else float("inf") if environ.get("wsgi.input_terminated") else 0
    size = 0
    while left and (block := environ["wsgi.input"].read(int(min(BLOCK, left)))):
        left -= len(block)
        size += len(block)
        limited(size, most)
        yield block
    if length and left:
        raise Problem(400, f"the upload broke off {left} bytes before its end")


def make_app(upstream_url: str = "", board: Board | None = None) -> BoardApp:
    """Return the board as a WSGI application."""
    return BoardApp(upstream_url, board)


app = make_app(os.environ.get("BOARD_UPSTREAM", ""))
