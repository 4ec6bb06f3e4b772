# trips: a request in two pieces
"""One recv is taken for one request."""


def read_head(sock):
    data = sock.recv(65536)
    if not data:
        raise EOFError
    head, blank_line, rest = data.partition(b"\r\n\r\n")
    return head + blank_line, rest
