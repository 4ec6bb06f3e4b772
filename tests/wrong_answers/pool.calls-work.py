# trips: one client
from __future__ import annotations

import socket
from queue import SimpleQueue
from threading import Thread
from typing import Any

from handmade.blocking import STEPS
from handmade.connection import Connection
from handmade.service import Service
from handmade.waiting import READ, WRITE, wait
from handmade.wire import Phase


def serve_client(sock: socket.socket, app: Any) -> None:
    """Talk with one client until it leaves."""
    with sock:
        service = Service(app)
        gateway = service.gateway(sock, multithread=True)
        client = Connection(sock, sock.getpeername(), gateway, service)
        while client.phase is not Phase.CLOSED:
            wait(sock, WRITE if client.phase is Phase.WRITING else READ, 60)
            STEPS[client.phase](client)
            while (request := client.next_request()) is not None:
                client.respond(request)


def serve(listener: socket.socket, app: Any, threads: int) -> None:
    """Serve clients with so many threads, and no more."""
    clients: SimpleQueue[socket.socket] = SimpleQueue()

    def work() -> None:
        while True:
            try:
                serve_client(clients.get(), app)
            except OSError:
                continue  # it hung up; the thread goes on

    for _ in range(threads):
        Thread(target=work(), daemon=True).start()
    while True:
        clients.put(listener.accept()[0])
