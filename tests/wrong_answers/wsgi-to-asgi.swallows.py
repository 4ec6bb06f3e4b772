# trips: an error goes on
from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any

from handmade.wsgi_in_asgi import request_of, server_of
from handmade.wsgi_request import base_environ, request_environ

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def environ_of(scope: dict[str, Any], receive: Receive) -> dict[str, Any]:
    """Return the environ, with the whole body; raise ConnectionError when the client leaves."""
    body, more = io.BytesIO(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client has left")
        body.write(message.get("body", b""))
        more = message.get("more_body", False)
    body.seek(0)
    base = base_environ(server_of(scope))
    environ = request_environ(request_of(scope), base, scope.get("root_path", ""))
    return {**environ, "wsgi.input": body}


def asgi_of(wsgi_app: Callable[..., Any]) -> Callable[..., Awaitable[None]]:
    """Return ``wsgi_app`` as an ASGI application."""

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"WSGI knows nothing of {scope['type']}")
        environ = await environ_of(scope, receive)
        loop = asyncio.get_running_loop()

        def send_and_wait(message: Message) -> None:
            asyncio.run_coroutine_threadsafe(send(message), loop).result()

        await asyncio.to_thread(run, wsgi_app, environ, send_and_wait)

    return app


def run(
    wsgi_app: Callable[..., Any], environ: dict[str, Any], send: Callable[[Message], None]
) -> None:
    """Run a WSGI application in this thread; ``send`` waits until a message is sent."""
    head: list[Message] = []
    sent = False

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        if exc_info is not None and sent:
            raise exc_info[1].with_traceback(exc_info[2])
        if exc_info is None and (head or sent):
            raise ValueError("start_response was called again without exc_info")
        fields = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
        start = {"type": "http.response.start", "status": int(status[:3]), "headers": fields}
        head[:] = [start]
        return lambda block: write(block)

    def write(block: bytes, more: bool = True) -> None:
        nonlocal sent
        if not head and not sent:
            raise ValueError("start_response was not called")
        for message in head:
            send(message)
        head.clear()
        sent = True
        send({"type": "http.response.body", "body": block, "more_body": more})

    blocks = wsgi_app(environ, start_response)
    try:
        for block in blocks:
            if block:
                write(block)
        write(b"", more=False)
    except Exception:
        write(b"", more=False)
    finally:
        if hasattr(blocks, "close"):
            blocks.close()
