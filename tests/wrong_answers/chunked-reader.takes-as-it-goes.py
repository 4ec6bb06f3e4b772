# trips: cut at every byte
"""Deletes each chunk from the buffer before the whole body is there."""

from handmade import grammar


def read_chunked(buf):
    content = b""
    while True:
        line = grammar.CHUNK_LINE.match(buf)
        if line is None:
            if b"\n" in buf:
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
        del buf[: end + 2]
    trailers = grammar.FIELD_BLOCK.match(buf, at)
    if trailers is None:
        return None
    del buf[: trailers.end()]
    return content
