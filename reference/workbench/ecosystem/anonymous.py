"""The application of five servers that nobody shall know by name, for an exercise of chapter 14.

    uvicorn workbench.ecosystem.anonymous:says_daphne --no-server-header

=========  =====================================================================================
/          "hello", at once; a body is not read
/echo      the body back, which is read first
/slow      "hello", 0.15 s later
/stream    two parts, without a length
anything   as a WebSocket: each text back
=========  =====================================================================================

Each answer has a Server field, and the field lies: ``says_NAME`` says NAME.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

SLOW = 0.15  # seconds: long enough for a server to notice that a client has said goodbye

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Hypercorn:
    """Hypercorn's configuration: it has no option on the command line for that."""

    include_server_header = False


def saying(says: str) -> Callable[[dict[str, Any], Receive, Send], Awaitable[None]]:
    """Return an ASGI application that claims to run on a server of this name."""

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send)
        elif scope["type"] == "websocket":
            await talk(receive, send)
        else:
            await respond(says, scope["path"], receive, send)

    return app


async def live(receive: Receive, send: Send) -> None:
    """Start up and shut down."""
    while (kind := (await receive())["type"]) != "lifespan.shutdown":
        await send({"type": f"{kind}.complete"})
    await send({"type": f"{kind}.complete"})


async def talk(receive: Receive, send: Send) -> None:
    """Give each text back."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message.get("text") or ""})


async def respond(says: str, path: str, receive: Receive, send: Send) -> None:
    """Answer one request."""
    body = b"hello\n"
    if path == "/echo":
        body = await content(receive)
    elif path == "/slow":
        await asyncio.sleep(SLOW)
    fields = [(b"content-type", b"text/plain"), (b"server", says.encode())]
    if path != "/stream":
        fields.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body, "more_body": path == "/stream"})
    if path == "/stream":
        await send({"type": "http.response.body", "body": b"goodbye\n"})


async def content(receive: Receive) -> bytes:
    """Read a body, as much of it as comes."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


says_uvicorn = saying("uvicorn")
says_hypercorn = saying("hypercorn-h11")
says_daphne = saying("daphne")
says_granian = saying("granian")
