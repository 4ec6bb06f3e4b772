"""A client of HTTP/2 on one connection that does what it is told, and no more; over h2.

    with Http2Client(server.address) as client:
        one, other = client.ask("/a"), client.ask("/b")
        client.until(one, other)
        print(client.answers[one].status)

It answers settings and pings. Windows it gives back by itself only while ``generous``; ``give``
opens one by hand. What went over the wire is kept and drawn by ``picture``, a lane for each stream.
A server that says nothing for ``patience`` seconds ends in StillWaiting.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes

from workbench.http2_bytes import Teller
from workbench.lanes import Happening, swimlanes
from workbench.picture import Picture
from workbench.talk import StillWaiting

Address = tuple[str, int]
Pairs = Sequence[tuple[str, str]]


@dataclass
class Answer:
    """What came on one stream. Times in seconds of ``time.perf_counter``; -1.0: it has not come."""

    path: str
    asked: float
    status: int = 0
    fields: list[tuple[str, str]] = field(default_factory=list)
    interim: list[tuple[int, list[tuple[str, str]]]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    trailers: list[tuple[str, str]] = field(default_factory=list)
    first: float = -1.0
    done: float = -1.0
    arrivals: list[float] = field(default_factory=list)
    reset: int | None = None

    @property
    def over(self) -> bool:
        """True when nothing more will come."""
        return self.done >= 0


class Http2Client:
    """One connection. ``window``, in bytes, is that of each stream; None: h2's 65,535."""

    def __init__(
        self,
        address: Address,
        *,
        window: int | None = None,
        generous: bool = True,
        tls: ssl.SSLContext | None = None,
        patience: float = 5.0,
    ) -> None:
        self.generous = generous
        self.answers: dict[int, Answer] = {}
        self.said: list[tuple[str, bytes]] = []
        self._patience = patience
        self._sock: socket.socket = socket.create_connection(address, patience)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self._sock = tls.wrap_socket(self._sock, server_hostname=address[0])
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._authority = "board.example"
        self._scheme = "http" if tls is None else "https"
        if window is not None:
            # Set before anything is said, so they go out with the first SETTINGS.
            self.h2.local_settings[SettingCodes.INITIAL_WINDOW_SIZE] = window
            self.h2.local_settings.acknowledge()
        self.h2.local_settings[SettingCodes.ENABLE_PUSH] = 0
        self.h2.local_settings.acknowledge()
        self.h2.initiate_connection()
        if window is not None and window > 65535:
            self.h2.increment_flow_control_window(window - 65535)
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._sock.close()

    def ask(
        self, path: str = "/", method: str = "GET", fields: Pairs = (), body: bool = False
    ) -> int:
        """Send a request's head and return its stream; with ``body`` its content follows."""
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", self._scheme)]
        head += [(":authority", self._authority), (":path", path), *fields]
        self.answers[stream] = Answer(path, time.perf_counter())
        self.h2.send_headers(stream, head, end_stream=not body)
        self.flush()
        return stream

    def send(self, stream: int, data: bytes, last: bool = False) -> None:
        """Send a piece of a request's content."""
        self.h2.send_data(stream, data, last)
        self.flush()

    def give(self, size: int, stream: int = 0) -> None:
        """Open a window by ``size`` bytes: a stream's, or with 0 the connection's."""
        self.h2.increment_flow_control_window(size, stream or None)
        self.flush()

    def until(self, *streams: int) -> None:
        """Read until these streams are over, by default all of them."""
        while not all(self.answers[stream].over for stream in streams or self.answers):
            self.read()

    def read(self, patience: float | None = None) -> None:
        """Read what has come; raise StillWaiting when that is nothing."""
        self._sock.settimeout(self._patience if patience is None else patience)
        try:
            data = self._sock.recv(65536)
        except TimeoutError:
            waiting = [number for number, answer in self.answers.items() if not answer.over]
            raise StillWaiting(f"nothing comes; open streams: {waiting}") from None
        if not data:
            raise StillWaiting("the server has closed the connection")
        self.said.append(("server", data))
        now = time.perf_counter()
        for event in self.h2.receive_data(data):
            self._take(event, now)
        self.flush()

    def read_all(self, quiet: float = 0.2) -> None:
        """Read until nothing has come for ``quiet`` seconds: what is said then is said."""
        while True:
            try:
                self.read(quiet)
            except StillWaiting:
                return

    def sizes(self) -> dict[int, int]:
        """Return how many bytes of content have come, by stream."""
        return {stream: len(answer.body) for stream, answer in self.answers.items()}

    def flush(self) -> None:
        """Send what h2 has ready."""
        if data := self.h2.data_to_send():
            self.said.append(("client", data))
            self._sock.sendall(data)

    def _take(self, event: Any, now: float) -> None:
        answer = self.answers.get(getattr(event, "stream_id", 0) or 0)
        if answer is None:
            return
        if isinstance(event, events.InformationalResponseReceived):
            answer.interim.append(_split(event.headers or []))
        elif isinstance(event, events.ResponseReceived):
            answer.first = now
            answer.status, answer.fields = _split(event.headers or [])
        elif isinstance(event, events.DataReceived):
            answer.body += event.data or b""
            answer.arrivals.append(now)
            size = event.flow_controlled_length or 0
            if self.generous and size:
                self.h2.acknowledge_received_data(size, event.stream_id or 0)
        elif isinstance(event, events.TrailersReceived):
            answer.trailers = [(str(name), str(value)) for name, value in event.headers or []]
        elif isinstance(event, events.StreamReset):
            answer.reset, answer.done = int(event.error_code or 0), now
        elif isinstance(event, events.StreamEnded):
            answer.done = now

    def picture(self, title: str = "", settings: bool = True) -> Picture:
        """Draw who said what on which stream, a lane for each; without ``settings`` only those."""
        return conversation(self.said, title, settings)


def _split(headers: Any) -> tuple[int, list[tuple[str, str]]]:
    pairs = [(str(name), str(value)) for name, value in headers]
    return int(dict(pairs)[":status"]), [pair for pair in pairs if pair[0] != ":status"]


def conversation(
    said: Sequence[tuple[str, bytes]], title: str = "", connection: bool = True
) -> Picture:
    """Draw bytes of both sides as frames: client, server and between them a lane for each stream.

    ``said`` are pairs of "client" or "server" and bytes, in order. Without ``connection`` the
    frames of stream 0, settings and windows, are left out.
    """
    tellers = {"client": Teller(), "server": Teller()}
    told = [
        (side, stream, text) for side, data in said for stream, text in tellers[side].frames(data)
    ]
    numbers = sorted({stream for _, stream, _ in told if stream or connection})
    names = {number: f"stream {number}" if number else "connection" for number in numbers}
    lanes = ["client", *names.values(), "server"]
    rows = []
    for side, stream, text in told:
        if stream in names:
            kind, _, about = text.partition(" ")
            about = about.removeprefix(f"{stream} ").removeprefix(str(stream))
            rows.append(Happening(side, names[stream], kind, about))
    return swimlanes(lanes, rows, None, title)
