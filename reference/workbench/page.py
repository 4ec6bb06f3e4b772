"""A page of many small things, as an ASGI application: what chapter 13 loads over each protocol.

    /picture-1?size=2000&pieces=10&wait=0.02&burn=0.02

An answer has so many ``pieces`` of ``size`` bytes (by default one of none); before each it waits
``wait`` seconds and keeps the processor for ``burn``. It knows of no version of HTTP but to tell
it: that is the point.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import parse_qs

USUAL = {"size": "0", "pieces": "1", "wait": "0", "burn": "0"}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer as the query says; the field ``version`` tells what the scope says of HTTP."""
    assert scope["type"] == "http"  # it takes no part in lifespan
    query = parse_qs(scope["query_string"].decode())
    size, pieces, wait, burn = (float(query.get(name, [USUAL[name]])[0]) for name in USUAL)
    length = str(int(size) * int(pieces)).encode()
    fields = [(b"version", scope["http_version"].encode()), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    for number in range(int(pieces)):
        await asyncio.sleep(wait)
        burn_for(burn)
        more = number + 1 < pieces
        body = b"x" * int(size)
        await send({"type": "http.response.body", "body": body, "more_body": more})


def burn_for(seconds: float) -> None:
    """Keep the processor for so many seconds of its time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
