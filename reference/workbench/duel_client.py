"""A client of `workbench.duel`, as a program: calm or greedy, one connection, one request.

    python -I duel_client.py PORT calm      # ask now and then; print the waits, as JSON
    python -I duel_client.py PORT greedy    # ask and ask, until the server closes; print the rate

One answer is taken for what one read brings: the servers in a duel are tiny. It imports little, so
it starts fast.
"""

from __future__ import annotations

import socket
import sys
import time

REQUEST = b"GET /posts HTTP/1.1\r\nHost: board.example\r\n\r\n"
TIMES, PAUSE = 12, 0.008  # how often the calm one asks, and the seconds in between
CALM = 0.25  # seconds that it waits for an answer; then it gives up
MOST = 6.0  # seconds that the greedy one goes on, at most


def calm(sock: socket.socket) -> list[float]:
    """Ask now and then; return the seconds that each answer took, up to the first that is late."""
    sock.settimeout(CALM)
    waits = []
    for _ in range(TIMES):
        asked = time.monotonic()
        sock.sendall(REQUEST)
        try:
            sock.recv(1000)
        except TimeoutError:
            break
        waits.append(time.monotonic() - asked)
        time.sleep(PAUSE)
    return waits


def greedy(sock: socket.socket) -> float:
    """Ask, and ask again; return the answers per second."""
    answers, began = 0, time.monotonic()
    try:
        while time.monotonic() - began < MOST:
            sock.sendall(REQUEST)
            if not sock.recv(1000):
                break
            answers += 1
    except OSError:  # the server was cut off in the middle
        pass
    return answers / (time.monotonic() - began)


if __name__ == "__main__":
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), MOST) as connected:
        print({"calm": calm, "greedy": greedy}[sys.argv[2]](connected))
