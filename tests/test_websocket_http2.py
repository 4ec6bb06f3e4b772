"""WebSockets on streams of HTTP/2 (RFC 8441), and several of them beside ordinary requests."""

from __future__ import annotations

import socket
import struct
import zlib

import pytest
from contracts.async_shells import IMPATIENT, serving
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from hyperframe.frame import DataFrame

from handmade.http2_events import Http2Limits
from handmade.websocket_handshake import Handshake, accept_fields
from workbench.contracts.asgi_probes import Instant, Receive, Scope, Send, answer
from workbench.contracts.asgi_websocket_client import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    closing,
    frame,
)

SHELLS = ["asyncio", "loop", "uvloop"]


class Client:
    """An HTTP/2 client on one connection, made of the h2 library."""

    def __init__(self, address, window=65535):
        self.sock = socket.create_connection(address, timeout=10)
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self.h2.initiate_connection()
        self.answers, self.data, self.ended, self.resets = {}, {}, set(), {}
        self.settings = None
        self.give_back = True
        self.flush()
        self.until(lambda: self.settings)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.sock.close()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def until(self, condition):
        while not condition():
            data = self.sock.recv(65536)
            assert data, "the server has closed the connection"
            for event in self.h2.receive_data(data):
                self.note(event)
            self.flush()

    def note(self, event):
        if isinstance(event, RemoteSettingsChanged):
            self.settings = {int(c): s.new_value for c, s in event.changed_settings.items()}
        elif isinstance(event, ResponseReceived):
            self.answers[event.stream_id] = dict(event.headers)
        elif isinstance(event, DataReceived):
            self.data.setdefault(event.stream_id, bytearray()).extend(event.data)
            if self.give_back and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            self.ended.add(event.stream_id)
        elif isinstance(event, StreamReset):
            self.resets[event.stream_id] = event.error_code

    def websocket(self, path=b"/", *fields, protocol=b"websocket", version=b"13"):
        stream = self.h2.get_next_available_stream_id()
        pseudo = [
            (b":method", b"CONNECT"), (b":protocol", protocol), (b":scheme", b"http"),
            (b":path", path), (b":authority", b"test"),
        ]  # fmt: skip
        head = [*pseudo, (b"sec-websocket-version", version), *fields]
        self.h2.send_headers(stream, head)
        self.flush()
        self.until(lambda: stream in self.answers or stream in self.resets)
        return stream

    def send(self, stream, data, end=False):
        most = self.h2.max_outbound_frame_size
        for start in range(0, max(len(data), 1), most):
            last = start + most >= len(data)
            self.h2.send_data(stream, data[start : start + most], end_stream=end and last)
        self.flush()

    def frame(self, stream):
        """Return opcode and payload of the next frame of a stream."""
        buf = self.data.setdefault(stream, bytearray())
        self.until(lambda: len(buf) >= 2)
        size, at = buf[1] & 127, 2
        if size > 125:
            at = 4 if size == 126 else 10
            self.until(lambda: len(buf) >= at)
            size = int.from_bytes(buf[2:at], "big")
        self.until(lambda: len(buf) >= at + size)
        opcode, payload = buf[0] & 15, bytes(buf[at : at + size])
        del buf[: at + size]
        return opcode, payload


class Board:
    """Echo, with the path before it; tell of what it was told."""

    def __init__(self):
        self.scopes, self.last, self.errors = [], [], []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        self.scopes.append(scope)
        if scope["type"] == "http":
            await answer(send, b"plain")
            return
        await receive()
        if scope["path"] == "/no":
            await send({"type": "websocket.close"})
            return
        chosen = scope["subprotocols"][0] if scope["subprotocols"] else None
        await send({"type": "websocket.accept", "subprotocol": chosen})
        if scope["path"] == "/fails":
            raise ValueError("in the middle")
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})
        self.last.append(message)


@pytest.fixture(params=SHELLS)
def shell(request):
    return request.param


