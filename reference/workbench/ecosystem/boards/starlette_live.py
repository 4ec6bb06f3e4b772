"""The live feed of the boards whose framework stands on Starlette, and has its WebSocket."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from workbench.board.store import Board

from .common import following


async def tell_live(websocket: WebSocket, board: Board) -> None:
    """Tell a reader all posts, then each new one, until the reader leaves."""
    await websocket.accept()

    async def tell() -> None:
        with suppress(WebSocketDisconnect):  # it has left in this very moment
            async with aclosing(following(board)) as feed:
                async for posts in feed:
                    news = [post.as_dict() for post in posts]
                    await websocket.send_json({"posts": news, "readers": board.listeners})

    teller = asyncio.create_task(tell())
    try:
        async for _ in websocket.iter_text():
            pass  # what a reader says is ignored, and its leaving ends this loop
    finally:
        teller.cancel()
