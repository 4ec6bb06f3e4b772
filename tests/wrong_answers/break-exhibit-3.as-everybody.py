# trips: the exhibit does something else
"""A field as everybody writes it."""


def packet():
    return b"GET / HTTP/1.1\r\nHost: test\r\nX-Close: yes\r\n\r\n"
