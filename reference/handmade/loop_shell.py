"""The shell on the loop by hand: sockets in, the callbacks of a transport out.

All else it shares with the shell on asyncio.  Applications that ask asyncio for its loop, as Quart
and Django do, cannot run here: the loop that they look for is not there.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .async_shell import AsyncShell
from .async_wire import AsyncWire
from .loop import Loop
from .tls_transport import TlsTransport

RECEIVE_SIZE = 65536
HIGH, LOW = 65536, 16384  # bytes that wait to be sent: above the one we pause, below the other not


class LoopShell(AsyncShell):
    """Serve on a loop made by hand."""

    def serve(self, listener: socket.socket, ready: Callable[[], object] = lambda: None) -> None:
        """Serve until stopped, in the calling thread; close the listener and every client.

        Raise LifespanFailed when the application cannot start up.
        """
        loop = Loop()
        loop.run(self.main(loop, listener, ready))

    def connect(self, sock: socket.socket, protocol: AsyncWire | TlsTransport) -> None:
        """Put a transport between an accepted socket and its protocol."""
        with suppress(OSError):  # some systems refuse it on a socket that is already reset
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        SocketTransport(self.loop, sock, protocol)


class SocketTransport:
    """Move bytes between a socket and a protocol, whenever the loop says that they can move.

    What the network does not take at once waits in a buffer.  When that grows beyond ``HIGH`` the
    protocol is told to pause, and below ``LOW`` to go on: that is backpressure.
    """

    def __init__(self, loop: Loop, sock: socket.socket, protocol: AsyncWire | TlsTransport) -> None:
        self._loop = loop
        self._socket = sock
        self._fd = sock.fileno()
        self._protocol = protocol
        self.max_size = RECEIVE_SIZE  # asyncio's name
        self._buf = bytearray()
        self._full = False
        self._reading = False
        self._closing = False
        self._ending = False
        protocol.connection_made(self)
        self.resume_reading()

    def get_extra_info(self, name: str) -> Any:
        """Return the "socket", or the client's address for "peername"; None when it has left."""
        if name == "peername":
            with suppress(OSError):
                return self._socket.getpeername()
        return self._socket if name == "socket" else None

    def is_closing(self) -> bool:
        """Return True when it is closed, or will be."""
        return self._closing

    def set_protocol(self, protocol: AsyncWire) -> None:
        """Call the methods of another protocol from now on."""
        self._protocol = protocol

    # ------------------------------------------------------------ in

    def pause_reading(self) -> None:
        """Read no more, for now."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)

    def resume_reading(self) -> None:
        """Read on."""
        if not self._reading and not self._closing:
            self._reading = True
            self._loop.add_reader(self._fd, self._receive)

    def _receive(self) -> None:
        """Hand what has come to the protocol."""
        if not self._reading:
            return
        try:
            data = self._socket.recv(self.max_size)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error)
            return
        if data:
            self._protocol.data_received(data)
            return
        self.pause_reading()
        if not self._protocol.eof_received():
            self.close()

    # ------------------------------------------------------------ out

    def write(self, data: bytes) -> None:
        """Send what the network takes now, and keep the rest."""
        if self._closing or self._ending:
            return
        if not self._buf:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                pass
            except OSError as error:
                self._lose(error)
                return
            if not data:
                return
            self._loop.add_writer(self._fd, self._flush)
        self._buf += data
        if len(self._buf) > HIGH and not self._full:
            self._full = True
            self._protocol.pause_writing()

    def _flush(self) -> None:
        """Send more of what waits."""
        try:
            del self._buf[: self._socket.send(self._buf)]
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error)
            return
        if self._full and len(self._buf) < LOW:
            self._full = False
            self._protocol.resume_writing()
        if not self._buf:
            self._loop.remove_writer(self._fd)
            if self._closing:
                self._lose(None)
            elif self._ending:
                self._shut()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be sent."""
        return len(self._buf)

    # ------------------------------------------------------------ the end

    def write_eof(self) -> None:
        """Close our side behind what waits."""
        self._ending = True
        if not self._buf:
            self._shut()

    def _shut(self) -> None:
        """Close our side now."""
        with suppress(OSError):  # the client has left: its reset will tell
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close behind what waits; read no more."""
        if not self._closing:
            self._closing = True
            self.pause_reading()
            if not self._buf:
                self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        self._buf.clear()
        self._loop.call_soon(self._lose, None)

    def _lose(self, error: Exception | None) -> None:
        """Be done with the socket, and tell the protocol, once."""
        if self._fd < 0:
            return
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._fd, self._reading, self._closing = -1, False, True
        self._socket.close()
        self._loop.call_soon(self._protocol.connection_lost, error)
