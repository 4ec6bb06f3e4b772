# trips: the exhibit does something else
"""The escape stands in the query, which is no part of the path."""


def packet():
    return b"GET /a?b=%41 HTTP/1.1\r\nHost: test\r\n\r\n"
