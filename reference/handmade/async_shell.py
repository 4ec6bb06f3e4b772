"""What the asynchronous shells share: start up, accept, keep the deadlines, stop.

A loop is handed in; ``aio`` brings asyncio's, ``loop_shell`` the one made by hand.  Of a loop we
use ``create_future``, ``create_task``, ``call_soon``, ``call_soon_threadsafe``, ``call_later``,
``add_reader`` and ``remove_reader``, by asyncio's names.  All clients, all applications and this
shell take turns in one thread, so nothing here needs a lock.
"""

from __future__ import annotations

import contextvars
import socket
import time
from collections.abc import Callable
from typing import Any

from .asgi import Exchange, Gateway
from .asgi_scope import Server
from .async_wire import AsyncWire
from .gateway import Bell, HttpDate, logger
from .lifespan import Life, Lifespan
from .protocol_choice import Newcomer
from .service import Service
from .tls_transport import TlsTransport
from .waiting import let_nobody_in
from .watchdog import Watchdog

SWEEP = 1.0  # seconds between two looks at the deadlines: no timer per request
SHORT_SWEEP = 0.05  # the same while we stop
CLEAN_UP = 0.5  # seconds for applications that are cancelled


class AsyncShell:
    """Serve at most ``connections`` clients with one ASGI application, all in one thread.

    Clients beyond that wait in the kernel's backlog until one of ours leaves.  ``lifespan``:
    "auto", "on" (an application without it is a mistake) or "off".  ``slow_callback``: seconds
    after which the log tells who holds the loop.
    """

    def __init__(
        self,
        service: Service,
        connections: int = 10_000,
        lifespan: str = "auto",
        slow_callback: float | None = None,
    ) -> None:
        self.service = service
        if service.tls is not None:
            service.tls.offer("h2", "http/1.1")
        self.connections = connections
        self.lifespan = lifespan
        self.slow_callback = slow_callback
        self.loop: Any = None
        self.stopping = False
        self.idle = service.timeouts.idle
        self._stops = 0
        self._open: set[AsyncWire | TlsTransport] = set()
        self._coming = 0  # those, and who has been accepted and has no transport yet
        self._accepting = False
        self._last_word = 0.0
        self._sweep_timer: Any = None

    def stop(self) -> None:
        """Stop: accept nobody new, finish what has been asked.  Twice: drop it.

        Safe in a signal handler and from any thread.
        """
        self._stops += 1
        if self.loop is not None:
            try:
                self.loop.call_soon_threadsafe(self._wake)
            except RuntimeError:  # it has stopped meanwhile: the loop is closed
                pass

    def _wake(self) -> None:
        """Notice a stop, inside the loop; nobody waits for a start-up then."""
        self.bell.ring()
        if self._life.life is Life.STARTING:
            self._life.hurry("before it was stopped")
        elif self._stops > 1:
            self._life.hurry("before it was stopped again")

    # ------------------------------------------------------------ from start to end

    async def main(
        self, loop: Any, listener: socket.socket, ready: Callable[[], object] = lambda: None
    ) -> None:
        """Serve until stopped; raise LifespanFailed when the application cannot start up."""
        self.loop, self.listener = loop, listener
        self.bell = Bell(loop.create_future)
        self._context = contextvars.copy_context()
        lifespan = self._life = Lifespan(self.service.app, loop, wanted=self.lifespan == "on")
        watchdog = Watchdog(loop, self.slow_callback) if self.slow_callback else None
        try:
            if self.lifespan != "off":
                await lifespan.startup(self.service.timeouts.startup)
            self.gateway = self._make_gateway(lifespan)
            self._accept_more(True)
            self._sweep()
            ready()
            while not self._stops:
                await self.bell.wait()
            await self._drain()
            await self._cut()
            await lifespan.shutdown(self.service.timeouts.shutdown)
        finally:
            if watchdog is not None:
                watchdog.close()
            self._accept_more(False)
            self.listener.close()

    def _make_gateway(self, lifespan: Lifespan) -> Gateway:
        """Return the gateway for the listening socket."""
        address = self.listener.getsockname()
        server = Server(
            address=tuple(address[:2]) if isinstance(address, tuple) else None,
            scheme=self.service.scheme,
            root_path=self.service.script_name,
            state=lifespan.state if lifespan.life is Life.UP else None,
        )
        return Gateway(self.service.app, server, HttpDate(self.service.clock))

    def run(self, exchange: Exchange) -> None:
        """Run an application in a task of its own.

        The context is the shell's, not that of whoever completed the request: context variables
        that one request sets must not be seen by the next.
        """
        self.tell_of_tls(exchange)
        exchange.task = self.loop.create_task(exchange.run(), context=self._context.copy())

    def tell_of_tls(self, exchange: Exchange) -> None:
        """Put into the scope what the application may know of TLS, and nobody but a shell knows."""
        if self.service.tls is not None and (tls := getattr(exchange.channel, "tls", None)):
            exchange.scope["extensions"]["tls"] = tls.copy()

    # ------------------------------------------------------------ coming and going

    def opened(self, connection: AsyncWire | TlsTransport) -> None:
        """Count a client in; who was in line when we began to stop must not stay."""
        self._open.add(connection)
        if self.stopping:
            connection.ask_to_leave(self._last_word)

    def replaced(self, old: AsyncWire | TlsTransport, new: AsyncWire) -> None:
        """Note that a client speaks another protocol from now on."""
        self._open.discard(old)
        self._open.add(new)

    def closed(self, connection: AsyncWire | TlsTransport) -> None:
        """Count a client out, and make room for another one."""
        self._open.discard(connection)
        self._coming -= 1
        if not self._accepting and not self.stopping:
            self._accept_more(True)
        if self.stopping and not self._coming:
            self.bell.ring()

    def connect(self, sock: socket.socket, protocol: AsyncWire | TlsTransport) -> None:
        """Put a transport between an accepted socket and its protocol; each loop has its own."""
        raise NotImplementedError

    def _accept(self) -> None:
        """Accept all that wait in line, as far as there is room; when we stop, all of them."""
        while self.listener.fileno() >= 0 and (self._coming < self.connections or self.stopping):
            try:
                sock, _ = self.listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:  # out of files, most likely: the next sweep tries again
                logger.error("cannot accept a client: %s", error)
                break
            sock.setblocking(False)
            self._coming += 1
            self.connect(sock, self._make_protocol())
        self._accept_more(False)

    def _make_protocol(self) -> AsyncWire | TlsTransport:
        """Return what takes a client's bytes; with TLS the protocol comes after the handshake."""
        if self.service.tls is not None:
            return TlsTransport(self, lambda: Newcomer(self))
        return Newcomer(self)

    def _accept_more(self, accepting: bool) -> None:
        """Watch the listening socket, or look away from it."""
        if accepting != self._accepting:
            self._accepting = accepting
            if accepting:
                self.loop.add_reader(self.listener.fileno(), self._accept)
            else:
                self.loop.remove_reader(self.listener.fileno())

    def _sweep(self) -> None:
        """End what has taken too long, and look again a while later."""
        now = time.monotonic()
        for connection in list(self._open):
            connection.look(now)
        if not self._accepting and not self.stopping and self._coming < self.connections:
            self._accept_more(True)
        if self.stopping:
            self.bell.ring()  # an application may have ended behind its response
        seconds = SHORT_SWEEP if self.stopping else SWEEP
        self._sweep_timer = self.loop.call_later(seconds, self._sweep)

    # ------------------------------------------------------------ the end

    async def _drain(self) -> None:
        """Take who is in line, close the door, and wait for what is under way.

        A client whose request has just left must not find the door shut: an idle connection stays
        open for a moment, and what it sends is answered with ``Connection: close``.
        """
        timeouts = self.service.timeouts
        self.stopping, self.idle = True, timeouts.drain
        self._last_word = time.monotonic() + timeouts.drain
        if not self.service.multiprocess:  # or the others would hear nobody either
            let_nobody_in(self.listener)
        self._accept()
        self._accept_more(False)
        self.listener.close()
        for connection in list(self._open):
            connection.ask_to_leave(self._last_word)
        self._sweep_timer.cancel()
        self._sweep()
        self.loop.call_later(timeouts.graceful, self._out_of_patience)
        while (self._coming or self.gateway.running) and self._stops < 2:
            await self.bell.wait()

    def _out_of_patience(self) -> None:
        """Drop what is still under way."""
        self._stops += 1
        self._wake()

    async def _cut(self) -> None:
        """Cut off the clients, and cancel the applications that still run; they may tidy up."""
        for connection in list(self._open):
            connection.abort()
        for exchange in list(self.gateway.running):
            exchange.task.cancel()
        self.loop.call_soon(self.bell.ring)  # a turn for those, to notice
        await self.bell.wait()
        deadline = time.monotonic() + CLEAN_UP
        while self.gateway.running and time.monotonic() < deadline:
            await self.bell.wait()  # the sweep rings
        self._sweep_timer.cancel()
