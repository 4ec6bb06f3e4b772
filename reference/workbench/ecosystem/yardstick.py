"""What costs are measured with: hello world, two heads, and a server that does nothing.

    python -m workbench.ecosystem.yardstick PORT

runs the yardstick, a bare ``asyncio.Protocol`` that parses nothing and writes a constant: what
asyncio and the kernel take for a request.  Everything above that is a server's own.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from typing import Any

BODY = b"Hello, World!"
ANSWER = (
    b"HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 12:00:00 GMT\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 13\r\n\r\n"
) + BODY
FIELDS = [("Content-Type", "text/plain"), ("Content-Length", "13")]
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(name.lower().encode(), value.encode()) for name, value in FIELDS],
}

# What a browser sends for a page: 15 fields with Host, which the client adds.
BROWSER = {
    "Connection": "keep-alive",
    "sec-ch-ua": '"Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
    "Upgrade-Insecure-Requests": "1",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    "image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-User": "?1",
    "Sec-Fetch-Dest": "document",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
    "Cookie": "sessionid=4f1d2b7c9e8a4c3d; csrftoken=Zk3J9xQ2vLw8; theme=dark",
}
HEADS: dict[str, dict[str, str]] = {"small head": {}, "browser's head": BROWSER}


def get(path: str, host: str, fields: Mapping[str, str]) -> bytes:
    """Return the bytes of a request."""
    lines = [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode("latin-1")


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    """Be the smallest WSGI application."""
    start_response("200 OK", FIELDS)
    return [BODY]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Be the smallest ASGI application; of the lifespan it knows nothing, which is allowed.

    At /loop it tells what runs it: "asyncio", "uvloop".
    """
    if scope["type"] != "http":
        raise NotImplementedError
    if scope["path"] == "/loop":
        name = type(asyncio.get_running_loop()).__module__.partition(".")[0]
        await send({**START, "headers": []})
        await send({"type": "http.response.body", "body": name.encode()})
        return
    await send(START)
    await send({"type": "http.response.body", "body": BODY})


def serve_bare(port: int, spin: float = 0.0) -> None:
    """Answer whatever comes in with the same bytes, until a signal ends this process.

    ``spin`` seconds are burned before each answer; a request for /spun is told their sum.
    """
    spun = 0.0

    class Bare(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.write = transport.write

        def data_received(self, data: bytes) -> None:
            self.write(ANSWER)

    class Paced(Bare):
        def data_received(self, data: bytes) -> None:
            nonlocal spun
            if data.startswith(b"GET /spun "):
                self.write(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n%20.9f" % spun)
                return
            began = now = time.perf_counter()
            while now - began < spin:
                now = time.perf_counter()
            spun += now - began
            self.write(ANSWER)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        kind = Paced if spin else Bare
        server = await loop.create_server(kind, "127.0.0.1", port, backlog=1024)
        await server.serve_forever()

    asyncio.run(main())


if __name__ == "__main__":
    serve_bare(int(sys.argv[1]))
