"""Which protocol a client speaks: TLS has told, or its first bytes do.

HTTP/2 begins with a preface that no server of HTTP/1.1 takes for a request (RFC 9113 §3.4), so one
port can serve both.  Who speaks HTTP/1.1 costs one look at the first bytes, once in a connection.
"""

from __future__ import annotations

from typing import Any

from .async_wire import AsyncWire
from .http2_events import PREFACE
from .protocol import HttpProtocol
from .protocol_http2 import Http2Protocol


class Newcomer(AsyncWire):
    """A client of whom nothing has come yet."""

    __slots__ = ("_first",)

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._first = b""

    def connection_made(self, transport: Any) -> None:
        """Begin; inside TLS HTTP/2 is spoken only if both have agreed on it (RFC 9113 §3.3)."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            agreed = tls.selected_alpn_protocol()
            self._become(Http2Protocol if agreed == "h2" else HttpProtocol)

    def data_received(self, data: bytes) -> None:
        """Take the first bytes; some clients send them one by one."""
        self._first += data
        if self._first.startswith(PREFACE):
            self._become(Http2Protocol)
        elif not PREFACE.startswith(self._first):
            self._become(HttpProtocol)

    def eof_received(self) -> bool:
        """Let HTTP/1.1 say what a client is told that ends so soon."""
        self._ended = True
        self._become(HttpProtocol)
        return True

    def _become(self, protocol: type[AsyncWire]) -> None:
        """Hand the client over."""
        protocol(self.shell).adopt(self, self._first)

    @property
    def is_idle(self) -> bool:
        """True while nothing has come."""
        return not self._first

    def overdue(self) -> None:
        """End what has taken too long: a beginning of the preface is one of a request too."""
        if self._first:
            self._become(HttpProtocol)
        else:
            self.transport.abort()
