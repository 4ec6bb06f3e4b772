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
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
