"""Every contract over TLS: a relay that speaks plain TCP to a client and TLS to a server.

What the one side does it does to the other: bytes, the end of one direction (close_notify), a
reset.  A server that closes without close_notify has broken off: that becomes a reset too.  Who
reads slowly makes the other side wait, for the relay stores nothing.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tls_clients import Bio


class Plain(asyncio.Protocol):
    """The client's side."""

    def __init__(self, address: tuple[str, int], all_: set[Any]) -> None:
        self.address = address
        self.all = all_
        self.lost = self.ended = False
        self.early = b""  # early releases of Python 3.11 read on once, told not to

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.all.add(transport)
        transport.pause_reading()  # until the server has shaken hands
        self.server = Secret(self)
        self.task = asyncio.ensure_future(self.connect())

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self.server, *self.address)
        except OSError:
            reset(self.transport)

    def data_received(self, data: bytes) -> None:
        if self.server.shaken:
            self.server.transport.write(self.server.bio.encrypt(data))
        else:
            self.early += data

    def eof_received(self) -> bool:
        self.ended = True
        if self.server.shaken:
            self.server.transport.write(self.server.bio.close())
        return not self.server.ended

    def begin(self) -> None:
        """Go on: the server has shaken hands."""
        if self.early:
            self.server.transport.write(self.server.bio.encrypt(self.early))
        if self.ended:
            self.server.transport.write(self.server.bio.close())
        self.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if self.server.transport is not None:
            reset(self.server.transport) if error else self.server.transport.close()

    def pause_writing(self) -> None:
        self.server.transport.pause_reading()

    def resume_writing(self) -> None:
        self.server.transport.resume_reading()


class Secret(asyncio.Protocol):
    """The server's side."""

    def __init__(self, client: Plain) -> None:
        self.client = client
        self.bio = Bio()
        self.shaken = self.ended = False
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.client.all.add(transport)
        if self.client.lost:
            reset(transport)
        else:
            transport.write(self.bio.shake()[0])

    def data_received(self, data: bytes) -> None:
        if not self.shaken:
            to_send, self.shaken = self.bio.shake(data)
            self.transport.write(to_send)
            data = b""
            if not self.shaken:
                return
            self.client.begin()
        self.client.transport.write(self.bio.decrypt(data))
        if self.bio.ended and not self.ended:
            self.ended = True
            if self.client.ended:
                self.client.transport.close()
            else:
                self.client.transport.write_eof()

    def eof_received(self) -> bool:
        if not self.ended:
            reset(self.client.transport)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        if error or not self.ended:
            reset(self.client.transport)
        else:
            self.client.transport.close()

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

    def __init__(self, make: Callable[..., asyncio.Protocol] = Plain) -> None:
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
