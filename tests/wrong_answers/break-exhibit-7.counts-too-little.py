# trips: our server answers it with 200, twice
"""The length is one short, so a byte of the body begins the second request."""


def packet():
    second = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
    return b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nhello " + second
