"""What is served, and how: the settings that all shells have in common."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO

from .events import Engine, Limits, Request
from .gateway import HttpDate
from .http1 import Connection as Http1
from .http2_events import Http2Limits
from .tls import Tls
from .websocket_deflate import DeflateSettings
from .websocket_events import WebSocketLimits
from .wsgi import Gateway
from .wsgi_request import Server


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a client may take, in seconds.

    ``head``: from the first byte of a request to the end of its head.  ``body`` and ``write``: how
    long we wait for a body to come, and for a response to be taken; ``slowest`` bytes earn a second
    of it back (see ``waiting.Patience``).  ``idle``: between requests.  ``linger``: to read our
    last answer.  ``drain``: for idle clients to send one more request while we stop.
    ``graceful``: for all that is under way when we stop.

    In the asynchronous shells also ``half_closed``: how long a client that sends no more is taken
    to be waiting for its answer, before the application is told that it has left.  ``startup`` and
    ``shutdown``: for the application's lifespan.  ``ping``: after so long a silence of a WebSocket
    we ask whether it is there, and wait ``pong`` for any answer.
    """

    head: float = 10.0
    body: float = 30.0
    write: float = 30.0
    idle: float = 5.0
    linger: float = 2.0
    drain: float = 0.5
    graceful: float = 30.0
    half_closed: float = 1.0
    startup: float = 30.0
    shutdown: float = 10.0
    ping: float = 20.0
    pong: float = 20.0
    slowest: int = 500


@dataclass(frozen=True, slots=True)
class Access:
    """One line of the access log, before it is a line.  ``seconds`` is the time to answer."""

    client: tuple[str, int]
    request: Request
    status: int
    sent: int
    seconds: float


DEFAULT_LIMITS, DEFAULT_TIMEOUTS, DEFAULT_HTTP2 = Limits(), Timeouts(), Http2Limits()
DEFAULT_WEBSOCKET, DEFAULT_DEFLATE = WebSocketLimits(), DeflateSettings()


@dataclass(frozen=True, slots=True)
class Service:
    """What is served, and how: all that the shells have in common.

    ``access`` is called after each request, if given.  ``clock`` returns seconds since 1970.
    With ``tls`` every client must speak TLS; without ``deflate`` no WebSocket is compressed.
    """

    app: Any
    engine: Callable[[Limits], Engine] = Http1
    limits: Limits = DEFAULT_LIMITS
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    http2: Http2Limits = DEFAULT_HTTP2
    websocket: WebSocketLimits = DEFAULT_WEBSOCKET
    deflate: DeflateSettings | None = DEFAULT_DEFLATE
    script_name: str = ""
    multiprocess: bool = False
    errors: TextIO | None = None
    access: Callable[[Access], None] | None = None
    clock: Callable[[], float] = time.time
    tls: Tls | None = None

    @property
    def scheme(self) -> str:
        """Return the scheme of our URIs (RFC 9110 §4.2.1, §4.2.2)."""
        return "http" if self.tls is None else "https"

    def gateway(self, listener: socket.socket, *, multithread: bool) -> Gateway:
        """Return the gateway for a listening socket."""
        host, port = listener.getsockname()[:2]
        server = Server(
            host=host,
            port=port,
            scheme=self.scheme,
            script_name=self.script_name,
            multithread=multithread,
            multiprocess=self.multiprocess,
            errors=self.errors,
        )
        gateway = Gateway(self.app, server, HttpDate(self.clock))
        if self.tls is not None:
            gateway.base["HTTPS"] = "on"  # PEP 3333, environ Variables: as Apache has it
        return gateway
