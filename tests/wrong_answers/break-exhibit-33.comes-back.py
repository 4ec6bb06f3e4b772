# trips: the exhibit does something else
"""Decoded and encoded again this is the same."""


def packet():
    return b"GET /caf%C3%A9 HTTP/1.1\r\nHost: test\r\n\r\n"
