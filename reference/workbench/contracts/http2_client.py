"""A client that speaks HTTP/2 through h2, and in single frames where h2 would not break a rule.

``Http2Wire`` is one connection.  What it is told of streams it keeps per stream, so a case can ask
for the response of one while others are under way.  h2 watches the server as it does for every
client: a frame that may not come makes it raise, and the case fails.

It gives windows back as it reads, unless ``greedy`` is False: then the server has what it was told
at first, and what ``open`` adds.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from h2 import events as h2_events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hpack import Encoder

from . import Broken
from .asgi_probes import App
from .wire import PATIENCE, Wire

Code = ErrorCodes
"""Why a stream or a connection ends, by the names of RFC 9113 §7."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY = range(8)
WINDOW_UPDATE, CONTINUATION = 8, 9
END_STREAM, END_HEADERS, ACK, PADDED = 1, 4, 1, 8

Pairs = list[tuple[bytes, bytes]]


def frame(kind: int, flags: int = 0, stream_id: int = 0, payload: bytes = b"") -> bytes:
    """Return a frame, whatever it says (RFC 9113 §4.1)."""
    return (
        struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream_id) + payload
    )


def head(path: bytes | str = "/", *fields: tuple[bytes, bytes], method: bytes = b"GET") -> Pairs:
    """Return the fields of a request."""
    path = path.encode() if isinstance(path, str) else path
    return [
        (b":method", method),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"test"),
        *fields,
    ]


@dataclass
class Response:
    """What has come on one stream so far.  ``reset`` is the code by which the server ended it."""

    status: int = 0
    fields: Pairs = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    pieces: list[int] = field(default_factory=list)
    trailers: Pairs = field(default_factory=list)
    interim: list[tuple[int, Pairs]] = field(default_factory=list)
    complete: bool = False
    reset: Code | int | None = None

    def value(self, name: bytes) -> bytes | None:
        """Return the value of a field that may stand once, or None; raise Broken for two."""
        values = [value for key, value in self.fields if key == name]
        if len(values) > 1:
            raise Broken(f"the response has {len(values)} {name!r} fields")
        return values[0] if values else None


