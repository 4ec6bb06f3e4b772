"""★★ stream-echo: an upload that comes back while it is still being sent.

Write the ASGI application ``app``. It answers every request with 200, ``text/plain``, and the bytes
of the request's body:

- each piece is sent before the next one is received, and none is kept
- the answer ends with the request, and an empty request gets an empty answer
- a client that leaves in the middle (``http.disconnect``) ends it, without an error and without
  another message: there is nobody to send one to
- ``body`` and ``more_body`` may be missing: then they are ``b""`` and False

The check plays the server by hand, then lets a real one run it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Send a request's body back, piece by piece."""
    ### BEGIN SOLUTION
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
        body = message.get("body", b"")
        await send({"type": "http.response.body", "body": body, "more_body": more})
    ### END SOLUTION
