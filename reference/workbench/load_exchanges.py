"""The load generator's clients: one request each at a time, from its beginning to its record.

In come clients that are free to ask and sockets that are ready, out comes one row per request.
Nothing here ever waits: who is ready and whose pause is over is for the loop in `load_loop` to say.
"""

from __future__ import annotations

import errno
import heapq
import math
import os
import socket
import time
from collections import deque

from workbench.answers import Answer, NotHTTP
from workbench.load_plan import UNFINISHED, Plan
from workbench.load_pollers import IN, OUT, Poller

_RECV = 65_536  # bytes asked for at once
_PAUSE = 0.05  # seconds a client waits after a failure: a dead server is not hammered
_PATIENCE = 10  # refusals in a row after which a client gives up


class Client:
    """One client: at most one connection, and at most one request under way on it."""

    __slots__ = (
        "answer", "asked", "busy", "connected", "connecting", "fd", "first", "number", "patience",
        "recv", "send", "sent", "since", "sock", "unsent",
    )  # fmt: skip

    def __init__(self, number: int) -> None:
        self.number = number
        self.sock: socket.socket | None = None
        self.busy = self.connecting = False
        self.answer: Answer | None = None  # None until an answer comes in more than one piece
        self.unsent: memoryview | None = None
        self.asked = self.since = self.connected = self.sent = self.first = -1.0
        self.patience = _PATIENCE

    def attach(self, sock: socket.socket) -> None:
        """Use this socket from now on; bound methods save a look-up per request."""
        self.sock = sock
        self.fd = sock.fileno()
        self.recv, self.send = sock.recv, sock.send


