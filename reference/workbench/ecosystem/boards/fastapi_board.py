"""The board in FastAPI: a model that validates, a dependency, an ASGI application with a WebSocket.

No ``from __future__ import annotations`` here: FastAPI reads the annotations as it defines routes.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench.board.page import page
from workbench.board.store import AUTHOR, TEXT, Board, Post

from .common import EVERYBODY, LINES, UPSTREAM, line
from .starlette_live import tell_live

board = Board()
upstream = httpx.AsyncClient(base_url=UPSTREAM, limits=EVERYBODY, timeout=30, trust_env=False)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Give the upstream's connections back at the end; Daphne never tells us of it."""
    async with upstream:
        yield


app = FastAPI(lifespan=lifespan)


class NewPost(BaseModel):
    """What a client may send; what does not fit is answered 422."""

    model_config = ConfigDict(str_strip_whitespace=True)
    author: str = Field("anonymous", max_length=AUTHOR)
    text: str = Field(min_length=1, max_length=TEXT)


async def new_post(request: Request) -> NewPost:
    """Return what a request brings, a form from the page or JSON: a view depends on this."""
    is_json = request.headers.get("content-type", "").startswith("application/json")
    try:
        return NewPost.model_validate(await (request.json() if is_json else request.form()))
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error
    except ValueError as error:
        raise HTTPException(400, f"no JSON: {error}") from error


@app.get("/", response_class=HTMLResponse)
async def home() -> bytes:
    """Show the page."""
    return page(board.posts())


@app.get("/posts")
async def list_posts() -> list[Post]:
    """List the posts: the annotation is the schema in ``/docs``."""
    return board.posts()


@app.post("/posts", status_code=201)
async def add_post(request: Request, new: Annotated[NewPost, Depends(new_post)]) -> Any:
    """Take a post; after a form the page is shown again."""
    post = board.add(new.author, new.text)
    is_json = request.headers.get("content-type", "").startswith("application/json")
    return post if is_json else RedirectResponse("./", 303)


@app.get("/stream")
async def stream(
    n: Annotated[int, Query(ge=0, le=LINES)] = 5, pause: Annotated[float, Query(ge=0, le=1)] = 0.02
) -> StreamingResponse:
    """Give lines, each as soon as it is made."""

    async def lines() -> AsyncIterator[str]:
        for number in range(1, n + 1):
            yield line(number, n)
            await asyncio.sleep(pause)

    return StreamingResponse(lines(), media_type="text/plain")


@app.get("/slow")
async def slow(wait: Annotated[float, Query(ge=0, le=30)] = 0.1) -> Response:
    """Ask the upstream; everybody else goes on meanwhile."""
    if not UPSTREAM:
        raise HTTPException(503, "this board was started without an upstream")
    answer = await upstream.get("/", params={"wait": wait})
    return Response(answer.content, media_type="application/json")


@app.post("/upload")
async def upload(request: Request) -> dict[str, int | str]:
    """Count an upload, a block at a time."""
    size, digest = 0, hashlib.sha256()
    async for block in request.stream():
        size += len(block)
        digest.update(block)
    return {"bytes": size, "sha256": digest.hexdigest()}


@app.websocket("/live")
async def live(websocket: WebSocket) -> None:
    """Tell a reader what is posted, until the reader leaves."""
    await tell_live(websocket, board)
