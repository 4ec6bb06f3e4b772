"""The worker of ``reload-without-loss``: it serves ``shop:app`` at a socket that it inherits.

    python shop_worker.py DESCRIPTOR FOLDER

The application is imported from the folder as it is at that moment. ``ready`` on standard output
tells that it is there. One request for each connection, a thread for each: so what was accepted
before SIGTERM is answered, whether its request had come by then or not.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from handmade.blocking import STEPS
from handmade.connection import Connection
from handmade.service import Service
from handmade.waiting import READ, WRITE, wait
from handmade.wire import Phase

LOOKS = 0.05  # seconds between two looks at whether to stop
LIFE = 30.0  # seconds: whatever its supervisor forgets, it ends


def answer(sock: socket.socket, app: Any) -> None:
    """Answer one request, and close."""
    with sock, suppress(OSError):
        service = Service(app)
        gateway = service.gateway(sock, multithread=True)
        client = Connection(sock, sock.getpeername(), gateway, service, lambda: True)
        while client.phase is not Phase.CLOSED:
            if not wait(sock, WRITE if client.phase is Phase.WRITING else READ, 5.0):
                return
            STEPS[client.phase](client)
            while (request := client.next_request()) is not None:
                client.respond(request)


def serve(listener: socket.socket, app: Any, goes_on: Any) -> None:
    """Accept as long as it goes on, and finish what was accepted."""
    threads = []
    while goes_on():
        if not select.select([listener], [], [], LOOKS)[0]:
            continue
        with suppress(BlockingIOError):  # another worker was faster
            sock = listener.accept()[0]
            sock.setblocking(False)
            threads.append(threading.Thread(target=answer, args=(sock, app), daemon=True))
            threads[-1].start()
    for thread in threads:
        thread.join()


def main(descriptor: int, folder: str) -> None:
    """Import, tell so, and serve until SIGTERM, or until the supervisor's process is gone."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.set())
    parent, end = os.getppid(), time.monotonic() + LIFE
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)
    sys.dont_write_bytecode = True
    sys.path.insert(0, folder)
    try:
        import shop  # type: ignore[import-not-found]  # the check writes it
    except Exception:  # the check knows why
        sys.exit(1)
    print("ready", flush=True)
    serve(
        listener, shop.app,
        lambda: not stopping.is_set() and os.getppid() == parent and time.monotonic() < end,
    )  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
