# trips: content with line ends in it
"""Cuts the body at CRLF and takes every second line for content."""

import re


def read_chunked(buf):
    end = re.search(rb"(?:^|\r\n)0+\r\n\r\n", bytes(buf))
    if not end:
        return None
    lines = bytes(buf[: end.start()]).split(b"\r\n")
    del buf[: end.end()]
    return b"".join(lines[1::2])
