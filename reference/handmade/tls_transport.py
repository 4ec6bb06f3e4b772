"""TLS for the shells that never wait: a layer between a transport and a protocol.

To the transport below it is a protocol, to the protocol above it is a transport; between the two
sits a ``tls.Session``.  Bytes come up as plaintext and go down as ciphertext.  So one file serves
asyncio, uvloop and the loop by hand.

asyncio has TLS too (``ssl=``), and we do not use it: it can only close both sides at once, which
destroys the answer to a client that still sends (RFC 9112 §9.6); and it holds a buffer of 256 KiB
for each client, where a session costs 20.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .asgi_tls import tls_scope
from .async_wire import AsyncWire, Transport
from .gateway import logger
from .tls import TlsError

SLICE = 262144  # bytes of plaintext that are encrypted in one go: a copy of more would only cost


class TlsTransport:
    """Shake hands with a client; from then on be the transport of its protocol.

    ``make`` returns the protocol, when the handshake is done: until then a client costs us no more
    than its session.  ``shell`` counts and watches it meanwhile by ``look``, ``ask_to_leave`` and
    ``abort``, which a protocol has too.  The handshake must be done in the time for a head.
    """

    def __init__(self, shell: Any, make: Callable[[], AsyncWire]) -> None:
        self.shell = shell
        self.deadline = time.monotonic() + shell.service.timeouts.head
        self._make = make
        self._session = shell.service.tls.session()
        self._protocol: AsyncWire | None = None
        self._told_end = False
        self._below: Transport

    # ------------------------------------------------------------ a protocol, to what is below

    def connection_made(self, transport: Any) -> None:
        """Wait for the client's first word."""
        self._below = transport
        self.shell.opened(self)

    def data_received(self, data: bytes) -> None:
        """Take ciphertext; hand its plaintext up, and send what the session answers."""
        if self._session.closed:
            return  # we have parted; what still comes is dropped
        try:
            plain = self._session.receive(data)
        except TlsError as error:
            logger.debug("TLS with %s failed: %s", self.get_extra_info("peername"), error)
            self._pass_down(self._session.to_send())
            self._session.closed = True
            self._below.close()
            return
        self._pass_down(self._session.to_send())
        if self._protocol is None and self._session.shaken:
            self._introduce()
        if self._protocol is not None:
            if plain:
                self._protocol.data_received(plain)
            if self._session.ended:
                self._tell_end()

    def _introduce(self) -> None:
        """Hand the client over to its protocol."""
        self._protocol = self._make()
        self.shell.replaced(self, self._protocol)
        self._protocol.connection_made(self)

    def _tell_end(self) -> bool:
        """Tell, once, that the client sends no more; True keeps our side open.

        A client that closes without close_notify ends as in plain TCP: HTTP knows by itself whether
        a request is complete, and RFC 9112 §9.8 asks servers to be prepared for it.
        """
        if self._protocol is None:
            return False
        if not self._told_end or self._session.closed:
            self._told_end = True
            return self._protocol.eof_received()
        return True

    def eof_received(self) -> bool:
        """Note that the client's side of TCP is closed."""
        return self._tell_end()

    def connection_lost(self, error: Exception | None) -> None:
        """End: the client has left, or was sent away."""
        if self._protocol is None:
            self.shell.closed(self)
        else:
            self._protocol.connection_lost(error)

    def pause_writing(self) -> None:
        """Pass it on: the network takes no more."""
        if self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on: the network takes more."""
        if self._protocol is not None:
            self._protocol.resume_writing()

    # ------------------------------------------------------------ a transport, to what is above

    def get_extra_info(self, name: str) -> Any:
        """Return "ssl_object", "tls" for the scope, or what the transport below knows."""
        if name == "ssl_object":
            return self._session.object
        if name == "tls":
            tls = self.shell.service.tls
            return tls_scope(self._session.object, tls.certificate, tls.suites)
        return self._below.get_extra_info(name)

    def write(self, data: bytes) -> None:
        """Encrypt and send."""
        if self._session.closed:
            return
        try:
            if len(data) <= SLICE:
                self._pass_down(self._session.send(data))
                return
            whole = memoryview(data)
            for start in range(0, len(whole), SLICE):
                self._pass_down(self._session.send(whole[start : start + SLICE]))
        except TlsError:  # it has failed before, and been told so
            self.abort()

    def _pass_down(self, data: bytes) -> None:
        """Send ciphertext."""
        if data:
            self._below.write(data)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the network has not taken yet."""
        return self._below.get_write_buffer_size()

    def pause_reading(self) -> None:
        """Read no more, for now."""
        self._below.pause_reading()

    def resume_reading(self) -> None:
        """Read on.  No plaintext waits in the session, so the network alone has more."""
        self._below.resume_reading()

    def set_protocol(self, protocol: AsyncWire) -> None:
        """Call the methods of another protocol from now on."""
        self._protocol = protocol

    def is_closing(self) -> bool:
        """Return True when it is closed, or will be."""
        return self._below.is_closing()

    def write_eof(self) -> None:
        """Close our side behind what is written; first that of TLS, then that of TCP."""
        self._pass_down(self._session.close())
        self._below.write_eof()

    def close(self) -> None:
        """Close behind what is written, with a goodbye (RFC 8446 §6.1)."""
        self._pass_down(self._session.close())
        self._below.close()

    def abort(self) -> None:
        """Close at once.

        Who is sent away because nothing is going on gets a goodbye, if the network takes it now.
        Who is cut off gets none: nobody shall take half a response for a whole one.
        """
        if self._protocol is not None and not self._protocol.gone:
            self._pass_down(self._session.close())
        self._below.abort()

    # ------------------------------------------------------------ while hands are shaken

    def look(self, now: float) -> None:
        """Send a client away that does not shake hands in time; the shell calls this."""
        if now > self.deadline:
            self.abort()

    def ask_to_leave(self, last_word: float) -> None:
        """Let it finish until ``last_word``, for the server stops."""
        self.deadline = min(self.deadline, last_word)
