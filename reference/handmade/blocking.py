"""The simplest shell: one thread, one request at a time.

A shell owns the waiting: it accepts clients, keeps the deadlines, and stops when it is told to.
This one has a single thread.  While an application runs, everybody else waits; while none runs,
it waits for all its clients at once, so that one who is idle, or slow with a head, or slow to take
the end of a response, holds up nobody.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Callable

from .connection import Connection
from .events import Request
from .gateway import logger
from .service import Service
from .waiting import Waker, let_nobody_in
from .wire import Phase

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
SWEEP = 1.0  # seconds between two looks at the deadlines: no timer per request
SHORT_SWEEP = 0.05  # the same while we stop and everybody waits for the last one


class OneAtATime:
    """Serve at most ``connections`` clients, one request after the other, in the calling thread.

    Clients beyond that wait in the kernel's backlog until one of ours leaves.
    """

    multithread = False

    def __init__(self, service: Service, connections: int = 1000) -> None:
        self.service = service
        self.connections = connections
        self._selector = selectors.DefaultSelector()
        self._waker = Waker()
        self._ready: deque[Connection] = deque()
        self._open: set[Connection] = set()
        self._stops = 0
        self._accepting = False
        self._draining = False
        self._next_sweep = 0.0
        self._give_up_at = float("inf")
        self._drained_at = float("inf")

    def stop(self) -> None:
        """Stop: accept nobody new, finish what has been asked.  Twice: drop it."""
        self._stops += 1
        self._waker.wake()

    def serve(self, listener: socket.socket, ready: Callable[[], object] = lambda: None) -> None:
        """Serve until stopped; close the listener and every client.

        ``ready`` is called when the first client can be served.
        """
        self._listener = listener
        self._gateway = self.service.gateway(listener, multithread=self.multithread)
        self._selector.register(self._waker.reader, READ)
        self._accept_more(True)
        try:
            ready()
            self._run()
        finally:
            for connection in list(self._open):
                connection.socket.close()
            listener.close()
            self._selector.close()
            self._waker.close()

    def _run(self) -> None:
        """Wait, and serve who is ready, until all is done."""
        while (found := self._next()) is not None:
            self._serve(*found)

    def _next(self) -> tuple[Connection, Request] | None:
        """Return a request that is ready to run, and its client; None when all is done."""
        while True:
            while self._ready:
                connection = self._ready.popleft()
                request = self._attend(connection, _step)
                if request is not None:
                    return connection, request
                self._return(connection)
            if self._finished():
                return None
            self._watch()

    def _serve(self, connection: Connection, request: Request) -> None:
        """Answer a request, and those of its client that have come behind it."""
        self._attend(connection, lambda connection: _answer(connection, request))
        self._return(connection)

    def _attend(
        self, connection: Connection, work: Callable[[Connection], Request | None]
    ) -> Request | None:
        """Do some work for a client; what goes wrong there, by a mistake of ours, ends only it."""
        try:
            return work(connection)
        except Exception:
            logger.exception("the server failed on a connection")
            connection.abort()
            return None

    # ------------------------------------------------------------ waiting for the network

    def _watch(self) -> None:
        """Wait for the network once, and note which clients are ready."""
        for key, _ in self._selector.select(SHORT_SWEEP if self._stops else SWEEP):
            if key.data is not None:
                self._take(key.data)
            elif key.fileobj is self._listener:
                self._accept()
            else:
                self._waker.clear()
        if self._stops and not self._draining:
            self._drain()
        if time.monotonic() >= self._next_sweep:
            self._sweep()

    def _take(self, connection: Connection) -> None:
        """Put a ready client in line."""
        connection.busy = True
        self._ready.append(connection)

    def _return(self, connection: Connection) -> None:
        """Let the selector watch a client again, for what its phase waits for."""
        connection.busy = False
        if connection.phase is Phase.CLOSED:
            self._forget(connection)
            return
        wanted = WRITE if connection.wants_write else READ
        if connection.watched != wanted:
            change = self._selector.modify if connection.watched else self._selector.register
            change(connection.socket, wanted, connection)
            connection.watched = wanted

    def _forget(self, connection: Connection) -> None:
        """Close a client's socket, and make room for another one."""
        if connection.watched:
            self._selector.unregister(connection.socket)
            connection.watched = 0
        self._open.discard(connection)
        connection.socket.close()
        if not self._accepting and not self._stops:
            self._accept_more(True)

    # ------------------------------------------------------------ coming, going, running late

    def _accept(self) -> None:
        """Accept all that wait in line, as far as there is room; when we stop, all of them."""
        while self._draining or len(self._open) < self.connections:
            try:
                sock, address = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:  # out of files, most likely: the next sweep tries again
                logger.error("cannot accept a client: %s", error)
                break
            connection = Connection(
                sock, address[:2], self._gateway, self.service, self._is_stopping
            )
            self._open.add(connection)
            self._return(connection)
        self._accept_more(False)

    def _accept_more(self, accepting: bool) -> None:
        """Watch the listening socket, or look away from it."""
        if accepting != self._accepting:
            self._accepting = accepting
            if accepting:
                self._selector.register(self._listener, READ)
            else:
                self._selector.unregister(self._listener)

    def _sweep(self) -> None:
        """End what has taken too long."""
        now = time.monotonic()
        self._next_sweep = now + (SHORT_SWEEP if self._stops else SWEEP)
        for connection in list(self._open):
            if not connection.busy and now > min(connection.deadline, self._last_word(connection)):
                self._attend(connection, Connection.overdue)
                self._return(connection)
        if not self._stops and len(self._open) < self.connections:
            self._accept_more(True)

    def _drain(self) -> None:
        """Begin to stop: take who is in line, close the door, give idle clients a last word.

        A client whose request has just left must not find the door shut: an idle connection stays
        open for a moment, and what it sends is answered with ``Connection: close``.
        """
        self._draining = True
        now = self._next_sweep = time.monotonic()
        self._give_up_at = now + self.service.timeouts.graceful
        if not self.service.multiprocess:  # or the others would hear nobody either
            let_nobody_in(self._listener)
        self._accept()
        self._accept_more(False)
        self._listener.close()
        self._drained_at = now + self.service.timeouts.drain

    def _last_word(self, connection: Connection) -> float:
        """Return until when an idle client may still ask, also one that becomes idle only now."""
        idle = connection.phase is Phase.READING and connection.engine.between_requests
        return self._drained_at if idle else float("inf")

    def _is_stopping(self) -> bool:
        """True from the first call of ``stop``."""
        return self._stops > 0

    def _finished(self) -> bool:
        """True when a second stop, a time-out, or nothing more to do ends it."""
        late = self._stops and time.monotonic() > self._give_up_at
        return self._stops > 1 or bool(late) or (self._draining and not self._open)


def _step(connection: Connection) -> Request | None:
    """Do what a client's phase has waited for; return a request that is now ready to run."""
    STEPS[connection.phase](connection)
    request = connection.next_request()
    if request is None and time.monotonic() > connection.deadline:
        connection.overdue()  # who sends a byte now and then is busy whenever a sweep looks
    return request


def _answer(connection: Connection, request: Request | None) -> None:
    """Answer a request, and all that are complete behind it."""
    while request is not None:
        connection.respond(request)
        request = connection.next_request()


STEPS: dict[Phase, Callable[[Connection], object]] = {
    Phase.READING: Connection.read,
    Phase.WRITING: Connection.flush,
    Phase.LINGERING: Connection.discard,
}
