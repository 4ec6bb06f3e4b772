# trips: the exhibit does something else
"""Two requests without a body."""


def packet():
    return b"GET / HTTP/1.1\r\nHost: test\r\n\r\n" * 2
