"""The board in Quart: Flask's ways with ``await``, an ASGI application with a WebSocket."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
from quart import Quart, Response, abort, redirect, request, websocket
from werkzeug.wrappers import Response as Answer

from workbench.board.page import page
from workbench.board.store import Board

from .common import EVERYBODY, LINES, UPSTREAM, following, line, number

app = Quart(__name__)
board = Board()
upstream = httpx.AsyncClient(base_url=UPSTREAM, limits=EVERYBODY, timeout=30, trust_env=False)


@app.while_serving
async def lifespan() -> AsyncGenerator[None, None]:
    """Give the upstream's connections back at the end; Daphne never tells us of it."""
    async with upstream:
        yield


@app.get("/")
async def home() -> str:
    """Show the page."""
    return page(board.posts()).decode()


@app.get("/posts")
async def list_posts() -> list[Any]:
    """List the posts: Quart makes JSON of what a view returns."""
    return [post.as_dict() for post in board.posts()]


@app.post("/posts")
async def add_post() -> tuple[dict[str, Any], int] | Answer:
    """Take a post: a form from the page, which is then shown again, or JSON."""
    fields = await (request.get_json() if request.is_json else request.form)
    try:
        post = board.add(str(fields.get("author", "")), str(fields.get("text", "")))
    except (ValueError, AttributeError) as error:
        abort(400, str(error))
    return (dict(post.as_dict()), 201) if request.is_json else redirect("./", 303)


@app.get("/stream")
async def stream() -> Response:
    """Give lines, each as soon as it is made."""
    count = int(number(request.args, "n", 5, LINES))
    pause = number(request.args, "pause", 0.02, 1)

    async def lines() -> AsyncIterator[str]:
        for each in range(1, count + 1):
            yield line(each, count)
            await asyncio.sleep(pause)

    return Response(lines(), mimetype="text/plain")


@app.get("/slow")
async def slow() -> Response:
    """Ask the upstream; everybody else goes on meanwhile."""
    if not UPSTREAM:
        abort(503, "this board was started without an upstream")
    answer = await upstream.get("/", params={"wait": number(request.args, "wait", 0.1, 30)})
    return Response(answer.content, mimetype="application/json")


@app.post("/upload")
async def upload() -> dict[str, Any]:
    """Count an upload, a block at a time."""
    size, digest = 0, hashlib.sha256()
    async for block in request.body:
        size += len(block)
        digest.update(block)
    return {"bytes": size, "sha256": digest.hexdigest()}


@app.websocket("/live")
async def live() -> None:
    """Tell a reader all posts, then each new one; Quart cancels us when the reader leaves."""
    async with aclosing(following(board)) as feed:
        async for posts in feed:
            news = [post.as_dict() for post in posts]
            await websocket.send_json({"posts": news, "readers": board.listeners})


bare = app.asgi_app


async def with_scheme(scope: Any, receive: Any, send: Any) -> None:
    """Put into a WebSocket's scope what ASGI makes optional, what Daphne leaves out, and what Quart
    reads all the same (github.com/django/daphne/issues/538): without it Daphne answers 500.
    """
    if scope["type"] == "websocket":
        scope.setdefault("scheme", "ws")
    await bare(scope, receive, send)


app.asgi_app = with_scheme  # type: ignore[method-assign]  # Quart's own way to wrap an application
