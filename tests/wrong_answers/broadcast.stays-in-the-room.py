# trips: who leaves
from __future__ import annotations

from typing import Any


def make_app(most: int) -> Any:
    """Return the application."""
    room: list[Any] = []

    async def tell(text: str) -> None:
        for other in list(room):
            await other({"type": "websocket.send", "text": text})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept"})
        name = scope["path"][1:]
        room.append(send)
        while (message := await receive())["type"] != "websocket.disconnect":
            await tell(f"{name}: {message['text']}")
        await tell(f"{name} left")

    return app
