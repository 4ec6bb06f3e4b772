"""A relay: it speaks plain TCP to a client, and something else to a server.

What the one side does it does to the other: bytes, the end of one direction, a reset.  Who reads
slowly makes the other side wait.  What is spoken to the server is for those who build on this.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class Plain(asyncio.Protocol):
    """The client's side.  ``server`` is the other, a ``Far``."""

    server: Any

    def __init__(self, address: tuple[str, int], all_: set[Any]) -> None:
        self.address = address
        self.all = all_
        self.lost = self.ended = False
        self.early = b""  # early releases of Python 3.11 read on once, told not to

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.all.add(transport)
        transport.pause_reading()  # until the server is ready
        self.task = asyncio.ensure_future(self.connect())

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self.server, *self.address)
        except OSError:
            reset(self.transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if self.server.transport is not None:
            reset(self.server.transport) if error else self.server.transport.close()


class Far(asyncio.Protocol):
    """The server's side."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.client.all.add(transport)
        if self.client.lost:
            reset(transport)
        else:
            self.greet()

    def greet(self) -> None:
        """Say the first words."""
        raise NotImplementedError

    def pause_writing(self) -> None:
        self.client.transport.pause_reading()

    def resume_writing(self) -> None:
        self.client.transport.resume_reading()


def reset(transport: Any) -> None:
    """Close so that the peer is told of a reset."""
    with suppress(OSError):
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Relay:
    """Listen at ``place`` for clients that speak plain TCP; ``address`` is the server's.

    ``make(address, transports)`` makes the protocol that talks to a client.
    """

    def __init__(self, make: Callable[..., Plain]) -> None:
        self._make = make
        self.address: tuple[str, int] = ("", 0)
        self.place: tuple[str, int] = ("", 0)
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        transports: set[Any] = set()
        server = await self._loop.create_server(
            lambda: self._make(self.address, transports), "127.0.0.1", 0, backlog=1024
        )
        self.place = server.sockets[0].getsockname()
        self._begun.set()
        await self._stopped.wait()
        server.close()
        for transport in transports:
            reset(transport)
        for _ in range(3):  # they close in the turns after this
            await asyncio.sleep(0)

    def __enter__(self) -> Relay:
        self._thread.start()
        assert self._begun.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)
        self._loop.close()
