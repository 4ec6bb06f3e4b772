# trips: our server answers it with 200, twice
"""The length counts the second request too."""


def packet():
    second = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
    return b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 35\r\n\r\nhello" + second
