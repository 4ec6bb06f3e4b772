"""A client that speaks raw bytes and has little patience: the eyes of the server's contract.

``Wire`` is one connection.  It sends exactly what it is given, reads with a deadline, and says what
it was waiting for when the deadline passes, so a server that hangs is told from one that is wrong.
"""

from __future__ import annotations

import re
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from . import Broken

PATIENCE = 2.0
"""Seconds that a server has for each answer, unless it says otherwise by its ``patience``."""

STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9]) ([\t -~\x80-\xff]*)")
FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")


@dataclass
class Answer:
    """One response, taken apart.  ``complete`` is False when it broke off before its end.

    ``framing`` tells how its end was found: ``none``, ``length``, ``chunked`` or ``close``.
    """

    status: int
    reason: bytes
    fields: list[tuple[str, str]]
    head: bytes
    framing: str = "none"
    body: bytes = b""
    complete: bool = True
    chunks: list[bytes] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        """Return every value of a field, in order."""
        return [value for key, value in self.fields if key == name.lower()]

    def value(self, name: str) -> str | None:
        """Return the value of a field that may stand once, or None; raise Broken for two."""
        values = self.values(name)
        if len(values) > 1:
            raise Broken(f"the response has {len(values)} {name} fields", got=self.head)
        return values[0] if values else None


class Wire:
    """One connection to a server.

    >>> with Wire(("127.0.0.1", 8000)) as wire:                     # doctest: +SKIP
    ...     wire.send(b"GET / HTTP/1.1\\r\\nHost: test\\r\\n\\r\\n").response().status
    200
    """

    def __init__(self, address: tuple[str, int], patience: float = PATIENCE) -> None:
        self.patience = patience
        self.sent = bytearray()
        self.buf = bytearray()
        self.ended = False
        self.was_reset = False
        self._deadline = 0.0
        try:
            self.socket = socket.create_connection(address[:2], timeout=patience)
        except TimeoutError:
            raise Broken(f"the server has not accepted after {patience:g} s") from None
        except OSError as error:
            raise Broken(f"cannot connect to the server: {error}") from None
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def reset(self) -> None:
        """Cut the connection the hard way, as a client that crashed."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # ------------------------------------------------------------ sending

    def send(self, data: bytes) -> Wire:
        """Send bytes.  A server that has closed is no error yet: what it has said will tell."""
        self.sent += data
        self.socket.settimeout(self.patience)
        try:
            self.socket.sendall(data)
        except TimeoutError:
            raise self._broken(
                f"the server still does not read the request after {self.patience:g} s"
            ) from None
        except OSError:
            self.was_reset = True
        return self

    def half_close(self) -> Wire:
        """Say that nothing more will be sent, and keep on reading."""
        self.socket.shutdown(socket.SHUT_WR)
        return self

    # ------------------------------------------------------------ receiving

    def until(self, end: bytes, what: str) -> bytes:
        """Return the bytes up to and with ``end``; raise Broken when they do not come."""
        self.wait_for(end, what)
        return self._take(self.buf.index(end) + len(end))

    def wait_for(self, end: bytes, what: str) -> None:
        """Wait until ``end`` has come, and take nothing; raise Broken when it does not come."""
        self._begin()
        while end not in self.buf:
            if not self._more(what):
                raise self._broken(f"the connection ended before {what}")

    def closed(self, what: str) -> bytes:
        """Wait until the server closes, and return what it still sent."""
        self._begin()
        while self._more(f"the server to close: {what}"):
            pass
        return self._take(len(self.buf))

    def until_any(self) -> bool:
        """Wait for the next byte; False when the server closes instead."""
        self._begin()
        return bool(self.buf) or self._more("another answer, or the end of the connection")

    def readable(self, seconds: float) -> bool:
        """Return True as soon as the server has sent something or closed, False if it has not."""
        return bool(self.buf) or self.hears_more(seconds)

    def hears_more(self, seconds: float) -> bool:
        """Like ``readable``, but what has been read already does not count."""
        return bool(select.select([self.socket], [], [], seconds)[0])

    def response(self, *, head_only: bool = False, whole: bool = True) -> Answer:
        """Read one response; ``head_only`` after a HEAD.

        Raise Broken for a response that breaks HTTP, and for one that breaks off, unless ``whole``
        is False: then the Answer says so.
        """
        answer = self._head()
        self._begin()
        coding = answer.value("transfer-encoding")
        length = answer.value("content-length")
        if coding is not None and length is not None:
            raise Broken("Content-Length and Transfer-Encoding in one response", got=answer.head)
        if head_only or answer.status in (204, 304) or answer.status < 200:
            return answer
        if coding is not None:
            self._chunked(answer, coding)
        elif length is not None:
            self._sized(answer, length)
        else:
            answer.framing = "close"
            while self._more("the end of a body that ends with the connection"):
                pass
            answer.body = self._take(len(self.buf))
            answer.complete = not self.was_reset
        if whole and not answer.complete:
            raise self._broken(
                "the connection ended in the middle of the response: its head is "
                f"{_begin_of(answer.head)}, and of its content came {len(answer.body)} bytes"
            )
        return answer

    def _head(self) -> Answer:
        """Read a response's head."""
        head = self.until(b"\r\n\r\n", "the empty line that ends the head of a response")
        first, *lines = head[:-4].split(b"\r\n")
        status_line = STATUS_LINE.fullmatch(first)
        if status_line is None:
            raise self._broken("the response does not begin with 'HTTP/1.1 200 OK'", head)
        fields = []
        for line in lines:
            match = FIELD_LINE.fullmatch(line)
            if match is None:
                raise self._broken(f"this line of the response is no field: {line!r}", head)
            fields.append((match[1].decode().lower(), match[2].decode("latin-1")))
        return Answer(int(status_line[1]), status_line[2], fields, head)

    def _sized(self, answer: Answer, length: str) -> None:
        """Read a body of known length."""
        if re.fullmatch("[0-9]+", length) is None:
            raise self._broken("the response's Content-Length is not a number", answer.head)
        answer.framing = "length"
        wanted = int(length)
        while len(self.buf) < wanted:
            if not self._more(f"byte {len(self.buf)} of the {wanted} that Content-Length promised"):
                break
        answer.body = self._take(min(wanted, len(self.buf)))
        answer.complete = len(answer.body) == wanted

    def _chunked(self, answer: Answer, coding: str) -> None:
        """Read a chunked body (RFC 9112 §7.1)."""
        if coding.lower() != "chunked":
            raise self._broken(f"Transfer-Encoding {coding!r} was not asked for", answer.head)
        answer.framing = "chunked"
        while (line := self._line()) is not None:
            try:
                size = int(line.partition(b";")[0], 16)
            except ValueError:
                raise self._broken(f"a chunk begins with {line!r}, not with its size") from None
            if size == 0:
                while trailer := self._line():
                    answer.fields.append(("trailer of the body", trailer.decode("latin-1")))
                answer.complete = trailer is not None
                return
            while len(self.buf) < size + 2 and self._more("the rest of a chunk"):
                pass
            if len(self.buf) < size + 2:
                answer.body += self._take(min(size, len(self.buf)))
                break
            block = self._take(size)
            answer.chunks.append(block)
            answer.body += block
            if self._take(2) != b"\r\n":
                raise self._broken("a chunk is longer than its size says")
        answer.complete = False

    def _line(self) -> bytes | None:
        """Return one line of chunked framing, or None when the connection ended."""
        while b"\r\n" not in self.buf:
            if not self._more("the next chunk, or the last one"):
                return None
        return self._take(self.buf.index(b"\r\n") + 2)[:-2]

    # ------------------------------------------------------------ the clock

    def _begin(self) -> None:
        """Start the clock of one act of reading."""
        self._deadline = time.monotonic() + self.patience

    def _more(self, what: str) -> bool:
        """Wait for more bytes; False when the server has ended the connection."""
        if self.ended:
            return False
        self.socket.settimeout(max(self._deadline - time.monotonic(), 0.001))
        try:
            data = self.socket.recv(1 << 18)
        except TimeoutError:
            raise self._broken(f"still waiting for {what} after {self.patience:g} s") from None
        except OSError:
            data = b""
            self.was_reset = True
        self.ended = not data
        self.buf += data
        return bool(data)

    def _take(self, count: int) -> bytes:
        """Take bytes from the front of what has come."""
        data = bytes(self.buf[:count])
        del self.buf[:count]
        return data

    def _broken(self, problem: str, got: bytes | None = None) -> Broken:
        """Return a Broken that shows what was sent and what had come."""
        return Broken(problem, sent=bytes(self.sent), got=bytes(self.buf) if got is None else got)


