# trips: never more than its threads
from __future__ import annotations

import socket
from threading import Semaphore, Thread
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
    free = Semaphore(threads)

    def work(sock: socket.socket) -> None:
        try:
            serve_client(sock, app)
        except OSError:
            pass
        finally:
            free.release()

    while True:
        sock, _ = listener.accept()
        free.acquire()
        Thread(target=work, args=(sock,), daemon=True).start()
