# trips: our server answers it with 200
"""Bytes beyond ASCII in the request line."""


def packet():
    return b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: test\r\n\r\n"
