# trips: in order
from __future__ import annotations

import asyncio
from typing import Any


def make_app(most: int) -> Any:
    """Return the application."""
    room: list[Any] = []

    async def late(send: Any, text: str) -> None:
        await asyncio.sleep(0.001 * (hash((id(send), text)) % 3))  # as a network is late
        await send({"type": "websocket.send", "text": text})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept"})
        name = scope["path"][1:]
        room.append(send)
        tasks = set()
        while (message := await receive())["type"] != "websocket.disconnect":
            for other in room:
                tasks.add(asyncio.create_task(late(other, f"{name}: {message['text']}")))

    return app
