"""★★★ off-the-loop: work goes where it stops nobody.

`OnTheLoop` is an ASGI application that makes reports. GET /report computes for 40 ms, by `burn`;
every other path is answered at once. While four clients want reports, a calm one, who asks ten
times a second for something small, waits for all of them.

`make_app()` returns an application with the same answers. Beside the four, the calm client must
wait at most a third as long as with `OnTheLoop` in the same run. However many ask, at most
`WORKERS` reports are made at a time, by workers that are started once and are gone when the
lifespan ends.

A worker process imports what it runs: give it `burn`, not a function of this file. Start it by
`spawn`, and not by a fork: that of a program with threads may hang.
"""

import asyncio
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from workbench.board.work import burn

MILLISECONDS = 40
WORKERS = 2


class OnTheLoop:
    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.lifespan(receive, send)
        answer = await self.report() if scope["path"] == "/report" else {"hello": "world"}
        body = json.dumps(answer).encode()
        fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    async def lifespan(self, receive, send):
        await receive()
        self.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.close()
        await send({"type": "lifespan.shutdown.complete"})

    def open(self):
        """Start what is needed."""

    def close(self):
        """End it."""

    async def report(self):
        return {"rounds": burn(MILLISECONDS)}


def make_app():
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
