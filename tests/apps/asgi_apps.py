"""Little ASGI applications, good ones and bad ones, for ``handmade serve``."""

import asyncio
import functools
import os
import sys
import time


async def answer(send, body, status=200):
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})


async def app(scope, receive, send):
    """Answer; of asyncio only /slow and /stream know."""
    assert scope["type"] == "http"
    seconds = float(scope["query_string"] or 0)
    if scope["path"] == "/":
        await answer(send, "Hello, world!")
    elif scope["path"] == "/slow":
        await asyncio.sleep(seconds)
        await answer(send, "at last")
    elif scope["path"] == "/stream":
        await send({"type": "http.response.start", "status": 200})
        for number in range(3):
            body = f"{number}\n".encode()
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await asyncio.sleep(seconds)
        await send({"type": "http.response.body"})
    elif scope["path"] == "/block":
        time.sleep(seconds)
        await answer(send, "blocked")
    elif scope["path"] == "/pid":
        await answer(send, str(os.getpid()))
    elif scope["path"] == "/loop":
        await answer(send, type(asyncio.get_running_loop()).__module__)
    elif scope["path"] == "/length":
        length, more = 0, True
        while more:
            message = await receive()
            length, more = length + len(message["body"]), message["more_body"]
        await answer(send, str(length))
    elif scope["path"] == "/scope":
        await answer(send, f"{scope['root_path']} {scope['path']}")
    else:
        await answer(send, "nothing here", 404)


class Callable:
    async def __call__(self, scope, receive, send):
        await app(scope, receive, send)


def decorated(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


instance = Callable()
partial = functools.partial(app)
wrapped = decorated(app)


def factory():
    return app


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello, WSGI!"]


# ---------------------------------------------------------------- lifespans


def say(word):
    print(f"lifespan: {word}", file=sys.stderr, flush=True)


def living(start, stop):
    """Return an application whose lifespan answers with these."""

    async def living_app(scope, receive, send):
        if scope["type"] != "lifespan":
            return await app(scope, receive, send)
        await receive()
        await start(send)
        await receive()
        await stop(send)

    return living_app


async def up(send):
    say("started")
    await send({"type": "lifespan.startup.complete"})


async def down(send):
    say("stopped")
    await send({"type": "lifespan.shutdown.complete"})


async def fails(send):
    await send({"type": "lifespan.startup.failed", "message": "no database"})


async def fails_to_stop(send):
    await send({"type": "lifespan.shutdown.failed", "message": "cannot close"})


async def never(send):
    say("waiting")
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        say("cancelled")


lives = living(up, down)
cannot_start = living(fails, down)
never_starts = living(never, down)
cannot_stop = living(up, fails_to_stop)
never_stops = living(up, never)
