# trips: our server answers it with 200
"""The blank stands on the wrong side of the colon."""


def packet():
    return b"GET / HTTP/1.1\r\nHost: test\r\nX-Close :yes\r\n\r\n"
