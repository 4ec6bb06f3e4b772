# trips: an answer
"""Cuts behind the version, which stands at the end of a request line only."""


def first_line(raw):
    return raw[: raw.index(b"HTTP/1.1") + 8]
