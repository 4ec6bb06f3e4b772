"""The worker of ``reload-without-loss``: it serves ``shop:app`` at a socket that it inherits.

    python -I -S shop_worker.py DESCRIPTOR FOLDER

The application is imported from the folder as it is at that moment. ``ready`` on standard output
tells that it is there. One request for each connection, a thread for each: so what was accepted
before SIGTERM is answered, whether its request had come by then or not.

It reads of a request what the check needs and imports little, for a check starts fifteen of these.
"""

import os
import select
import signal
import socket
import sys
import threading
import time

LOOKS = 0.02  # seconds between two looks at whether to stop
LIFE = 30.0  # seconds: whatever its supervisor forgets, it ends
PATIENCE = 5.0  # seconds for a request to come


def answer(sock: socket.socket, app):  # type: ignore[no-untyped-def]  # typing takes time to import
    """Answer one request without a body, and close."""
    with sock:
        try:
            sock.settimeout(PATIENCE)
            head = b""
            while b"\r\n\r\n" not in head:
                if not (data := sock.recv(65536)):
                    return
                head += data
            method, path, _ = head.decode("latin-1").split(" ", 2)
            begun: list[tuple[str, list[tuple[str, str]]]] = []
            environ = {"REQUEST_METHOD": method, "PATH_INFO": path}
            body = b"".join(app(environ, lambda status, fields: begun.append((status, fields))))
            status, fields = begun[0]
            fields = [*fields, ("Content-Length", str(len(body))), ("Connection", "close")]
            lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields)]
            sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        except OSError:
            return  # the client has left


def serve(listener: socket.socket, app, goes_on) -> None:  # type: ignore[no-untyped-def]  # as above
    """Accept as long as it goes on, and finish what was accepted."""
    threads = []
    while goes_on():
        if not select.select([listener], [], [], LOOKS)[0]:
            continue
        try:
            sock = listener.accept()[0]
        except BlockingIOError:
            continue  # another worker was faster
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

    def goes_on() -> bool:
        return not stopping.is_set() and os.getppid() == parent and time.monotonic() < end

    serve(listener, shop.app, goes_on)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
