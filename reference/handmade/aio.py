"""The shell on asyncio, or on uvloop where that is asked for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .asgi import Exchange
from .async_shell import AsyncShell
from .async_wire import AsyncWire
from .gateway import logger
from .service import Service
from .tls_transport import TlsTransport

RECEIVE_SIZE = 65536


class Asyncio(AsyncShell):
    """Serve on an asyncio event loop; ``loop_factory`` makes it, uvloop's for example."""

    def __init__(
        self,
        service: Service,
        connections: int = 10_000,
        lifespan: str = "auto",
        slow_callback: float | None = None,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        super().__init__(service, connections, lifespan, slow_callback)
        self._loop_factory = loop_factory
        self._connecting: set[asyncio.Task[Any]] = set()

    def serve(self, listener: socket.socket, ready: Callable[[], object] = lambda: None) -> None:
        """Serve until stopped, in the calling thread; close the listener and every client.

        Raise LifespanFailed when the application cannot start up.
        """
        with asyncio.Runner(loop_factory=self._loop_factory) as runner:
            runner.run(self.main(runner.get_loop(), listener, ready))

    def run(self, exchange: Exchange) -> None:
        """Run an application in a task of its own: ``create_task``, without its detours.

        The name is one for all, for to make up a new one takes longer than it should.
        """
        self.tell_of_tls(exchange)
        context = self._context.copy()
        exchange.task = asyncio.Task(
            exchange.run(), loop=self.loop, name="request", context=context
        )

    def connect(self, sock: socket.socket, protocol: AsyncWire | TlsTransport) -> None:
        """Let asyncio make the transport.

        asyncio sets TCP_NODELAY where a socket names TCP as its protocol, and those of
        ``socket.create_server`` name 0.  Without it the second of two writes may wait 40 ms for
        the client's acknowledgement of the first.
        """
        with suppress(OSError):  # some systems refuse it on a socket that is already reset
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self.loop.create_task(self._connect(sock, protocol))
        self._connecting.add(task)  # the loop alone would not keep it alive
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, sock: socket.socket, protocol: AsyncWire | TlsTransport) -> None:
        """Make the transport of a socket that was accepted."""
        try:
            transport, _ = await self.loop.connect_accepted_socket(lambda: protocol, sock)
        except OSError as error:  # some systems refuse options on a socket that is already reset
            logger.debug("a client was gone before it could be served: %s", error)
            sock.close()
            self.closed(protocol)
            return
        if hasattr(transport, "max_size"):
            # asyncio reads into a new buffer of 256 KiB each time, which costs more than to read.
            transport.max_size = RECEIVE_SIZE
