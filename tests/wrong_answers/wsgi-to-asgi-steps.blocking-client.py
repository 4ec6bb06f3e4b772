# trips: step 4: one client, in the state
import httpx

PLAIN = "text/plain; charset=utf-8"


def make_app(posts, url):
    """Return the board as an ASGI application."""

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await live(scope["state"], receive, send)
        elif scope["type"] == "http":
            await respond(scope, receive, send)
        else:
            raise NotImplementedError(f"the board knows nothing of {scope['type']}")

    async def live(state, receive, send):
        await receive()
        with httpx.Client(base_url=url, trust_env=False) as client:
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
                await answer(send, 200, scope["state"]["client"].get("/weather").content)
            case "GET", "/lines":
                await begin(send, 200)
                for number in (1, 2, 3):
                    line = scope["state"]["client"].get(f"/line/{number}").content
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
