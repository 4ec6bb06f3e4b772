"""A client of the upstream that needs no asyncio.

httpx.AsyncClient runs on asyncio alone.  To put the loop by hand beside it, and to tell what httpx
costs from what a loop costs, this client asks the same upstream for the same wait by what both
loops have: ``sock_sendall`` and ``sock_recv``.  It knows GET, and answers with a Content-Length.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode, urlsplit

from handmade import loop as by_hand

LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


def question(host: str, path: str, params: Mapping[str, Any]) -> bytes:
    """Return the bytes of a GET request."""
    return f"GET {path}?{urlencode(params)} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("ascii")


def content_of(buf: bytes | bytearray) -> bytes | None:
    """Return the content of an answer that is whole, None while something is missing."""
    end = buf.find(b"\r\n\r\n")
    if end < 0:
        return None
    found = LENGTH.search(buf, 0, end + 2)
    if found is None:
        raise ValueError("the upstream's answer has no Content-Length")
    whole = end + 4 + int(found[1])
    return bytes(buf[end + 4 : whole]) if len(buf) >= whole else None


def running_loop() -> Any:
    """Return the loop that runs in this thread, asyncio's or the one by hand."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return by_hand.get_running_loop()


class Answer(NamedTuple):
    """What came back, under the name that httpx has for it."""

    content: bytes


class SmallClient:
    """Asks one upstream, by httpx's names; keeps connections for the next question."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc
        self._address = parts.hostname or "", parts.port or 80
        self._idle: list[socket.socket] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        while self._idle:
            self._idle.pop().close()

    async def get(self, path: str, params: Mapping[str, Any]) -> Answer:
        """Ask, wait, and return the answer; raise OSError when the upstream is not there."""
        loop, buf = running_loop(), bytearray()
        sock = self._idle.pop() if self._idle else self.connect()
        try:
            await loop.sock_sendall(sock, question(self.host, path, params))
            while (content := content_of(buf)) is None:
                data = await loop.sock_recv(sock, 65536)
                if not data:
                    raise ConnectionError("the upstream closed in the middle of an answer")
                buf += data
        except BaseException:
            sock.close()
            raise
        self._idle.append(sock)
        return Answer(content)

    def connect(self) -> socket.socket:
        """Return a new connection."""
        # This waits, and the loop with it: on this machine a connection is there at once.
        sock = socket.create_connection(self._address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        return sock
