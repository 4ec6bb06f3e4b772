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
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
