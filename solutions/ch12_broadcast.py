"""★★★ broadcast: a room in which everybody hears everybody.

Write ``make_app(most)``, which returns an ASGI application for WebSockets. Whoever connects is
accepted and is in the room; the path without its slash is their name (two may have the same). What
one says, a text, goes to all in the room, themselves too, as ``"ada: hello"``. When one has left,
in whatever way, all others are told ``"ada left"``.

All hear all in the same order. Nobody waits for a slow reader: for each at most ``most`` messages
wait to be sent, and who has no room for another one is closed with code 1013, and has left.

The check is a room of raw clients: some leave without a goodbye, some say much at once, and one
reads nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any


def make_app(most: int) -> Any:
    """Return the application."""
    ### BEGIN SOLUTION
    room: dict[asyncio.Queue[str], asyncio.Event] = {}  # a mailbox, and whether it was too small

    def tell(text: str) -> None:
        for box, is_behind in room.items():
            if box.full():
                is_behind.set()
            else:
                box.put_nowait(text)

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
        room[box] = is_behind
        works = listen(receive, name), deliver(box, send), is_behind.wait()
        tasks = [asyncio.create_task(work) for work in works]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del room[box]
            tell(f"{name} left")
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if is_behind.is_set():
            await send({"type": "websocket.close", "code": 1013, "reason": "you read too slowly"})

    return app
    ### END SOLUTION
