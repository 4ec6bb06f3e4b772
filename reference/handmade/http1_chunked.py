"""Chunked transfer coding, read: a body whose length nobody knew when it began (RFC 9112 §7.1).

A ``bytearray`` comes in and content goes out; sizes, extensions and line ends stay here.

>>> reader = ChunkedReader(Limits())
>>> buf = bytearray(b"5\\r\\nhello\\r\\n0\\r\\n\\r\\nGET")
>>> reader.read(buf).data, reader.read(buf), bytes(buf)
(b'hello', End(trailers=(), stream_id=0), b'GET')
"""

from __future__ import annotations

from enum import Enum

from . import grammar
from .events import Data, End, Limits, PeerError


class Expect(Enum):
    """What comes next in a chunked body."""

    SIZE = "a chunk's size line"
    CONTENT = "a chunk's content"
    LINE_END = "the CRLF behind a chunk's content"
    TRAILERS = "the trailer section and its empty line"


class ChunkedReader:
    """Read a chunked body (RFC 9112 §7.1).

    ::

        SIZE ──size > 0──▶ CONTENT ──all of it──▶ LINE_END ──CRLF──▶ SIZE
          └───size = 0──▶ TRAILERS ──empty line──▶ End
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.expect = Expect.SIZE
        self.chunk_left = 0
        self.total = 0
        self.overhead = 0
        self.scanned = 0

    def read(self, buf: bytearray) -> Data | End | None:
        """Take all content that is there as one Data, or the End, or None.

        Small chunks are joined: a client that sends a byte a chunk shall not cost an event a byte.
        Raise PeerError 400 for broken framing, 413 for too much content.
        """
        parts: list[bytes] = []
        while self.expect is not Expect.TRAILERS and self._read_part(buf, parts):
            pass
        if parts:
            return Data(b"".join(parts))
        if self.expect is Expect.TRAILERS:
            return self._read_end(buf)
        return None

    def _read_part(self, buf: bytearray, parts: list[bytes]) -> bool:
        """Take the next piece of framing or content; False when it is not here yet."""
        if self.expect is Expect.SIZE:
            return self._read_size(buf)
        if self.expect is Expect.LINE_END:
            return self._read_line_end(buf)
        data = bytes(memoryview(buf)[: self.chunk_left])
        if not data:
            return False
        del buf[: len(data)]
        parts.append(data)
        self.chunk_left -= len(data)
        if self.chunk_left == 0:
            self.expect = Expect.LINE_END
        return True

    def _read_size(self, buf: bytearray) -> bool:
        """Take a size line: ``1a;name=value`` CRLF."""
        match = grammar.CHUNK_LINE.match(buf, 0, self.limits.chunk_line)
        if match is None:
            if b"\n" in buf[: self.limits.chunk_line]:
                raise PeerError(
                    400, "a chunk's size line is not 'hex digits[;extension] CRLF' (RFC 9112 §7.1)"
                )
            if len(buf) >= self.limits.chunk_line:
                raise PeerError(400, "a chunk's size line is too long (RFC 9112 §7.1.1)")
            return False
        size = int(match[1], 16)
        self._count(size, match.end() - len(b"%x\r\n" % size))
        del buf[: match.end()]
        self.chunk_left = size
        self.expect = Expect.CONTENT if size else Expect.TRAILERS
        return True

    def _count(self, size: int, overhead: int) -> None:
        """Keep the totals bounded (RFC 9112 §7.1.1).

        ``overhead``, extensions and leading zeros, costs an attacker no content: bound that too.
        """
        self.total += size
        self.overhead += overhead
        if self.total > self.limits.body:
            raise PeerError(413, f"the body is over {self.limits.body} bytes (RFC 9110 §15.5.14)")
        if self.overhead > self.limits.head:
            raise PeerError(400, "the chunk extensions are too long (RFC 9112 §7.1.1)")

    def _read_line_end(self, buf: bytearray) -> bool:
        """Take the CRLF that closes a chunk: anything else means that the size was a lie."""
        if len(buf) < 2 and b"\r\n".startswith(buf):
            return False
        if buf[:2] != b"\r\n":
            raise PeerError(400, "a chunk is longer than its size (RFC 9112 §7.1)")
        del buf[:2]
        self.expect = Expect.SIZE
        return True

    def _read_end(self, buf: bytearray) -> End | None:
        """Take the trailer section, of which ``scanned`` bytes were looked at before (§7.1.2)."""
        most = self.limits.head
        if (
            not buf.startswith(b"\r\n")
            and buf.find(b"\r\n\r\n", max(0, self.scanned - 3), most) < 0
        ):
            if grammar.BARE_LF.search(buf, max(0, self.scanned - 1), most):
                raise PeerError(400, "a trailer line ends in LF without CR (RFC 9112 §2.2)")
            if len(buf) >= most:
                raise PeerError(431, f"the trailers are over {most} bytes (RFC 6585 §5)")
            self.scanned = len(buf)
            return None
        match = grammar.FIELD_BLOCK.match(buf)
        if match is None:
            raise PeerError(400, "the trailer section is malformed (RFC 9112 §7.1.2)")
        trailers = grammar.split_fields(match[1])
        if len(trailers) > self.limits.fields:
            raise PeerError(431, f"over {self.limits.fields} trailer fields (RFC 6585 §5)")
        del buf[: match.end()]
        return End(trailers)
