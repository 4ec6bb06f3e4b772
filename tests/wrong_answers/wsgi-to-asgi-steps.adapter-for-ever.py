# trips: step 2: routes in the loop
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


def make_app(posts, url):
    """Return the board as an ASGI application."""
    return WsgiInAsgi(board(posts, url))
