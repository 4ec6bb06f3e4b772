"""The board in Starlette: an ASGI application with a lifespan and a WebSocket."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from workbench.board.page import page
from workbench.board.store import Board

from .common import EVERYBODY, LINES, UPSTREAM, line, number
from .starlette_live import tell_live

board = Board()
upstream = httpx.AsyncClient(base_url=UPSTREAM, limits=EVERYBODY, timeout=30, trust_env=False)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Give the upstream's connections back at the end; Daphne never tells us of it."""
    async with upstream:
        yield


async def home(request: Request) -> Response:
    """Show the page."""
    return HTMLResponse(page(board.posts()))


async def list_posts(request: Request) -> Response:
    """List the posts."""
    return JSONResponse([post.as_dict() for post in board.posts()])


async def add_post(request: Request) -> Response:
    """Take a post: a form from the page, which is then shown again, or JSON."""
    is_json = request.headers.get("content-type", "").startswith("application/json")
    try:
        fields = await (request.json() if is_json else request.form())
        post = board.add(str(fields.get("author", "")), str(fields.get("text", "")))
    except (ValueError, AttributeError) as error:
        raise HTTPException(400, str(error)) from error
    return JSONResponse(post.as_dict(), 201) if is_json else RedirectResponse("./", 303)


async def stream(request: Request) -> Response:
    """Give lines, each as soon as it is made."""
    count = int(number(request.query_params, "n", 5, LINES))
    pause = number(request.query_params, "pause", 0.02, 1)

    async def lines() -> AsyncIterator[str]:
        for each in range(1, count + 1):
            yield line(each, count)
            await asyncio.sleep(pause)

    return StreamingResponse(lines(), media_type="text/plain")


async def slow(request: Request) -> Response:
    """Ask the upstream; everybody else goes on meanwhile."""
    if not UPSTREAM:
        raise HTTPException(503, "this board was started without an upstream")
    wait = number(request.query_params, "wait", 0.1, 30)
    answer = await upstream.get("/", params={"wait": wait})
    return Response(answer.content, media_type="application/json")


async def upload(request: Request) -> Response:
    """Count an upload, a block at a time."""
    size, digest = 0, hashlib.sha256()
    async for block in request.stream():
        size += len(block)
        digest.update(block)
    return JSONResponse({"bytes": size, "sha256": digest.hexdigest()})


async def live(websocket: WebSocket) -> None:
    """Tell a reader what is posted, until the reader leaves."""
    await tell_live(websocket, board)


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/", home),
        Route("/posts", list_posts),
        Route("/posts", add_post, methods=["POST"]),
        Route("/stream", stream),
        Route("/slow", slow),
        Route("/upload", upload, methods=["POST"]),
        WebSocketRoute("/live", live),
    ],
)
