# trips: our server answers it with 200
"""A request of HTTP/1.1 without a Host."""


def packet():
    return b"GET / HTTP/1.1\r\nX-Close:yes\r\n\r\n"
