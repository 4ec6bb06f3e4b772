"""The greedy client of `workbench.duel`, as a program: ask again as soon as there is an answer.

    python -I duel_greedy.py PORT

It goes on until the server closes, or for some seconds at most, and prints how many answers a
second it got. One answer is taken for what one read brings: the servers in a duel are tiny.
"""

from __future__ import annotations

import socket
import sys
import time

REQUEST = b"GET /posts HTTP/1.1\r\nHost: board.example\r\n\r\n"
MOST = 6.0  # seconds


def main() -> None:
    """Ask, and ask again."""
    answers, began = 0, time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1])), MOST) as sock:
            while time.monotonic() - began < MOST:
                sock.sendall(REQUEST)
                if not sock.recv(1000):
                    break
                answers += 1
    except OSError:  # the server was cut off in the middle
        pass
    print(answers / (time.monotonic() - began))


if __name__ == "__main__":
    main()
