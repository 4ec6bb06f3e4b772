"""TLS for the shells that wait: what looks like a socket to them, around one that does not block.

It has the methods of a socket that ``wire`` calls, with the same meanings, so nothing else there
changes: ``recv`` and ``send`` move plaintext, and raise BlockingIOError when that cannot be done
now.  The handshake is a part of the first ``recv``: a client that never shakes hands waits in the
selector, as one that never sends a head.
"""

from __future__ import annotations

import socket
from contextlib import suppress

from .gateway import logger
from .tls import Tls, TlsError

PIECE = 65536  # bytes of plaintext that are encrypted in one go


class TlsSocket:
    """Speak TLS over a socket that does not block.  Not for two threads at a time."""

    def __init__(self, sock: socket.socket, tls: Tls) -> None:
        self._socket = sock
        self._session = tls.session()
        self._out = b""  # ciphertext that the network has not taken yet
        self._taken = 0  # bytes of plaintext in it that we have not reported as sent
        self._ending = False
        self.fileno = sock.fileno
        self.close = sock.close
        self.setsockopt = sock.setsockopt
        self.setblocking = sock.setblocking

    @property
    def wants_write(self) -> bool:
        """True when the network must take something before anything else can happen.

        Else a shell that waits for the client's next word would wait for ever: the client has not
        heard ours.
        """
        return bool(self._out)

    @property
    def held(self) -> int:
        """Bytes that count as unsent beside those that the system holds (see ``waiting.unsent``).

        Negative when the network has taken a part of bytes that ``send`` has not reported yet.
        """
        return len(self._out) - self._taken

    # ------------------------------------------------------------ in

    def recv(self, size: int) -> bytes:
        """Return the plaintext of what has come, ``b""`` at the end.

        ``size`` bounds what is read from the network; a record that was incomplete before may come
        on top.  Raise BlockingIOError when no plaintext is there yet, TlsError when it is no TLS.
        """
        self._flush()
        data = self._socket.recv(size)
        if not data or self._session.closed:
            return data  # after our goodbye nobody looks at it: let it stay ciphertext
        try:
            plain = self._session.receive(data)
        except TlsError as error:
            logger.debug("TLS with a client failed: %s", error)
            self._give_up()
            raise
        self._out += self._session.to_send()
        self._flush()
        if self._session.ended:
            # The selector sees sockets only: so the end of TLS becomes the end of what it watches.
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RD)
        elif not plain:
            raise BlockingIOError
        return plain

    # ------------------------------------------------------------ out

    def send(self, data: bytes | memoryview) -> int:
        """Return how many bytes of plaintext have left, all of their ciphertext.

        What is encrypted cannot be taken back: a call that raises BlockingIOError, or returns less
        than there was, must be repeated with the rest of the same bytes.  OpenSSL asks for the
        same.
        """
        sent = 0
        view = memoryview(data)
        while sent < len(view):
            if not self._taken:
                piece = view[sent : sent + PIECE]
                self._out += self._session.send(piece)
                self._taken = len(piece)
            self._flush()
            if self._out:
                break
            sent += self._taken
            self._taken = 0
        if not sent:
            raise BlockingIOError
        return sent

    def _flush(self) -> None:
        """Send what the network takes."""
        if self._out:
            with suppress(BlockingIOError):
                self._out = self._out[self._socket.send(self._out) :]
        if self._ending and not self._out:
            self._ending = False
            self._socket.shutdown(socket.SHUT_WR)

    # ------------------------------------------------------------ the end

    def shutdown(self, how: int) -> None:
        """Close our side, with a goodbye; what the client sends from now on is dropped."""
        self._out += self._session.close()
        self._ending = True
        self._flush()

    def say_goodbye(self) -> None:
        """Send close_notify if the network takes it now (RFC 8446 §6.1): the socket is closed next.

        RFC 9112 §9.8: a server may close then, without waiting for the client's.
        """
        self._out += self._session.close()
        with suppress(OSError):
            self._flush()

    def _give_up(self) -> None:
        """Send the alert that says why it has failed, before the socket is closed."""
        self._out += self._session.to_send()
        self._session.closed = True
        with suppress(OSError):
            self._flush()
