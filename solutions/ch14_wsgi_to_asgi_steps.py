"""★★★ wsgi-to-asgi-steps: a WSGI application becomes an ASGI application, step by step.

``board`` is the application as it runs today. Write ``make_app(posts, url)``: return an ASGI
application that gives the same answers. Check after each step; the first point that fails says
what is next.

1. Serve the WSGI form through an adapter: ``return adapted(posts, url)``.
2. Write the routes with scope, receive and send: no thread touches ``posts`` any more.
3. Read a post's body from its messages; who leaves before its end pins nothing up.
4. Ask the upstream by one ``httpx.AsyncClient(base_url=url, trust_env=False)``, made at start-up,
   kept in ``scope["state"]``, closed at shutdown by ``await client.aclose()``.
5. Send ``/lines`` piece by piece, each as soon as it is there.
6. Fifty clients who wait for ``/weather`` wait together, in one process.
"""

import httpx

from handmade.wsgi_in_asgi import WsgiInAsgi

PLAIN = "text/plain; charset=utf-8"


def board(posts, url):
    """Return the board as a WSGI application; ``posts`` is a list of str, ``url`` the upstream."""
    client = httpx.Client(base_url=url, trust_env=False)

    def app(environ, start_response):
        status = "200 OK"
        match environ["REQUEST_METHOD"], environ["PATH_INFO"]:
            case "GET", "/posts":
                body = ["".join(f"{post}\n" for post in posts).encode()]
            case "POST", "/posts":
                length = int(environ.get("CONTENT_LENGTH") or 0)
                posts.append(environ["wsgi.input"].read(length).decode())
                status, body = "201 Created", [b"pinned up\n"]
            case "GET", "/weather":
                body = [client.get("/weather").content]
            case "GET", "/lines":
                body = (client.get(f"/line/{number}").content for number in (1, 2, 3))
            case _:
                status, body = "404 Not Found", [b"no such page\n"]
        start_response(status, [("Content-Type", PLAIN)])
        return body

    return app


def adapted(posts, url):
    """Return it as an ASGI application that runs the WSGI one in a thread."""
    return WsgiInAsgi(board(posts, url))


def make_app(posts, url):
    """Return the board as an ASGI application."""
    ### BEGIN SOLUTION

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await live(scope["state"], receive, send)
        elif scope["type"] == "http":
            await respond(scope, receive, send)
        else:
            raise NotImplementedError(f"the board knows nothing of {scope['type']}")

    async def live(state, receive, send):
        await receive()
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            state["client"] = client
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def respond(scope, receive, send):
        match scope["method"], scope["path"]:
            case "GET", "/posts":
                await answer(send, 200, "".join(f"{post}\n" for post in posts).encode())
            case "POST", "/posts":
                body = await content(receive)
                if body is not None:
                    posts.append(body.decode())
                    await answer(send, 201, b"pinned up\n")
            case "GET", "/weather":
                await answer(send, 200, (await scope["state"]["client"].get("/weather")).content)
            case "GET", "/lines":
                await begin(send, 200)
                for number in (1, 2, 3):
                    line = (await scope["state"]["client"].get(f"/line/{number}")).content
                    await send({"type": "http.response.body", "body": line, "more_body": True})
                await send({"type": "http.response.body"})
            case _:
                await answer(send, 404, b"no such page\n")

    return app


async def content(receive):
    """Return the body of a request; None when the client leaves before its end."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def begin(send, status):
    """Send the head of an answer."""
    fields = [(b"content-type", PLAIN.encode())]
    await send({"type": "http.response.start", "status": status, "headers": fields})


async def answer(send, status, body):
    """Send an answer that is all here."""
    await begin(send, status)
    await send({"type": "http.response.body", "body": body})
    ### END SOLUTION
