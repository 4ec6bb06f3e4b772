# trips: a calm client waits a third as long
import asyncio
import json

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
    class OffTheLoop(OnTheLoop):
        async def report(self):
            await asyncio.sleep(0)
            return {"rounds": burn(MILLISECONDS)}

    return OffTheLoop()
