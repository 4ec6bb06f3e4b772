"""★★ port-to-async: a blocking page becomes an asynchronous one.

`blocking(url)` is a WSGI application. Its page asks the upstream at `url` twice, for the weather
and for the news, and each question takes a while. `make_app(url)` returns an ASGI application that
gives the same answers: the page at /, 404 for every other path, 502 when the upstream is not there.
For the scope of a lifespan take part in it, or raise: then the server knows that you do not.

Under eight clients at once it must be at least 2.5 times as fast as `blocking` on two threads, and
one page alone must take at most 0.75 of the time: the two questions need not wait for each other.
Ask by `httpx.AsyncClient(trust_env=False)`, and keep one for all requests.
"""

import asyncio
import json

import httpx

PLAIN = "text/plain; charset=utf-8"


def blocking(url):
    client = httpx.Client(base_url=url, trust_env=False)

    def app(environ, start_response):
        if environ["PATH_INFO"] != "/":
            status, kind, body = "404 Not Found", PLAIN, b"no such page\n"
        else:
            try:
                page = {name: client.get(f"/{name}").json() for name in ("weather", "news")}
            except httpx.HTTPError:
                status, kind, body = "502 Bad Gateway", PLAIN, b"the upstream is not there\n"
            else:
                status, kind, body = "200 OK", "application/json", json.dumps(page).encode()
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    return app


async def reply(send, status, kind, body):
    fields = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


def make_app(url):
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