class Http2Wire(Wire):
    """One connection to a server, by prior knowledge (RFC 9113 §3.3)."""

    def __init__(
        self,
        address: tuple[str, int],
        patience: float = PATIENCE,
        settings: Mapping[SettingCodes, int] = MappingProxyType({}),
        greedy: bool = True,
        greet: bool = True,
    ) -> None:
        super().__init__(address, patience)
        self.greedy = greedy
        self.responses: dict[int, Response] = {}
        self.order: list[tuple[int, int]] = []
        """Stream and size of each piece of content, in the order in which they came."""
        self.goaways: list[tuple[int, int]] = []
        """Code and last stream of each GOAWAY."""
        self.pings: list[bytes] = []
        self.window_updates = 0
        self.deaf = False
        """True: h2 is not told what comes, for it does not know the streams that it belongs to."""
        self.h2 = H2Connection(
            H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        announced = {SettingCodes.ENABLE_PUSH: 0, **settings}
        self.h2.local_settings = Settings(client=True, initial_values=announced)
        if greet:
            self.h2.initiate_connection()
            self.flush()

    # ------------------------------------------------------------ sending

    def flush(self) -> Http2Wire:
        """Send what h2 has ready."""
        if data := self.h2.data_to_send():
            self.send(data)
        return self

    def ask(
        self,
        fields: Pairs | str | bytes = "/",
        body: bytes | None = None,
        *,
        end: bool = True,
    ) -> int:
        """Send a request on a new stream, and its body as the windows let it; return the stream."""
        pairs = fields if isinstance(fields, list) else head(fields)
        stream_id = self.h2.get_next_available_stream_id()
        self.responses[stream_id] = Response()
        try:
            self.h2.send_headers(stream_id, pairs, end_stream=end and body is None)
        except ProtocolError as error:
            raise Broken(f"the server has said GOAWAY: {self.goaways}") from error
        if body is not None:
            self.data(stream_id, body, end=end)
        self.flush()
        return stream_id

    def data(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        """Send content in frames; wait for the server's windows where they are shut."""
        view = memoryview(data)
        while True:
            room = min(self.h2.local_flow_control_window(stream_id), 16384)
            if room <= 0 and view:
                self.hear(f"room for the body of stream {stream_id}")
                if self.responses[stream_id].reset is not None:
                    return
                continue
            piece, view = view[:room], view[room:]
            self.h2.send_data(stream_id, piece, end_stream=end and not view)
            self.flush()
            if not view:
                return

    def raw(self, *frames: bytes) -> Http2Wire:
        """Send frames past h2."""
        self.send(b"".join(frames))
        return self

    def unheard(self) -> int:
        """Open a stream, as far as h2 knows, and send nothing: its head will come in raw frames."""
        encode, self.h2.encoder = self.h2.encoder, Encoder()
        stream_id = self.h2.get_next_available_stream_id()
        self.responses[stream_id] = Response()
        self.flush()
        self.h2.send_headers(stream_id, head(), end_stream=True)
        self.h2.clear_outbound_data_buffer()
        self.h2.encoder = encode
        return stream_id

    def cancel(self, stream_id: int) -> None:
        """Reset a stream (RFC 9113 §5.4.2)."""
        self.h2.reset_stream(stream_id, Code.CANCEL)
        self.flush()

    def open(self, size: int, stream_id: int | None = None) -> None:
        """Give the server more window, of a stream or of all together."""
        self.h2.increment_flow_control_window(size, stream_id)
        self.flush()

    # ------------------------------------------------------------ receiving

    def hear(self, what: str) -> bool:
        """Take what comes next; False when the server has closed."""
        self._begin()
        if not self._more(what):
            return False
        self.take()
        return True

    def take(self) -> None:
        """Read what has come."""
        if self.deaf:
            self._overhear()
            return
        data = self._take(len(self.buf))
        try:
            events = self.h2.receive_data(data)
        except ProtocolError as error:
            raise Broken(f"h2 refuses what the server sends: {error!r}", got=data) from error
        for event in events:
            self._note(event)
        if not self.ended:
            self.flush()

    def _overhear(self) -> None:
        """Look for GOAWAY in what has come, and at nothing else."""
        while len(self.buf) >= 9 and len(self.buf) >= (end := 9 + int.from_bytes(self.buf[:3])):
            data = self._take(end)
            if data[3] == GOAWAY:
                last, code = struct.unpack_from(">II", data, 9)
                self.goaways.append((code, last))

    def _note(self, event: Any) -> None:
        """Keep what an event says."""
        stream_id = getattr(event, "stream_id", 0) or 0
        got = self.responses.setdefault(stream_id, Response())
        if isinstance(event, h2_events.ResponseReceived):
            pseudo, *got.fields = [(bytes(name), bytes(value)) for name, value in event.headers]
            got.status = int(pseudo[1])
        elif isinstance(event, h2_events.InformationalResponseReceived):
            pseudo, *rest = [(bytes(name), bytes(value)) for name, value in event.headers]
            got.interim.append((int(pseudo[1]), rest))
        elif isinstance(event, h2_events.DataReceived):
            got.body += event.data
            got.pieces.append(len(event.data))
            self.order.append((stream_id, len(event.data)))
            if self.greedy and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, stream_id)
        elif isinstance(event, h2_events.TrailersReceived):
            got.trailers = [(bytes(name), bytes(value)) for name, value in event.headers]
        elif isinstance(event, h2_events.StreamEnded):
            got.complete = True
        elif isinstance(event, h2_events.StreamReset):
            got.reset = event.error_code
        elif isinstance(event, h2_events.ConnectionTerminated):
            self.goaways.append((int(event.error_code or 0), int(event.last_stream_id or 0)))
        elif isinstance(event, h2_events.PingAckReceived):
            self.pings.append(event.ping_data)
        elif isinstance(event, h2_events.WindowUpdated):
            self.window_updates += 1

    def wait_until(self, true: Callable[[], Any], what: str) -> None:
        """Read until something holds; raise Broken when it does not come, or the server closes."""
        deadline = time.monotonic() + self.patience
        while not true():
            if time.monotonic() > deadline:
                raise Broken(f"still waiting for {what} after {self.patience:g} s")
            if not self.hear(what):
                raise Broken(f"the connection ended before {what}; GOAWAY: {self.goaways}")

    def answer(self, stream_id: int, *, whole: bool = True) -> Response:
        """Wait for a response, or for the end of its stream; return it."""
        got = self.responses[stream_id]
        self.wait_until(
            lambda: got.complete or got.reset is not None, f"the response on stream {stream_id}"
        )
        if whole and not got.complete:
            raise Broken(f"stream {stream_id} was reset: {got.reset!r}; it had {got.status}")
        return got

    def get(self, fields: Pairs | str = "/", body: bytes | None = None) -> Response:
        """Ask, and return the whole response."""
        return self.answer(self.ask(fields, body))

    def reset_of(self, stream_id: int) -> Code | int | None:
        """Wait until a stream is reset; return the code."""
        got = self.responses[stream_id]
        self.wait_until(lambda: got.reset is not None, f"the reset of stream {stream_id}")
        return got.reset

    def status_of(self, stream_id: int) -> int:
        """Wait for the head of a response; return its status."""
        got = self.responses[stream_id]
        self.wait_until(
            lambda: got.status or got.reset is not None, f"a status on stream {stream_id}"
        )
        return got.status

    def goaway(self, what: str) -> Code:
        """Wait until the server ends the connection; return the code of its last GOAWAY."""
        while self.hear(f"GOAWAY and the end of the connection: {what}"):
            pass
        if not self.goaways:
            raise Broken(f"the connection ended without GOAWAY: {what}")
        return Code(self.goaways[-1][0])

    def settled(self) -> None:
        """Wait until the server has read all that was sent: it answers a ping."""
        number = len(self.pings)
        self.h2.ping(b"settled?")
        self.flush()
        self.wait_until(lambda: len(self.pings) > number, "the answer to a ping")


@contextmanager
def up(server: Any, app: Any, **options: Any) -> Iterator[Callable[..., Http2Wire]]:
    """Serve ``app``; give a function that opens connections, which are closed before it stops."""
    patience = getattr(server, "patience", PATIENCE)
    if isinstance(app, App):
        app.ended.patience = patience
    with server.serve(app, **options) as address, ExitStack() as wires:

        def connect(**how: Any) -> Http2Wire:
            return wires.enter_context(Http2Wire(address, patience, **how))  # type: ignore[return-value]

        yield connect


def windows(initial: int) -> dict[SettingCodes, int]:
    """Return the setting that gives each stream so many bytes (RFC 9113 §6.5.2)."""
    return {SettingCodes.INITIAL_WINDOW_SIZE: initial}
