"""The access log: one line a request, written by a thread of its own.

A request pays for an append to a deque.  Formatting and writing happen up to a quarter of a second
later, for all requests since at once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TextIO

from .service import Access

INTERVAL = 0.25  # seconds between two writes


class AccessLog:
    """Write accesses to a stream: ``log`` is what ``Service.access`` is given."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: deque[tuple[float, Access]] = deque()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="access-log", daemon=True)
        self._thread.start()

    def log(self, access: Access) -> None:
        """Note one access.  Safe from any thread."""
        self._waiting.append((time.time(), access))

    def close(self) -> None:
        """Write what is left, and end the thread."""
        self._closing.set()
        self._thread.join(timeout=5)

    def _write_on(self) -> None:
        """Write every now and then until closed."""
        while not self._closing.wait(INTERVAL):
            self._write()
        self._write()

    def _write(self) -> None:
        """Write all that is waiting."""
        lines = []
        while self._waiting:
            lines.append(format_access(*self._waiting.popleft()))
        if lines:
            self._stream.write("".join(lines))
            self._stream.flush()


def format_access(when: float, access: Access) -> str:
    """Return a line in the common log format, and the milliseconds that the answer took.

    ``when`` is in seconds since 1970.  The request line holds only visible ASCII: the grammar has
    seen to that.  A quotation mark in it could still forge a field of the log, so it is escaped.
    """
    request = access.request
    date = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(when))
    line = b"%b %b HTTP/%b" % (request.method, request.target, request.version)
    text = line.decode("ascii", "backslashreplace").replace('"', "%22")
    took = f"{access.seconds * 1000:.1f}ms"
    return f'{access.client[0]} - - [{date}] "{text}" {access.status} {access.sent} {took}\n'