def test_a_stream_is_a_websocket(shell):
    app = Board()
    with serving(app, shell) as server, Client(server.address) as client:
        assert client.settings[8] == 1, "SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441 §3)"
        stream = client.websocket(b"/live?x=1", (b"sec-websocket-protocol", b"board, chat"))
        head = client.answers[stream]
        assert head[b":status"] == b"200"
        assert head[b"sec-websocket-protocol"] == b"board"
        assert not {b"upgrade", b"connection", b"sec-websocket-accept"} & set(head)
        client.send(stream, frame(TEXT, b"hello"))
        assert client.frame(stream) == (TEXT, b"hello")
        client.send(stream, frame(BINARY, b"x" * 60000))
        assert client.frame(stream) == (BINARY, b"x" * 60000)
        client.send(stream, frame(PING, b"?"))
        assert client.frame(stream) == (PONG, b"?")
        client.send(stream, closing(4001, "enough"))
        assert client.frame(stream) == (CLOSE, struct.pack("!H", 4001))
        client.until(lambda: stream in client.ended)
    scope = app.scopes[0]
    assert (scope["type"], scope["http_version"], scope["scheme"]) == ("websocket", "2", "ws")
    assert (scope["path"], scope["query_string"]) == ("/live", b"x=1")
    assert scope["subprotocols"] == ["board", "chat"]
    assert (b"host", b"test") in scope["headers"]
    assert app.last == [{"type": "websocket.disconnect", "code": 4001, "reason": "enough"}]


def test_several_of_them_beside_a_request(shell):
    app = Board()
    with serving(app, shell) as server, Client(server.address) as client:
        streams = [client.websocket(b"/%d" % number) for number in range(5)]
        for stream in streams:
            client.send(stream, frame(TEXT, b"%d" % stream))
        plain = client.h2.get_next_available_stream_id()
        head = [
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":path", b"/"),
            (b":authority", b"a"),
        ]
        client.h2.send_headers(plain, head, end_stream=True)
        client.flush()
        for stream in streams:
            assert client.frame(stream) == (TEXT, b"%d" % stream)
        client.until(lambda: plain in client.ended)
        assert bytes(client.data[plain]) == b"plain"
        client.h2.reset_stream(streams[0])
        client.flush()
        client.send(streams[1], frame(TEXT, b"still here"))
        assert client.frame(streams[1]) == (TEXT, b"still here")
    assert app.last[0]["code"] == 1006, "the one that was reset"


def test_what_is_refused(shell):
    app = Board()
    with serving(app, shell) as server, Client(server.address) as client:
        assert client.answers[client.websocket(b"/no")][b":status"] == b"403"
        assert client.answers[client.websocket(version=b"8")][b":status"] == b"426"
        assert client.answers[client.websocket(protocol=b"chess")][b":status"] == b"501"
        stream = client.websocket(b"/fails")
        assert client.frame(stream) == (CLOSE, struct.pack("!H", 1011) + b"the application failed")
        bare = client.websocket()
        client.send(bare, frame(TEXT, b"bare", mask=b""))
        opcode, payload = client.frame(bare)
        assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", 1002))
    assert [scope["path"] for scope in app.scopes] == ["/no", "/fails", "/"]


def test_a_reader_that_does_not_read_holds_up_nobody(shell):
    taken = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        await receive()
        await send({"type": "websocket.accept"})
        if scope["path"] == "/flood":
            for number in range(1000):
                await send({"type": "websocket.send", "bytes": b"x" * 65536})
                taken.append(number)
        await receive()
        await send({"type": "websocket.send", "text": "quick"})

    with serving(app, shell) as server, Client(server.address) as client:
        client.h2.increment_flow_control_window(1 << 20)  # the connection's; not the stream's
        client.flush()
        client.give_back = False
        client.websocket(b"/flood")
        other = client.websocket(b"/other")
        client.send(other, frame(TEXT, b"?"))
        assert client.frame(other) == (TEXT, b"quick")
        assert len(taken) < 20
        client.sock.close()


