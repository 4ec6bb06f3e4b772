# trips: every byte
from __future__ import annotations

import socket
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector, DefaultSelector

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"


def answers(buf: bytes) -> tuple[bytes, bytes]:
    """Return one answer for each whole head, and the bytes that are left."""
    *heads, rest = buf.split(b"\r\n\r\n")
    return ANSWER * len(heads), rest


class Client:
    """One client: what has come from it, and what it has yet to get."""

    def __init__(self, sock: socket.socket, selector: BaseSelector) -> None:
        self.sock, self.selector = sock, selector
        self.buf = b""  # the beginning of its next request
        self.out = bytearray()  # of the answers: what the network did not take yet
        selector.register(sock, EVENT_READ, self.turn)

    def turn(self, events: int) -> None:
        """Do what the selector says that can be done."""
        try:
            if events & EVENT_READ:
                self.hear()
            if self.out:
                self.send()
        except BlockingIOError:
            pass
        except OSError:
            self.leave()

    def hear(self) -> None:
        """Take what has come, and note the answers."""
        data = self.sock.recv(1000)
        if not data:
            raise ConnectionAbortedError("the client has left")
        out, self.buf = answers(data)
        self.out += out

    def send(self) -> None:
        """Send what the network takes; ask for more room only as long as something is left."""
        try:
            del self.out[: self.sock.send(self.out)]
        finally:
            self.selector.modify(
                self.sock, EVENT_READ | EVENT_WRITE if self.out else EVENT_READ, self.turn
            )

    def leave(self) -> None:
        """Forget the client."""
        self.selector.unregister(self.sock)
        self.sock.close()


def serve(listener: socket.socket) -> None:
    """Welcome clients, and give each its turns."""
    selector = DefaultSelector()

    def welcome(events: int) -> None:
        sock, _ = listener.accept()
        sock.setblocking(False)
        Client(sock, selector)

    selector.register(listener, EVENT_READ, welcome)
    while True:
        for key, events in selector.select():
            key.data(events)
