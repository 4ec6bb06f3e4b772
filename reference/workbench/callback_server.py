"""The board's slow and CPU routes on a selector and callbacks: no thread, no task, no coroutine.

This is the third server of chapter 08 with HTTP around it.  Beside each socket lies the function to
be called when it can be read: the listener's, a client's, and the connection to the upstream's.
One request is spread over three of them, and what they must remember stands in ``Client``.

Run it with ``python -m workbench.callback_server --port 8000``; BOARD_UPSTREAM names the upstream.
"""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from urllib.parse import parse_qs, urlsplit

from handmade.events import Data, End, PeerError, Request, Response
from handmade.http1 import Connection
from handmade.waiting import listen
from workbench.board.page import as_json
from workbench.board.work import burn
from workbench.small_client import SmallClient, content_of, question

Call = Callable[[], None]


class Server:
    """One thread, one selector, a callback beside each socket."""

    def __init__(self, listener: socket.socket, upstream: str) -> None:
        self.selector = DefaultSelector()
        self.upstream = SmallClient(upstream)
        self.idle: list[socket.socket] = []  # connections to the upstream
        self.listener = listener
        listener.setblocking(False)
        self.selector.register(listener, EVENT_READ, self.welcome)

    def run(self) -> None:
        """Wait for all, call whoever is due, again."""
        while True:
            for key, _ in self.selector.select():
                key.data()

    def welcome(self) -> None:
        """Take everybody who stands in line."""
        with suppress(BlockingIOError):
            while True:
                sock, _ = self.listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                Client(sock, self)


class Client:
    """One client, cut into pieces at the places where it waits: hear, ask, answered.

    Who sends no more has left, for this server.
    """

    def __init__(self, sock: socket.socket, server: Server) -> None:
        self.sock = sock
        self.server = server
        self.engine = Connection()
        self.asked = False  # the upstream, which has not answered yet
        self.milliseconds = 0.0  # of work, when the wait is over
        self.request: Request
        self.upstream: socket.socket
        self.buf = bytearray()  # what has come of the upstream's answer
        sock.setblocking(False)
        server.selector.register(sock, EVENT_READ, self.hear)

    def hear(self) -> None:
        """Be called when the client has sent something."""
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.leave()
            return
        self.engine.receive(data)
        if not self.asked:
            self.go_on()

    def go_on(self) -> None:
        """Begin with every request that has come, until one of them must wait."""
        try:
            while not self.asked:
                event = self.engine.next_event()
                if isinstance(event, Request):
                    self.request = event
                elif isinstance(event, End):
                    self.begin(self.request)
                elif not isinstance(event, Data):  # more bytes are needed
                    return
        except (PeerError, OSError):
            self.leave()

    def begin(self, request: Request) -> None:
        """Answer a request, or ask the upstream first."""
        target = urlsplit(request.target.decode("latin-1"))
        query = parse_qs(target.query)
        self.milliseconds = float(query.get("ms", ["50" if target.path == "/cpu" else "0"])[-1])
        if target.path == "/slow":
            self.ask(float(query.get("wait", ["0.1"])[-1]))
        elif target.path == "/cpu":
            rounds = burn(self.milliseconds)
            self.answer(as_json({"ms": self.milliseconds, "rounds": rounds}))
        else:
            self.answer(as_json([]))

    def ask(self, wait: float) -> None:
        """Ask the upstream, and leave a callback."""
        idle, upstream = self.server.idle, self.server.upstream
        self.upstream = idle.pop() if idle else upstream.connect()
        self.upstream.sendall(question(upstream.host, "/", {"wait": wait}))
        self.asked = True
        self.server.selector.register(self.upstream, EVENT_READ, self.answered)

    def answered(self) -> None:
        """Be called when the upstream has sent something."""
        data = self.upstream.recv(65536)
        self.buf += data
        content = content_of(self.buf)
        if content is None and data:
            return
        self.server.selector.unregister(self.upstream)
        self.asked = False
        self.buf.clear()
        if content is None:
            self.leave()
            return
        self.server.idle.append(self.upstream)
        burn(self.milliseconds)
        self.answer(content)
        self.go_on()

    def answer(self, content: bytes) -> None:
        """Send an answer. It is short, so we do not wait for room."""
        if self.sock.fileno() < 0:
            return
        fields = (
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
        )
        parts = (Response(200, fields), Data(content), End())
        with suppress(OSError):  # the client has left: `hear` will be told
            self.sock.sendall(b"".join([self.engine.send(part) for part in parts]))
        if self.engine.must_close:
            self.leave()

    def leave(self) -> None:
        """Be done with a client; an answer of the upstream may still come for it."""
        if self.sock.fileno() >= 0:
            self.server.selector.unregister(self.sock)
            self.sock.close()


def main() -> None:
    """Be the program."""
    parser = argparse.ArgumentParser(prog="callback_server", description="A board of callbacks.")
    parser.add_argument("--port", type=int, default=8000)
    listener = listen("127.0.0.1", parser.parse_args().port)
    with suppress(KeyboardInterrupt):
        Server(listener, os.environ.get("BOARD_UPSTREAM", "")).run()


if __name__ == "__main__":
    main()
