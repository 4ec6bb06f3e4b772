# trips: our server answers it with 200, twice
"""The first request says that nothing comes behind it."""


def packet():
    first = b"POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
    return first + b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