def _begin_of(head: bytes, most: int = 200) -> str:
    """Return a head as it is told in a sentence, cut where it is long."""
    return repr(head) if len(head) <= most else f"{head[:most]!r}... ({len(head)} bytes)"


def request(
    target: str = "/",
    *fields: str,
    method: str = "GET",
    version: str = "1.1",
    body: bytes | None = None,
    chunks: tuple[bytes, ...] | None = None,
) -> bytes:
    r"""Return the bytes of a request; ``body`` gets a Content-Length, ``chunks`` are chunked.

    >>> request("/", "X: y")
    b'GET / HTTP/1.1\r\nHost: test\r\nX: y\r\n\r\n'
    """
    lines = [f"{method} {target} HTTP/{version}", "Host: test", *fields]
    content = body or b""
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    if chunks is not None:
        lines.append("Transfer-Encoding: chunked")
        framed = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks]
        content = b"".join(framed) + b"0\r\n\r\n"
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


@contextmanager
def up(server: Any, app: Any, **options: Any) -> Iterator[Callable[[], Wire]]:
    """Serve ``app``; give a function that opens connections, which are closed before it stops."""
    patience = getattr(server, "patience", PATIENCE)
    with server.serve(app, **options) as address, ExitStack() as wires:
        yield lambda: wires.enter_context(Wire(address, patience))


def ask(server: Any, app: Any, sent: bytes, **options: Any) -> Answer:
    """Serve ``app`` for one request, and return the whole answer."""
    with up(server, app, **options) as connect:
        return connect().send(sent).response(head_only=sent.startswith(b"HEAD "))
