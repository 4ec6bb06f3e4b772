"""How a shell waits: for a socket, for a deadline, and until somebody wakes it."""

from __future__ import annotations

import ctypes
import select
import socket
import struct
import sys
from contextlib import suppress
from typing import Protocol

READ, WRITE = "read", "write"


def listen(host: str, port: int, backlog: int = 1024) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.  Raise OSError when it is taken."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        # Without it a restarted server would wait a minute for its own old connections to fade.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def let_nobody_in(listener: socket.socket) -> None:
    """Drop who knocks from now on; who is in line already can still be accepted.

    Without it a client could get in line between the last ``accept`` and ``close``, and the close
    would reset it: a request lost.  So the system gets a filter of one instruction, "keep 0 bytes"
    (Linux, ``man 7 socket``, SO_ATTACH_FILTER).  A client whose first packet is dropped knocks
    again a second later, and is refused by then.  Elsewhere the gap stays open, and is small.
    The filter is on the socket, for all processes that have it and for ever: only for the last of
    them, or for whoever stops them all.
    """
    if not sys.platform.startswith("linux"):
        return
    return_k, attach_filter = 0x06, 26
    program = ctypes.create_string_buffer(struct.pack("=HBBI", return_k, 0, 0, 0))
    one_instruction = struct.pack("@HP", 1, ctypes.addressof(program))
    with suppress(OSError):  # not a socket of the network, or a kernel that has no filters
        listener.setsockopt(socket.SOL_SOCKET, attach_filter, one_instruction)


class HasFileno(Protocol):
    """A socket, or what stands for one."""

    def fileno(self) -> int:
        """Return the number by which the system knows it, -1 when it is closed."""


def wait(sock: HasFileno, what: str, timeout: float) -> bool:
    """Wait until a socket can be read or written; False when ``timeout`` seconds have passed.

    A socket that was closed meanwhile, by who stops the server, counts as ready: the next call on
    it will say what is wrong.
    """
    try:
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(sock, select.POLLIN if what == READ else select.POLLOUT)
            return bool(poll.poll(max(timeout, 0) * 1000))
        reading, writing = ([sock], []) if what == READ else ([], [sock])
        return any(select.select(reading, writing, [], max(timeout, 0)))
    except ValueError:  # it has no descriptor any more
        return True


def unsent(sock: HasFileno) -> int:
    """Return how many bytes the system still holds for the peer; 0 where it does not tell.

    A socket can be written again only when a large part of them has left, so who reads slowly and
    steadily would seem to read nothing for a long time.
    """
    try:
        import fcntl
        import termios

        return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except (ImportError, AttributeError, OSError, ValueError):
        return 0


class Patience:
    """How long one client may keep us waiting, in seconds.

    Waiting uses patience up, and every ``rate`` bytes that move give a second of it back, never
    beyond ``most``.  So who stalls has ``most`` seconds, who drips a byte now and then has hardly
    more, and who is merely slow has all the time that it needs, up to the limit on what it sends.
    """

    def __init__(self, most: float, rate: int) -> None:
        self.most = most
        self.rate = rate
        self.left = most

    def spend(self, waited: float, moved: int) -> None:
        """Take ``waited`` seconds off, and put on what ``moved`` bytes have earned."""
        self.left = min(self.most, self.left - waited + moved / self.rate)


class Waker:
    """A pipe to oneself: whoever writes to it wakes a thread that waits in ``select``."""

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)

    def wake(self) -> None:
        """Wake the waiting thread.  Safe in a signal handler and from any thread."""
        with suppress(OSError):  # full: it will wake anyhow; closed: nobody waits any more
            self._writer.send(b"\0")

    def clear(self) -> None:
        """Forget the calls so far."""
        with suppress(BlockingIOError):
            self.reader.recv(4096)

    def close(self) -> None:
        """Give back both sockets."""
        self.reader.close()
        self._writer.close()
