"""★★ chunked-reader: read a chunked body, whole or not at all.

Given: in ``grammar``, CHUNK_LINE, a pattern for a chunk's size line (the size is group 1), and
FIELD_BLOCK, one for a block of fields, empty or not, and the empty line behind it.

Write ``read_chunked(buf)``. ``buf`` is a bytearray of what has come behind a head that said
``Transfer-Encoding: chunked``. When the whole body is there, trailers too, delete it from the front
of ``buf`` and return its content. When it is not, return None and leave ``buf`` as it is. Raise
ValueError for what no further bytes can make right. Limits are not asked for.

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
        if b"\r\n\r\n" in buf[at:]:
            raise ValueError("the trailers are no fields")
        return None
    del buf[: trailers.end()]
    return content
    ### END SOLUTION
