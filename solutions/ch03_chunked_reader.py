"""★★ chunked-reader: read a chunked body, whole or not at all.

Given: in ``grammar``, compiled: CHUNK_LINE, a chunk's size line with extensions and CRLF (the size
is group 1), FIELD_BLOCK, fields or none and the empty line behind them, and BARE_LF.

Write ``read_chunked(buf)``. ``buf`` is a bytearray of what has come behind the head. When the whole
body is there, trailers too, delete it from ``buf`` and return its content as bytes. When it is not,
return None and leave ``buf`` alone.

Raise ValueError for what no further bytes can make right: for a wrong byte behind a chunk's content
at once, for a bent size line at the latest when its line feed is here, for bent trailers when their
empty line is, or a bare LF. There are no limits.

The check cuts good bodies at every byte, puts requests behind them, and lies about sizes.
"""

from __future__ import annotations

from handmade import grammar


def read_chunked(buf: bytearray) -> bytes | None:
    """Take a chunked body from the front of ``buf`` (RFC 9112 §7.1)."""
    ### BEGIN SOLUTION
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
        if not b"\r\n".startswith(buf[end : end + 2]):
            raise ValueError("a chunk is longer than its size")
        if len(buf) < end + 2:
            return None
        content += buf[at:end]
        at = end + 2
    trailers = grammar.FIELD_BLOCK.match(buf, at)
    if trailers is None:
        if b"\r\n\r\n" in buf[at:] or grammar.BARE_LF.search(buf, at):
            raise ValueError("the trailers are no fields")
        return None
    del buf[: trailers.end()]
    return content
    ### END SOLUTION
