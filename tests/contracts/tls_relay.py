"""Every contract over TLS: a relay that speaks plain TCP to a client and TLS to a server.

A server that closes without close_notify has broken off: that becomes a reset.  Nothing is stored
on the way.
"""

from __future__ import annotations

from typing import Any

from contracts import relay
from contracts.relay import reset
from tls_clients import Bio


class Plain(relay.Plain):
    """The client's side."""

    def __init__(self, address: tuple[str, int], all_: set[Any]) -> None:
        super().__init__(address, all_)
        self.server = Secret(self)

    def data_received(self, data: bytes) -> None:
        if self.server.shaken:
            self.server.transport.write(self.server.bio.encrypt(data))
        else:
            self.early += data

    def eof_received(self) -> bool:
        self.ended = True
        if self.server.shaken:
            self.server.transport.write(self.server.bio.close())
        return not self.server.ended

    def begin(self) -> None:
        """Go on: the server has shaken hands."""
        if self.early:
            self.server.transport.write(self.server.bio.encrypt(self.early))
        if self.ended:
            self.server.transport.write(self.server.bio.close())
        self.transport.resume_reading()

    def pause_writing(self) -> None:
        self.server.transport.pause_reading()

    def resume_writing(self) -> None:
        self.server.transport.resume_reading()


class Secret(relay.Far):
    """The server's side."""

    def __init__(self, client: Plain) -> None:
        super().__init__(client)
        self.bio = Bio()
        self.shaken = self.ended = False

    def greet(self) -> None:
        self.transport.write(self.bio.shake()[0])

    def data_received(self, data: bytes) -> None:
        if not self.shaken:
            to_send, self.shaken = self.bio.shake(data)
            self.transport.write(to_send)
            data = b""
            if not self.shaken:
                return
            self.client.begin()
        self.client.transport.write(self.bio.decrypt(data))
        if self.bio.ended and not self.ended:
            self.ended = True
            if self.client.ended:
                self.client.transport.close()
            else:
                self.client.transport.write_eof()

    def eof_received(self) -> bool:
        if not self.ended:
            reset(self.client.transport)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        if error or not self.ended:
            reset(self.client.transport)
        else:
            self.client.transport.close()
