# trips: one alone, in 0.75 of the time
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
    client = httpx.AsyncClient(base_url=url, trust_env=False)

    async def ask(name):
        return (await client.get(f"/{name}")).json()

    async def app(scope, receive, send):
        if scope["path"] != "/":
            await reply(send, 404, PLAIN, b"no such page\n")
        else:
            try:
                weather, news = await ask("weather"), await ask("news")
            except httpx.HTTPError:
                await reply(send, 502, PLAIN, b"the upstream is not there\n")
            else:
                body = json.dumps({"weather": weather, "news": news}).encode()
                await reply(send, 200, "application/json", body)

    return app
