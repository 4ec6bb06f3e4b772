"""Our server without what the probes of versions and ends look for, one change for each."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

from h2.settings import SettingCodes, Settings

from handmade import (
    aio,
    asgi,
    async_shell,
    async_wire,
    http2_library,
    http2_stream,
    protocol_choice,
    protocol_http2_stream,
    protocol_messages,
    tls,
)
from handmade.asgi_scope import http_scope
from handmade.events import Data, End
from handmade.http2_events import Code
from handmade.protocol import HttpProtocol
from handmade.protocol_http2 import Http2Protocol
from workbench.gauntlet.museum import http2_exhibits, nothing

from .without import Patch, without

# ---------------------------------------------------------------- who waits for whom


async def at_once(self: Any) -> None:
    """Wait for nobody."""


@without("backpressure out")
def never_drain(patch: Patch) -> None:
    """Let the application go on, however much the network has not taken yet."""
    patch(async_wire.AsyncWire, "drain", at_once)


@without("backpressure out, HTTP/2")
def never_drain_a_stream(patch: Patch) -> None:
    """Keep what is sent while no window is open, without a limit."""
    patch(protocol_http2_stream.StreamChannel, "drain", at_once)


@without("backpressure in")
def never_hold(patch: Patch) -> None:
    """Read on, whether the application takes it or not."""
    patch(async_wire.AsyncWire, "hold", nothing)


@without("context variables")
def one_context_for_all(patch: Patch) -> None:
    """Start a request in the context of whoever has completed the one before."""

    def run(self: Any, exchange: Any) -> None:
        exchange.task = self.loop.create_task(exchange.run())

    patch(aio.Asyncio, "run", run)


# ---------------------------------------------------------------- a stop


@without("stop with a WebSocket")
def say_nothing(patch: Patch) -> None:
    """Let the clients of WebSockets find out by themselves."""
    patch(protocol_messages.Messages, "ask_to_leave", nothing)


@without("stop with a request that goes on", "stop over HTTP/2")
def wait_for_nobody(patch: Patch) -> None:
    """Stop at once, whoever is being served."""

    async def drain(self: Any) -> None:
        self.stopping = True

    patch(async_shell.AsyncShell, "_drain", drain)


# ---------------------------------------------------------------- versions


@without("HTTP/2 over TLS")
def offer_http1_alone(patch: Patch) -> None:
    """Agree on HTTP/1.1 by ALPN, and on nothing else."""
    offer = tls.Tls.offer
    patch(tls.Tls, "offer", lambda self, *protocols: offer(self, "http/1.1"))


@without("HTTP/2 without TLS")
def never_look_for_the_preface(patch: Patch) -> None:
    """Take whoever comes for a client of HTTP/1.1."""

    def data_received(self: Any, data: bytes) -> None:
        self._first += data
        self._become(HttpProtocol)

    patch(protocol_choice.Newcomer, "data_received", data_received)


@without("HTTP/1.1 on the same port")
def http2_alone(patch: Patch) -> None:
    """Take whoever comes for a client of HTTP/2."""
    patch(protocol_choice, "HttpProtocol", Http2Protocol)


@without("a GET that reads, HTTP/2")
def no_message_without_content(patch: Patch) -> None:
    """Tell of the end of a request only behind content: a bare GET has none."""
    feed, with_content = protocol_http2_stream.StreamChannel.feed, set[int]()

    def waits_for_content(self: Any, event: Any) -> None:
        if isinstance(event, Data):
            with_content.add(id(self))
        if id(self) in with_content:
            feed(self, event)

    patch(protocol_http2_stream.StreamChannel, "feed", waits_for_content)


@without("versions told")
def one_version(patch: Patch) -> None:
    """Tell every application that it is asked over HTTP/1.1."""

    def told(*arguments: Any) -> Any:
        return {**http_scope(*arguments), "http_version": "1.1"}

    patch(asgi, "http_scope", told)


@without("WebSocket over HTTP/2")
def no_extended_connect(patch: Patch) -> None:
    """Never say that a stream may become a WebSocket, and refuse it."""

    def without_connect(client: bool, initial_values: dict[Any, int]) -> Settings:
        values = {**initial_values, SettingCodes.ENABLE_CONNECT_PROTOCOL: 0}
        return Settings(client=client, initial_values=values)

    def refuse(self: Any, channel: Any, request: Any) -> None:
        self.engine.reset(request.stream_id, Code.REFUSED_STREAM)
        self.forget(channel)

    patch(http2_library, "Settings", without_connect)
    patch(Http2Protocol, "_begin_websocket", refuse)


@without("trailers over HTTP/2")
def no_trailers(patch: Patch) -> None:
    """Take an application's trailers, and drop them."""
    last = http2_stream.Stream.last
    patch(http2_stream.Stream, "last", lambda self, end: last(self, End(stream_id=end.stream_id)))


@without("streams at once")
def one_stream(patch: Patch) -> None:
    """Refuse every request while another one runs."""
    begin = Http2Protocol._begin

    def one_at_a_time(self: Any, request: Any) -> None:
        if self.channels:
            self.engine.reset(request.stream_id, Code.REFUSED_STREAM)
        else:
            begin(self, request)

    patch(Http2Protocol, "_begin", one_at_a_time)


without("rapid reset")(http2_exhibits.rapid_reset)


@without("TLS told in the scope")
def no_word_of_tls(patch: Patch) -> None:
    """Keep to ourselves what TLS has agreed on."""
    patch(async_shell.AsyncShell, "tell_of_tls", nothing)


# ---------------------------------------------------------------- HTTP/3, which ours has not


@without("HTTP/3")
def with_http3(patch: Patch) -> None:
    """Be the other way round: ours has no HTTP/3, and here it gets one, by aioquic.

    It speaks QUIC on the UDP port of the same number, and answers every request with its version.
    """
    words = dict(zip(sys.argv, sys.argv[1:], strict=False))
    if "--certfile" in words:
        given = int(words["--port"]), words["--certfile"], words["--keyfile"]
        bound = threading.Event()
        threading.Thread(target=lambda: asyncio.run(_quic(*given, bound)), daemon=True).start()
        bound.wait(10.0)


async def _quic(port: int, certfile: str, keyfile: str, bound: threading.Event) -> None:
    """Serve HTTP/3 until this process ends."""
    from aioquic.asyncio.server import serve
    from aioquic.h3.connection import H3_ALPN
    from aioquic.quic.configuration import QuicConfiguration

    how = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=False)
    how.load_cert_chain(certfile, keyfile)
    await serve("127.0.0.1", port, configuration=how, create_protocol=_http3())
    bound.set()
    await asyncio.Event().wait()


def _http3() -> Any:
    """Return the class of a server's side of a connection; aioquic is loaded when it is wanted."""
    from aioquic.asyncio.protocol import QuicConnectionProtocol
    from aioquic.h3.connection import H3Connection
    from aioquic.h3.events import HeadersReceived

    class Http3(QuicConnectionProtocol):
        """Answer every request."""

        def __init__(self, *arguments: Any, **how: Any) -> None:
            super().__init__(*arguments, **how)
            self._http = H3Connection(self._quic)

        def quic_event_received(self, event: Any) -> None:
            """Answer a head; content means nothing to us."""
            for each in self._http.handle_event(event):
                if isinstance(each, HeadersReceived):
                    self._http.send_headers(each.stream_id, [(b":status", b"200")])
                    self._http.send_data(each.stream_id, b'{"http_version": "3"}', True)
                    self.transmit()

    return Http3
