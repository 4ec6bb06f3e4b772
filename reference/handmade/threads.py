"""The threaded shell: a pool of threads that take turns at the selector.

The pool follows the leader/followers pattern.  One thread, the leader, waits for the network on
behalf of all; when a client is ready the leader steps down, the next thread takes its place, and
the old leader serves the client.  So the thread that reads the end of a request also runs it, and
no request is handed from one thread to another.  A thread is spent on a request only while it runs:
clients that are idle or slow wait in the selector, as they do in ``blocking``, and cost memory
alone.
"""

from __future__ import annotations

import selectors
import threading
import time

from .blocking import OneAtATime
from .connection import Connection
from .events import Request
from .service import Service
from .wire import Phase


class Threads(OneAtATime):
    """Serve many clients with a pool of ``threads``, at most ``connections`` at a time.

    Selector and counters belong to the leader.  What the other threads touch of them, they touch
    in ``_lock``, which is held for a few instructions and never while anything waits.
    """

    def __init__(self, service: Service, threads: int = 8, connections: int = 1000) -> None:
        super().__init__(service, connections)
        self.threads = threads
        self.multithread = threads > 1
        self._leader = threading.Lock()
        self._lock = threading.RLock()

    def _run(self) -> None:
        """Start the pool and wait for it; signals reach the calling thread meanwhile.

        A thread cannot be ended from outside: one that runs an application after a second stop, or
        after the graceful time, is a daemon and is left behind when the process ends.
        """
        pool = [
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True)
            for number in range(self.threads)
        ]
        for thread in pool:
            thread.start()
        for thread in pool:
            while thread.is_alive() and self._stops < 2 and time.monotonic() < self._give_up_at:
                thread.join(0.05 if self._stops else 1.0)

    def _work(self) -> None:
        """Lead until a request is ready, serve it, and stand in line again."""
        while (found := self._next()) is not None:
            self._serve(*found)

    def _next(self) -> tuple[Connection, Request] | None:
        """Return a request that is ready to run, and its client, as the leader of the pool."""
        with self._leader:
            return super()._next()

    def _take(self, connection: Connection) -> None:
        """Put a ready client in line, unless a thread has it already."""
        with self._lock:
            if connection.phase is Phase.CLOSED:
                return  # a thread was through with it while the selector was still telling us
            if not connection.busy:
                super()._take(connection)
            elif connection.watched:
                # It sends on while it is served.  Looking away is cheaper than looking each time.
                self._selector.unregister(connection.socket)
                connection.watched = 0

    def _return(self, connection: Connection) -> None:
        """Let the selector watch a client again."""
        with self._lock:
            super()._return(connection)
        self._notice()

    def _accept_more(self, accepting: bool) -> None:
        """Watch the listening socket, or look away from it."""
        with self._lock:
            super()._accept_more(accepting)
        self._notice()

    def _notice(self) -> None:
        """Make the leader see a change where the system's selector cannot: ``select`` copies."""
        if isinstance(self._selector, selectors.SelectSelector):
            self._waker.wake()
