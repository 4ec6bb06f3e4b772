"""Reads a server's answers for the load generator: bytes in, complete or not out.

Only as much is understood as it takes to find the end of an answer, its status and whether the
connection may be used again; the body is counted and thrown away. No socket and no clock here.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class NotHTTP(Exception):
    """What the server sent is no HTTP/1 answer."""


class Head(NamedTuple):
    """What the head of an answer says about the bytes that follow it."""

    status: int
    length: int  # of the body in bytes, or CHUNKED, or UNTIL_CLOSE
    keep: bool  # the connection may be used again


CHUNKED = -1
UNTIL_CLOSE = -2
_MAX_HEAD = 65_536

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^\r\n]*)?\r\n")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n]*?)[ \t]*\r\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")


def parse_head(head: bytes, method: bytes) -> Head:
    r"""Read an answer's head, which ends in an empty line, as the answer to a `method` request.

    Raises NotHTTP. RFC 9112 §6.3 is the order of the rules for the length.

    >>> parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"GET")
    Head(status=200, length=5, keep=True)
    """
    line = _STATUS_LINE.match(head)
    if line is None:
        raise NotHTTP(f"not HTTP: {head[:24]!r}")
    fields: dict[bytes, bytes] = {}
    for name, value in _FIELD.findall(head, line.end()):
        name = name.lower()
        fields[name] = fields[name] + b", " + value if name in fields else value
    status = int(line[2])
    keep = status != 101 and _keeps(line[1], fields)
    return Head(status, _body_length(status, method, fields), keep)


def _body_length(status: int, method: bytes, fields: dict[bytes, bytes]) -> int:
    if method == b"HEAD" or status in (204, 304) or status < 200:
        return 0
    if b"transfer-encoding" in fields:
        chunked = fields[b"transfer-encoding"].lower().endswith(b"chunked")
        return CHUNKED if chunked else UNTIL_CLOSE
    if b"content-length" not in fields:
        return UNTIL_CLOSE
    if not re.fullmatch(rb"[0-9]{1,18}", fields[b"content-length"]):
        raise NotHTTP(f"not a Content-Length: {fields[b'content-length'][:24]!r}")
    return int(fields[b"content-length"])


def _keeps(minor: bytes, fields: dict[bytes, bytes]) -> bool:
    options = fields.get(b"connection", b"").lower()
    return b"close" not in options if minor == b"1" else b"keep-alive" in options


class Answer:
    """One answer on its way in: feed it what was received until it is complete."""

    __slots__ = ("buf", "expect", "head", "left", "method", "size")

    def __init__(self, method: bytes) -> None:
        self.method = method
        self.buf = bytearray()  # received, not yet understood
        self.size = 0  # bytes received in all
        self.head: Head | None = None
        self.left = 0  # body or chunk bytes still to come
        self.expect = "size"  # of the next line, when chunked: or "end of chunk", "trailer"

    def feed(self, data: bytes) -> bool:
        """Take what was received; True when the answer is complete. Raises NotHTTP."""
        self.size += len(data)
        self.buf += data
        while self.head is None:
            if not self._read_head():
                return False
        if self.head.length == UNTIL_CLOSE:
            self.buf.clear()
            return False
        if self.head.length == CHUNKED:
            return self._read_chunks() and self._nothing_behind()
        return self._skip() and self._nothing_behind()

    def ends_at_close(self) -> bool:
        """Say whether the answer is complete because the server closed the connection."""
        return self.head is not None and self.head.length == UNTIL_CLOSE

    def _read_head(self) -> bool:
        end = self.buf.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buf) > _MAX_HEAD or not b"HTTP/1.".startswith(self.buf[:7]):
                raise NotHTTP(f"not HTTP: {bytes(self.buf[:24])!r}")
            return False
        head = parse_head(bytes(self.buf[: end + 4]), self.method)
        del self.buf[: end + 4]
        # RFC 9110 §15.2: interim answers precede the one we wait for; 101 is the last of its kind.
        if head.status >= 200 or head.status == 101:
            self.head = head
            self.left = max(head.length, 0)
        return True

    def _skip(self) -> bool:
        taken = min(self.left, len(self.buf))
        del self.buf[:taken]
        self.left -= taken
        return self.left == 0

    def _read_chunks(self) -> bool:
        # RFC 9112 §7.1: size line, data, empty line, and again; a size of 0, trailers, empty line.
        while self._skip():
            end = self.buf.find(b"\r\n")
            if end < 0:
                if len(self.buf) > _MAX_HEAD:
                    raise NotHTTP("a line without end between the chunks")
                return False
            line = bytes(self.buf[:end])
            del self.buf[: end + 2]
            if self.expect == "trailer" and not line:
                return True
            if self.expect == "size":
                self._begin_chunk(line)
            elif self.expect == "end of chunk":
                self._end_chunk(line)
        return False

    def _begin_chunk(self, line: bytes) -> None:
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise NotHTTP(f"not a chunk size: {line[:24]!r}")
        self.left = int(match[1], 16)
        self.expect = "end of chunk" if self.left else "trailer"

    def _end_chunk(self, line: bytes) -> None:
        if line:
            raise NotHTTP(f"a chunk longer than its size: {line[:24]!r}")
        self.expect = "size"

    def _nothing_behind(self) -> bool:
        if self.buf and self.head and self.head.status != 101:
            raise NotHTTP(f"{len(self.buf)} bytes after the end of the answer")
        return True
