# trips: a size that is a lie already
"""Looks behind the content when both bytes are there."""

from __future__ import annotations

from handmade import grammar


def read_chunked(buf: bytearray) -> bytes | None:
    """Take a chunked body from the front of ``buf`` (RFC 9112 §7.1)."""
    at, content = 0, b""
    while True:
        line = grammar.CHUNK_LINE.match(buf, at)
        if line is None:
            if b"\n" in buf[at:]:
                raise ValueError("this is no size line")
            return None
        at, size = line.end(), int(line[1], 16)
        if size == 0:
            break
        end = at + size
        if len(buf) < end + 2:
            return None
        if buf[end : end + 2] != b"\r\n":
            raise ValueError("a chunk is longer than its size")
        content += buf[at:end]
        at = end + 2
    trailers = grammar.FIELD_BLOCK.match(buf, at)
    if trailers is None:
        if b"\r\n\r\n" in buf[at:] or grammar.BARE_LF.search(buf, at):
            raise ValueError("the trailers are no fields")
        return None
    del buf[: trailers.end()]
    return content
