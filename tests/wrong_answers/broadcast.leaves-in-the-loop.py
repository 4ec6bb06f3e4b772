# trips: nobody waits
from __future__ import annotations

import asyncio
from typing import Any


def make_app(most: int) -> Any:
    """Return the application."""
    room: dict[asyncio.Queue[str], tuple[str, asyncio.Event]] = {}

    def tell(text: str) -> None:
        for box in list(room):
            if box.full():
                leave(box)
            else:
                box.put_nowait(text)

    def leave(box: asyncio.Queue[str]) -> None:
        if box in room:
            name, is_behind = room.pop(box)
            is_behind.set()
            tell(f"{name} left")

    async def listen(receive: Any, name: str) -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            tell(f"{name}: {message['text']}")
            await asyncio.sleep(0)  # receive need not wait: let the mailboxes be emptied

    async def deliver(box: asyncio.Queue[str], send: Any) -> None:
        while True:
            await send({"type": "websocket.send", "text": await box.get()})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept"})
        name, box, is_behind = scope["path"][1:], asyncio.Queue[str](most), asyncio.Event()
        room[box] = name, is_behind
        works = listen(receive, name), deliver(box, send), is_behind.wait()
        tasks = [asyncio.create_task(work) for work in works]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            is_slow = is_behind.is_set()
        finally:
            leave(box)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if is_slow:
            await send({"type": "websocket.close", "code": 1013, "reason": "you read too slowly"})

    return app
