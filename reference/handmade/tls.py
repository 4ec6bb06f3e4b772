"""TLS without a socket: ciphertext in, plaintext out, and the other way round.

``Tls`` is what a server has once, its certificate and its rules; ``Session`` is what it has with
each client.  The cryptography is OpenSSL's, by Python's ``ssl``; two ``MemoryBIO``, pipes in
memory, stand where others put a socket.  So a session knows neither sockets nor time, as our
engines do not, and serves every shell: ``tls_transport`` those that never wait, ``tls_socket`` the
blocking ones.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from dataclasses import dataclass

RECORD = 16384  # bytes of plaintext in one record, at most (RFC 8446 §5.1)
PLAIN_HTTP = b"HTTP/1.0 400 Bad Request\r\n\r\n400 Bad Request: this port speaks TLS: say https\n"


class TlsError(ConnectionError):
    """The client has broken the protocol, or knows another one: the session is over."""


@dataclass(frozen=True, slots=True)
class Tls:
    """What a server needs to speak TLS: made once by ``tls_files.load``, shared by all clients.

    ``certificate`` is the server's own, in PEM; ``suites`` gives the number of a cipher suite for
    the name that OpenSSL has for it.
    """

    context: ssl.SSLContext
    certificate: str
    suites: dict[str, int]

    def offer(self, *protocols: str) -> None:
        """Say which protocols we speak inside TLS, the best first (RFC 7301 §3.1, ALPN)."""
        self.context.set_alpn_protocols(protocols)

    def session(self) -> Session:
        """Return a session for a client that has just come."""
        return Session(self.context)


class Session:
    """One client's TLS, from the handshake to the close.

    ``shaken``: the handshake is done.  ``ended``: the client has said that it sends no more.
    ``closed``: so have we.  After each call ``to_send`` returns what must go to the client.

    The plaintext of all that came is returned at once: nothing but an incomplete record, less than
    17 KiB, ever waits in here, where no selector would see it.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.shaken = self.ended = self.closed = False

    def receive(self, data: bytes) -> bytes:
        """Take what the network brought; return the plaintext that it makes, perhaps none.

        Raise TlsError when it is not TLS, or the handshake fails; the alert, or a word in plain
        HTTP to whom speaks that, can still be sent.
        """
        if self.ended:
            return b""  # behind its close_notify nothing counts, and nothing may pile up
        self._incoming.write(data)
        try:
            if not self.shaken:
                self.object.do_handshake()
                self.shaken = True
            return self._read()
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLError as error:
            if error.reason == "HTTP_REQUEST":
                self._outgoing.read()
                self._outgoing.write(PLAIN_HTTP)
            raise TlsError(error.reason or str(error)) from error

    def _read(self) -> bytes:
        """Return the content of all records that are complete."""
        pieces = []
        while not self.ended and (self._incoming.pending or self.object.pending()):
            try:
                pieces.append(self.object.read(RECORD))
            except ssl.SSLWantReadError:
                break
            self.ended = not pieces[-1]  # RFC 8446 §6.1: close_notify
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def send(self, data: bytes | memoryview) -> bytes:
        """Return the records for plaintext.  Raise TlsError when the session has failed."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self.object.write(rest) :]
        except ssl.SSLError as error:
            raise TlsError(error.reason or str(error)) from error
        return self._outgoing.read()

    def close(self) -> bytes:
        """Return close_notify, once: without it nobody could tell our end from a cut cable.

        It ends our direction alone (RFC 8446 §6.1): the client may still send.  What it sends from
        now on nobody waits for: drop it, and save the work of decrypting it.
        """
        if not self.closed:
            self.closed = True
            with suppress(ssl.SSLError):  # it asks for the client's, which we do not wait for
                self.object.unwrap()
        return self._outgoing.read()

    def to_send(self) -> bytes:
        """Return what the session itself has to say: its part of the handshake, alerts, tickets."""
        return self._outgoing.read()
