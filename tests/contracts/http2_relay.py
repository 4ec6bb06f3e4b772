"""The contract of an ASGI server over HTTP/2: a relay that speaks HTTP/1.1 to a client.

Each connection of a client becomes one connection of HTTP/2 with prior knowledge (RFC 9113 §3.3),
each request a stream, and a handshake of a WebSocket an extended CONNECT (RFC 8441), behind which
the frames pass untouched; 100, 103 and trailers pass, too.  A stream that is reset inside its
answer has broken off: that becomes a reset of the connection, for HTTP/1.1 has no other word for
it.  Windows are opened only when the client has taken.

Both ends are libraries (h11 and h2), so nothing of ours translates what ours has said.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h11
from contracts import relay
from contracts.relay import reset
from websockets.utils import accept_key

MOST = 65_536
"""Bytes of a body that wait for the server's window before the client has to wait, too."""

OF_A_CONNECTION = {
    *(b"connection", b"host", b"keep-alive", b"proxy-connection", b"transfer-encoding"),
    *(b"upgrade", b"sec-websocket-key"),
}
"""What HTTP/2 says otherwise (RFC 9113 §8.2.2, §8.3.1; RFC 8441 §5)."""


class Plain(relay.Plain):
    """The client's side."""

    def __init__(self, address: tuple[str, int], all_: set[Any]) -> None:
        super().__init__(address, all_)
        self.server = Streams(self)
        self.h1 = h11.Connection(h11.SERVER)
        self.key = b""  # of the handshake of a WebSocket
        self.tunnel = self.paused = self.answering = False

    def begin(self) -> None:
        """Go on: the server has sent its settings."""
        self.transport.resume_reading()
        if self.early:
            self.data_received(self.early)
        if self.ended:
            self.pump()

    def data_received(self, data: bytes) -> None:
        if not self.server.ready:
            self.early += data
        elif self.tunnel:
            self.server.write(data)
        else:
            self.h1.receive_data(data)
            self.pump()

    def pump(self) -> None:
        """Hand on what has come of requests, as far as they may begin."""
        while not self.tunnel and self.h1.their_state is not h11.ERROR:
            event = self.h1.next_event()
            if isinstance(event, h11.Request):
                self.request(event)
            elif isinstance(event, h11.Data):
                self.server.write(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                self.server.end()
                self.next_request()
            else:  # h11.NEED_DATA, h11.PAUSED, h11.ConnectionClosed
                break
        if self.ended and self.h1.trailing_data == (b"", False):
            self.server.half_close()

    def request(self, event: h11.Request) -> None:
        """Open a stream for a request."""
        fields = list(event.headers)
        names = {name for name, _ in fields}
        self.key = dict(fields).get(b"sec-websocket-key", b"")
        upgrade = b"upgrade" in names and bool(self.key)
        pseudo = [
            (b":method", b"CONNECT" if upgrade else event.method),
            (b":scheme", b"http"),
            (b":authority", dict(fields).get(b"host", b"")),
            (b":path", event.target),
        ]
        if upgrade:
            pseudo.insert(1, (b":protocol", b"websocket"))
        kept = [(name, value) for name, value in fields if name not in OF_A_CONNECTION]
        content = upgrade or b"content-length" in names or b"transfer-encoding" in names
        self.answering = True
        self.tunnel = upgrade
        self.server.open(pseudo + kept, end=not content)
        if upgrade:
            self.server.write(self.h1.trailing_data[0])

    def answer(self, event: Any) -> None:
        """Write an event of h11; a complete answer makes room for the next request."""
        if self.lost:
            return
        with suppress(h11.LocalProtocolError):  # an answer in a state that has none: it broke off
            self.transport.write(self.h1.send(event) or b"")
            if isinstance(event, h11.EndOfMessage):
                self.answering = False
                self.next_request()
            return
        reset(self.transport)

    def next_request(self) -> None:
        """Begin the next request when both halves of this one are done."""
        if self.h1.our_state is h11.DONE and self.h1.their_state is h11.DONE:
            self.h1.start_next_cycle()
            asyncio.get_running_loop().call_soon(self.pump)
        elif self.h1.our_state is h11.MUST_CLOSE:
            self.transport.close()

    def switch(self, fields: list[tuple[bytes, bytes]]) -> None:
        """Answer a handshake: a WebSocket has been accepted (RFC 6455 §4.2.2)."""
        accept = accept_key(self.key.decode()).encode()
        lines = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade"]
        lines += [b"Sec-WebSocket-Accept: " + accept, *(b"%b: %b" % each for each in fields)]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n")

    def broke_off(self) -> None:
        """Tell the client that its answer will not be whole."""
        if not self.lost:
            reset(self.transport)

    def eof_received(self) -> bool:
        self.ended = True
        if self.server.ready:
            self.pump()
        return True

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self.server.acknowledge()


class Streams(relay.Far):
    """The server's side: one stream at a time is open."""

    def __init__(self, client: Plain) -> None:
        super().__init__(client)
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.stream = 0
        self.waiting = bytearray()  # for the server's window
        self.at_end = self.said_end = self.said_goodbye = False
        self.ready = self.full = False
        self.taken = 0  # bytes for which no window has been opened again

    def greet(self) -> None:
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        """Write what h2 has to say."""
        data = self.h2.data_to_send()
        if not self.said_goodbye:
            self.transport.write(data)

    # ------------------------------------------------------------ to the server

    def open(self, fields: list[tuple[bytes, bytes]], *, end: bool) -> None:
        """Begin a stream."""
        self.stream = self.h2.get_next_available_stream_id()
        self.waiting.clear()
        self.at_end, self.said_end = False, end
        self.h2.send_headers(self.stream, fields, end_stream=end)
        self.flush()

    def write(self, data: bytes) -> None:
        """Send content, as far as the windows allow, and keep the rest."""
        self.waiting += data
        self.push()

    def end(self) -> None:
        """Send the end of the content."""
        self.at_end = not self.said_end
        self.push()

    def push(self) -> None:
        """Send what waits; let the client wait while it is much."""
        try:
            while self.waiting:
                room = self.h2.local_flow_control_window(self.stream)
                room = min(room, self.h2.max_outbound_frame_size, len(self.waiting))
                if room <= 0:
                    break
                self.h2.send_data(self.stream, bytes(self.waiting[:room]))
                del self.waiting[:room]
            if self.at_end and not self.waiting:
                self.at_end, self.said_end = False, True
                self.h2.end_stream(self.stream)
        except h2.exceptions.ProtocolError:
            self.waiting.clear()  # the answer came before the end: nobody wants the rest
            self.at_end = False
        self.flush()
        full = len(self.waiting) > MOST
        if full != self.full and not self.client.lost:
            self.full = full
            transport = self.client.transport
            transport.pause_reading() if full else transport.resume_reading()

    def half_close(self) -> None:
        """Say that nothing more will be sent, not even the rest of a body."""
        if not self.said_goodbye and not self.transport.is_closing():
            self.said_goodbye = True
            self.transport.write_eof()

    # ------------------------------------------------------------ from the server

    def data_received(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            self.on(event)
        self.flush()

    def on(self, event: h2.events.Event) -> None:
        """Hand on one event."""
        client = self.client
        if isinstance(event, h2.events.RemoteSettingsChanged) and not self.ready:
            self.ready = True
            client.begin()
        elif isinstance(event, h2.events.WindowUpdated | h2.events.RemoteSettingsChanged):
            self.push()
        elif isinstance(event, h2.events.InformationalResponseReceived):
            client.answer(h11.InformationalResponse(**head(event.headers)))
        elif isinstance(event, h2.events.ResponseReceived):
            self.head(event)
        elif isinstance(event, h2.events.DataReceived):
            self.taken += event.flow_controlled_length
            self.hand_on(event.data)
        elif isinstance(event, h2.events.TrailersReceived):
            client.answer(h11.EndOfMessage(headers=list(event.headers)))
        elif isinstance(event, h2.events.StreamEnded):
            if client.tunnel:
                client.transport.write_eof()
            elif client.answering:
                client.answer(h11.EndOfMessage())
        elif isinstance(event, h2.events.StreamReset) and (client.tunnel or client.answering):
            client.broke_off()

    def head(self, event: h2.events.ResponseReceived) -> None:
        """Hand on the head of an answer."""
        how = head(event.headers)
        if self.client.tunnel and how["status_code"] == 200:
            self.client.switch(how["headers"])
            return
        self.client.tunnel = False  # a handshake that was refused is a request
        if self.client.key:
            self.end()
        self.client.answer(h11.Response(**how))

    def hand_on(self, data: bytes) -> None:
        """Hand on content, and open the windows again when the client takes it."""
        if self.client.tunnel:
            self.client.transport.write(data)
        else:
            self.client.answer(h11.Data(data=data))
        if not self.client.paused:
            self.acknowledge()

    def acknowledge(self) -> None:
        """Open the windows by what the client has taken."""
        if self.taken:
            with suppress(h2.exceptions.ProtocolError):
                self.h2.acknowledge_received_data(self.taken, self.stream)
            self.taken = 0
            self.flush()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        if error or self.client.answering or self.client.tunnel:
            self.client.broke_off()
        else:
            self.client.transport.close()


def head(fields: Any) -> dict[str, Any]:
    """Return what a head is made of in h11."""
    status = int(dict(fields)[b":status"])
    phrase = HTTPStatus(status).phrase if status in list(HTTPStatus) else ""
    kept = [(bytes(name), bytes(value)) for name, value in fields if not name.startswith(b":")]
    return {"status_code": status, "headers": kept, "reason": phrase.encode()}
