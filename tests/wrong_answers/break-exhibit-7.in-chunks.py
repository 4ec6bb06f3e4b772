# trips: the exhibit does something else
"""The first body comes in chunks, and those the exhibit reads rightly."""


def packet():
    head = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"0\r\n\r\nGET / HTTP/1.1\r\nHost: test\r\n\r\n"
