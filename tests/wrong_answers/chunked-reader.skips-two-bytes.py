# trips: a size that is not true
"""Skips two bytes behind a chunk's content, whatever they are."""

from handmade import grammar


def read_chunked(buf):
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
        content += buf[at:end]
        at = end + 2
    trailers = grammar.FIELD_BLOCK.match(buf, at)
    if trailers is None:
        return None
    del buf[: trailers.end()]
    return content
