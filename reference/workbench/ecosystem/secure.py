"""Connections over TLS, for probes: what both agreed on by ALPN, and then the same raw bytes.

``Secure`` stands where ``http2.Connection`` wants an ``Asking``: it opens connections.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

from workbench.certificates import certificate
from workbench.contracts.wire import Answer, Wire, request

from .starting import Run


@dataclass
class Secure:
    """Ask a run over TLS.  ``offer`` is what the client says that it speaks, the best first.

    ``agreed`` is the server's choice, None where it takes no part in ALPN (RFC 7301); ``version``
    the version of TLS.  Both are known when a connection was made.
    """

    run: Run
    offer: tuple[str, ...] = ()
    agreed: str | None = field(default=None, init=False)
    version: str = field(default="", init=False)

    def alone(self) -> None:
        """Close what has been opened before."""
        self.run.alone()

    def connect(self) -> Wire:
        """Return a connection that has shaken hands; raise OSError when that fails."""
        wire = self.run.connect()
        context = certificate().context(*self.offer)
        wire.socket = context.wrap_socket(wire.socket, server_hostname=self.run.live.address[0])
        assert isinstance(wire.socket, ssl.SSLSocket)
        self.agreed = wire.socket.selected_alpn_protocol()
        self.version = wire.socket.version() or ""
        return wire

    def ask(self, target: str) -> Answer:
        """Ask over HTTP/1.1, on a connection of its own."""
        return self.connect().send(request(target)).response()