def test_an_application_that_does_not_receive_shuts_the_window(shell):
    go, sizes = Instant("the test"), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        await receive()
        await send({"type": "websocket.accept"})
        await go.comes()
        while (message := await receive())["type"] == "websocket.receive":
            sizes.append(len(message["bytes"]))

    with serving(app, shell) as server, Client(server.address) as client:
        stream = client.websocket()
        packet, sent = frame(BINARY, b"y" * 16000), 0
        while client.h2.local_flow_control_window(stream) >= len(packet) and sent < 10_000:
            client.send(stream, packet)
            sent += 1
        client.h2.ping(b"12345678")  # what was said before it has come when it is answered
        client.flush()
        client.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.until(lambda: client.h2.local_flow_control_window(stream) >= len(packet))
        assert sent < 1000, "160 MB that nobody takes"
        client.sock.settimeout(10)
        go.happens()
        client.until(lambda: client.h2.local_flow_control_window(stream) >= len(packet))
        client.send(stream, closing())
        assert client.frame(stream)[0] == CLOSE
    assert sizes == [16000] * sent


def test_a_server_that_stops_closes_each(shell):
    app = Board()
    with serving(app, shell) as server, Client(server.address) as client:
        stream = client.websocket()
        server.shell.stop()
        opcode, payload = client.frame(stream)
        assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", 1001))
        answer = DataFrame(stream, closing(1001))  # the library sends nothing after a GOAWAY
        client.sock.sendall(answer.serialize())
        while not app.last:
            assert client.sock.recv(65536)
    assert app.last[0]["code"] == 1001


def test_a_silent_client_is_asked(shell, monkeypatch):
    monkeypatch.setattr("handmade.async_shell.SWEEP", 0.1)
    app = Board()
    with serving(app, shell, timeouts=IMPATIENT) as server, Client(server.address) as client:
        stream = client.websocket()
        assert client.frame(stream)[0] == PING
        client.until(lambda: stream in client.resets or stream in client.ended)
    assert app.last[0]["code"] == 1006


def test_who_resets_at_once_runs_no_more_applications_than_it_may(shell):
    """Rapid reset (CVE-2023-44487): a stream makes room when its application has ended."""
    running = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        await receive()
        await send({"type": "websocket.accept"})
        running.append(scope)
        await go.comes()  # and does not look whether its client is still there

    go = Instant("the test")
    with (
        serving(app, shell, http2=Http2Limits(streams=5)) as server,
        Client(server.address) as client,
    ):
        for _ in range(5):
            stream = client.websocket()
            client.h2.reset_stream(stream)
            client.flush()
        refused = client.websocket()
        assert client.resets[refused] == 7, "REFUSED_STREAM (RFC 9113 §8.7)"
        assert len(running) == 5
        go.happens()


def test_an_application_that_closes_hears_how_the_client_answers(shell):
    last = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4001})
        last.append(await receive())

    with serving(app, shell) as server, Client(server.address) as client:
        stream = client.websocket()
        assert b"date" in client.answers[stream], "RFC 9110 §6.6.1: it is a 200"
        assert client.frame(stream) == (CLOSE, struct.pack("!H", 4001))
        client.send(stream, closing(4002))
        client.until(lambda: stream in client.ended)
    assert last[0]["code"] == 4002


def test_compression_is_agreed_on():
    with serving(Board()) as server, Client(server.address) as client:
        stream = client.websocket(b"/", (b"sec-websocket-extensions", b"permessage-deflate"))
        assert client.answers[stream][b"sec-websocket-extensions"].startswith(b"permessage-deflate")
        packer = zlib.compressobj(wbits=-15)
        packed = (packer.compress(b"again " * 50) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
        raw = bytearray(frame(TEXT, packed))
        raw[0] |= 0x40
        client.send(stream, bytes(raw))
        opcode, payload = client.frame(stream)
        back = zlib.decompressobj(wbits=-15).decompress(payload + b"\0\0\xff\xff")
        assert (opcode, back) == (TEXT, b"again " * 50)


def test_a_stream_needs_no_key():
    assert accept_fields(Handshake(b"", ("a",)), "a", (), None) == [
        (b"Sec-WebSocket-Protocol", b"a")
    ]
