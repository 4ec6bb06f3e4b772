# trips: who stands in line
from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from typing import Any

from handmade.blocking import STEPS
from handmade.connection import Connection
from handmade.events import Request
from handmade.service import Service
from handmade.waiting import READ, WRITE, wait
from handmade.wire import Phase


class Client:
    """One client, and what can be done with it."""

    def __init__(self, sock: socket.socket, app: Any, stopping: Callable[[], bool]) -> None:
        service = Service(app)
        gateway = service.gateway(sock, multithread=True)
        self.socket = sock
        self.connection = Connection(sock, sock.getpeername(), gateway, service, stopping)

    @property
    def gone(self) -> bool:
        """True when there is nobody to talk with any more."""
        return self.connection.phase is Phase.CLOSED

    @property
    def sending(self) -> bool:
        """True while the end of an answer is still to be sent."""
        return self.connection.phase is Phase.WRITING

    def request_within(self, seconds: float) -> Request | None:
        """Wait for a request, for so long; return None when none has come."""
        request = self.connection.next_request()
        what = WRITE if self.connection.phase is Phase.WRITING else READ
        if request is None and not self.gone and wait(self.socket, what, seconds):
            STEPS[self.connection.phase](self.connection)
            request = self.connection.next_request()
        return request

    def answer(self, request: Request) -> None:
        """Run the application and answer."""
        self.connection.respond(request)


class GracefulServer:
    """Serve each client in a thread, until somebody calls ``stop``."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.stopping = Event()
        self.threads: list[Thread] = []

    def stop(self) -> None:
        """Stop: finish what has been asked."""
        self.stopping.set()

    def serve(self, listener: socket.socket) -> None:
        """Serve until stopped."""
        listener.settimeout(0.05)
        while not self.stopping.is_set():
            with suppress(TimeoutError):
                self.begin(*listener.accept())
        listener.settimeout(0)
        with suppress(BlockingIOError):
            while True:  # who stands in line has come before the stop
                self.begin(*listener.accept())
        listener.close()
        for thread in self.threads:
            thread.join()

    def begin(self, sock: socket.socket, address: object) -> None:
        """Start a thread for a client."""
        self.threads.append(Thread(target=self.talk, args=(sock,), daemon=True))
        self.threads[-1].start()

    def talk(self, sock: socket.socket) -> None:
        """Answer one client's requests, until it leaves, or we stop and it is idle."""
        with sock, suppress(OSError):
            client = Client(sock, self.app, self.stopping.is_set)
            while not client.gone and not self.stopping.is_set():
                request = client.request_within(0.05)
                if request is not None:
                    client.answer(request)
                elif self.stopping.is_set() and not client.sending:
                    break