class Exchanges:
    """The requests of all clients of one run, with their answers. Times are `time.monotonic`."""

    def __init__(self, plan: Plan, poller: Poller) -> None:
        self.plan = plan
        self.poller = poller
        self.request = plan.request
        self.method = plan.request.partition(b" ")[0]
        self.clients = [Client(number) for number in range(plan.clients)]
        self.by_fd: dict[int, Client] = {}
        self.rows: list[tuple[int, float, float, float, float, float, int, int, str]] = []
        self.later: list[tuple[float, int]] = []  # heap: when a client's pause is over
        self.idle: list[Client] = []  # open load: clients with nothing to do
        self.due: deque[float] = deque()  # open load: arrivals no client has taken
        self.begun = 0
        self.limit = plan.limit
        self.end = math.inf  # no request begins from then on; known when the run starts
        self.active = 0
        self.gave_up = 0
        self.usual: bytes | None = None  # the last whole answer that came in one piece
        self.usual_status = 0
        self.answered = False
        self.steady = plan.rate is None and plan.think == 0 and plan.keep_alive

    def _next(self, client: Client, now: float) -> None:
        """Let a client that is free go on."""
        if self.plan.rate is None:
            self._begin_if_wanted(client, now)
        elif self.due:
            self._begin(client, self.due.popleft(), now)
        else:
            self.idle.append(client)

    def _begin_if_wanted(self, client: Client, now: float) -> None:
        if self.begun < self.limit and now < self.end:
            self._begin(client, now, now)

    def _begin(self, client: Client, asked: float, now: float) -> None:
        self.begun += 1
        self.active += 1
        client.busy = True
        client.asked = asked
        client.since = now
        client.connected = client.sent = client.first = -1.0
        if client.sock is None:
            self._connect(client, now)
        else:
            client.connected = asked
            self._send(client, self.request)

    def _connect(self, client: Client, now: float) -> None:
        family = socket.AF_INET6 if ":" in self.plan.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.attach(sock)
        self.by_fd[client.fd] = client
        self.poller.register(client.fd, OUT)
        client.connecting = True
        code = sock.connect_ex((self.plan.host, self.plan.port))
        if code not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK, 10035):  # WSAEWOULDBLOCK
            self._fail(client, _connect_error(code), now, 1)

    def _finish_connect(self, client: Client) -> None:
        assert client.sock is not None
        now = time.monotonic()
        code = client.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._fail(client, _connect_error(code), now, 1)
            return
        client.connecting = False
        client.connected = now
        if self.answered:
            client.patience = _PATIENCE
        self.poller.modify(client.fd, IN)
        self._send(client, self.request)

    def _send(self, client: Client, data: bytes | memoryview) -> None:
        try:
            sent = client.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            # The server has closed; what it said before that may still be there to read.
            self._readable(client)
            return
        if sent == len(data):
            client.sent = time.monotonic()
            if client.unsent is None:
                return
            client.unsent = None
            self.poller.modify(client.fd, IN)
        else:
            client.unsent = memoryview(data)[sent:]
            self.poller.modify(client.fd, IN | OUT)

    def _readable(self, client: Client) -> None:
        try:
            data = client.recv(_RECV)
        except BlockingIOError:
            return
        except OSError:
            self._lost(client, "reset by the server")
            return
        now = time.monotonic()
        if data == self.usual and client.answer is None and client.busy and not client.unsent:
            # The fast path: byte for byte the last answer that was found to be complete.
            client.first = now
            self._record(client, now, self.usual_status, len(data))
            if self.steady and now < self.end and self.begun < self.limit:
                self._again(client, now)
            else:
                self._finish(client, now, keep=True)
        elif data:
            self._received(client, data, now)
        else:
            self._lost(client, "closed by the server")

    def _again(self, client: Client, now: float) -> None:
        """Ask again at once on the same connection: `_begin` without what has not changed."""
        self.begun += 1
        client.asked = client.since = client.connected = now
        client.sent = client.first = -1.0
        self._send(client, self.request)

    def _received(self, client: Client, data: bytes, now: float) -> None:
        if not client.busy:
            self._drop(client)  # an answer to no question: a connection we cannot trust
            return
        answer = client.answer
        if answer is None:
            answer = client.answer = Answer(self.method)
            client.first = now
        try:
            complete = answer.feed(data)
        except NotHTTP as error:
            self._fail(client, str(error), now)
            return
        if complete and answer.head:
            if answer.size == len(data) and answer.head.keep:
                self.usual, self.usual_status = data, answer.head.status
            self._record(client, now, answer.head.status, answer.size)
            self._finish(client, now, answer.head.keep and not client.unsent)

    def _lost(self, client: Client, how: str) -> None:
        """Deal with the end of the connection: the end of the answer, its failure, or neither."""
        now = time.monotonic()
        answer = client.answer
        if not client.busy:
            self._drop(client)
        elif answer and answer.head and answer.ends_at_close() and how.startswith("closed"):
            self._record(client, now, answer.head.status, answer.size)
            self._finish(client, now, keep=False)
        else:
            self._fail(client, f"{how} {stage(client)}", now)

    def _record(self, client: Client, now: float, status: int, size: int, error: str = "") -> None:
        times = client.asked, client.connected, client.sent, client.first, now
        self.rows.append((client.number, *times, status, size, error))

    def _finish(self, client: Client, now: float, keep: bool) -> None:
        client.busy = False
        client.answer = None
        self.active -= 1
        self.answered = True
        if not keep or not self.plan.keep_alive:
            self._drop(client)
        if self.plan.think:
            heapq.heappush(self.later, (now + self.plan.think, client.number))
        else:
            self._next(client, now)

    def _fail(self, client: Client, reason: str, now: float, cost: int = 0) -> None:
        answer = client.answer
        status = answer.head.status if answer and answer.head else 0
        self._record(client, now, status, answer.size if answer else 0, reason)
        client.busy = False
        client.answer = None
        self.active -= 1
        self._drop(client)
        client.patience -= cost
        if client.patience > 0:
            heapq.heappush(self.later, (now + max(_PAUSE, self.plan.think), client.number))
        else:
            self.gave_up += 1

    def _drop(self, client: Client) -> None:
        if client.sock is not None:
            self.poller.unregister(client.fd)
            del self.by_fd[client.fd]
            client.sock.close()
        client.sock = client.unsent = None
        client.connecting = False

    def _close_all(self, now: float) -> None:
        for client in self.clients:
            if client.busy:
                size = client.answer.size if client.answer else 0
                self._record(client, now, 0, size, UNFINISHED)
            self._drop(client)
        waiting = (-1.0, -1.0, -1.0, now, 0, 0, UNFINISHED)
        self.rows.extend((-1, asked, *waiting) for asked in self.due)


def stage(client: Client) -> str:
    """Say how far a request that came to nothing had got."""
    if client.connecting:
        return "before the connection was made"
    if client.unsent:
        return "before the request was sent"
    return "before the answer" if client.answer is None else "in the middle of the answer"


def _connect_error(code: int) -> str:
    if code in (errno.ECONNREFUSED, 10061):  # WSAECONNREFUSED
        return "connection refused"
    return f"no connection: {os.strerror(code)}"
