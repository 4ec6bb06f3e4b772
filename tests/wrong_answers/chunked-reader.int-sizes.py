# trips: a size that int() would like too
"""Leaves sizes to int()."""

from handmade import grammar


def read_chunked(buf):
    at, content = 0, b""
    while True:
        line_end = buf.find(b"\r\n", at)
        if line_end < 0:
            return None
        size = int(bytes(buf[at:line_end]).split(b";")[0], 16)
        at = line_end + 2
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
        return None
    del buf[: trailers.end()]
    return content
