"""A line that is long, or loses something, on one machine: relays between a client and a server.

    with Relay(server.address, delay=0.015) as relay:
        ...                                     # connect to relay.address instead

Bytes come in, and the same bytes go out ``delay`` seconds later, in order, in both directions. A
connection's first bytes wait two delays more: on a real line the TCP handshake would have taken
that long, and on loopback it takes none.

**Loss.** TCP repairs a loss by itself, and no program between two sockets can take a segment away.
So `Relay` *models* one: a piece (1,200 bytes at most) that comes from the server is held back
for ``repair`` seconds, the time that noticing and sending again would take, and *all that comes
behind it on its connection* waits, as a kernel keeps what arrives behind a gap. `UdpRelay` needs no
model: what it loses is lost, and QUIC, which is made of datagrams, has to notice it.

Each runs in a thread of its own, on this machine alone, and is gone at the end of the block.
"""

from __future__ import annotations

import heapq
import itertools
import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Self

HOST = "127.0.0.1"
PIECE = 1200  # bytes: about what fits into one packet
FULL = 600
LONGEST = 60.0  # seconds that a relay lives, whatever happens
Address = tuple[str, int]


class _Line:
    """A thread with a selector, and things to be done later."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.lost = 0
        """How many pieces were lost so far."""
        self._lose = 0  # how many pieces until one is lost; 0: none will be
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()
        self._selector = selectors.DefaultSelector()
        self._near, self._far = socket.socketpair()
        self._selector.register(self._far, selectors.EVENT_READ, self._wake)
        self._socks = [self._far]  # to be closed at the end
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped = True
        self._near.send(b"!")
        self._thread.join(5.0)
        self._near.close()

    def lose(self, number: int) -> None:
        """Lose one piece that comes from the server: 1 is the next one, and so on.

        Counted are those of FULL bytes and more: an acknowledgement that is lost hurts nobody.
        """
        self._lose = number

    def _is_lost(self, piece: bytes) -> bool:
        if not self._lose or len(piece) < FULL:
            return False
        self._lose -= 1
        self.lost += not self._lose
        return not self._lose

    def _later(self, when: float, do: Callable[[], object]) -> None:
        heapq.heappush(self._due, (when, next(self._count), do))

    def _wake(self, sock: socket.socket) -> None:
        sock.recv(1)

    def _run(self) -> None:
        end = time.monotonic() + LONGEST
        while not self._stopped and time.monotonic() < end:
            wait = min(self._due[0][0] - time.monotonic() if self._due else 1.0, 1.0)
            for key, _ in self._selector.select(max(wait, 0.0)):
                with suppress(OSError):
                    key.data(key.fileobj)
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                with suppress(OSError):  # one side has left: what comes now reaches nobody
                    heapq.heappop(self._due)[2]()
        self._selector.close()
        for sock in self._socks:
            sock.close()


class Relay(_Line):
    """TCP connections to a server, each way ``delay`` seconds long.

    ``repair`` is how many seconds a lost piece comes late; by default three delays. The news that
    something is missing needs one, the second attempt another one; the third stands for the packets
    that must come behind a gap before TCP believes in it (RFC 5681 §3.2).
    """

    def __init__(self, server: Address, delay: float = 0.0, repair: float | None = None) -> None:
        super().__init__(delay)
        self.repair = 3 * delay if repair is None else repair
        self._server = server
        self._listener = socket.create_server((HOST, 0), backlog=64)
        self._listener.setblocking(False)
        self._socks.append(self._listener)
        self.address: Address = self._listener.getsockname()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def _accept(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        self._socks.append(client)
        server = socket.create_connection(self._server, 2.0)
        self._socks.append(server)
        began = time.monotonic()
        _Way(self, client, server, began + 2 * self.delay, False)
        _Way(self, server, client, began, True)


class _Way:
    """One direction of one connection."""

    def __init__(
        self, line: Relay, source: socket.socket, target: socket.socket, ready: float, back: bool
    ) -> None:
        self._line, self._source, self._target, self._back = line, source, target, back
        self._ready = ready  # nothing of this direction leaves the line earlier
        for sock in (source, target):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(2.0)  # for a client that reads nothing: a relay does not wait for ever
        line._selector.register(source, selectors.EVENT_READ, self._read)

    def _read(self, source: socket.socket) -> None:
        line = self._line
        try:
            data = source.recv(1 << 16)
        except OSError:
            data = b""
        now = time.monotonic()
        for at in range(0, len(data), PIECE):
            piece = data[at : at + PIECE]
            lost = self._back and line._is_lost(piece)
            self._ready = max(self._ready, now) + (line.repair if lost else 0.0)
            line._later(self._ready + line.delay, partial(self._target.sendall, piece))
        if not data:
            line._selector.unregister(source)
            line._later(max(self._ready, now) + line.delay, self._end)

    def _end(self) -> None:
        with suppress(OSError):
            self._target.shutdown(socket.SHUT_WR)


class UdpRelay(_Line):
    """Datagrams to a server and back, each way ``delay`` seconds long; what is lost is lost."""

    def __init__(self, server: Address, delay: float = 0.0) -> None:
        super().__init__(delay)
        self._server = server
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind((HOST, 0))
        self._front.setblocking(False)
        self._socks.append(self._front)
        self.address: Address = self._front.getsockname()
        self._backs: dict[Any, socket.socket] = {}  # the client's address: our socket for it
        self._selector.register(self._front, selectors.EVENT_READ, self._from_client)

    def _from_client(self, front: socket.socket) -> None:
        data, client = front.recvfrom(1 << 16)
        back = self._backs.get(client)
        if back is None:
            back = self._backs[client] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socks.append(back)
            back.connect(self._server)
            back.setblocking(False)
            answer = lambda sock: self._from_server(sock, client)  # noqa: E731
            self._selector.register(back, selectors.EVENT_READ, answer)
        self._later(time.monotonic() + self.delay, lambda: back.send(data))

    def _from_server(self, back: socket.socket, client: Any) -> None:
        data = back.recv(1 << 16)
        if not self._is_lost(data):
            self._later(time.monotonic() + self.delay, lambda: self._front.sendto(data, client))
