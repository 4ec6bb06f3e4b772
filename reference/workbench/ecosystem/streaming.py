"""A stream of Starlette's, and what becomes of it when its client has left.

Starlette reads ``scope["asgi"]["spec_version"]``.  Below 2.4 it listens for ``http.disconnect``
beside the stream, and cancels it; from 2.4 on it trusts ``send`` to raise an OSError, as ASGI HTTP
has it since then (Starlette 1.10, responses.py, StreamingResponse).  So a version that is told is a
promise: where it is not kept the stream goes on, for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from workbench.gauntlet.probe import note

from .looking import noted
from .starting import Run

STEP = 0.02  # seconds between two ticks
MOST = 250  # ticks: five seconds
LONGEST = 8.0  # seconds after which an end is not waited for any more


async def ticks(token: str) -> AsyncIterator[bytes]:
    """Give a tick every 20 ms, and note how many of them were made."""
    made = 0
    try:
        while made < MOST:
            made += 1
            yield b"tick\n"
            await asyncio.sleep(STEP)
    finally:
        note(token, made=made)


async def stream(request: Request) -> StreamingResponse:
    """Answer with ticks."""
    return StreamingResponse(ticks(request.query_params["token"]))


app = Starlette(routes=[Route("/ticks", stream)])


def made_for_nobody(run: Run) -> int:
    """Ask for the ticks, reset the connection at the first, and return how many were made.

    MOST where the stream had no end in sight.
    """
    token = run.token()
    wire = run.connect()
    wire.send(f"GET /ticks?token={token} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
    wire.wait_for(b"tick", "the first tick")
    wire.reset()
    found = noted(run, token, "made", LONGEST)
    return int(found["made"]) if found else MOST
