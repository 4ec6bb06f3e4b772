# trips: a request in one piece
"""Reads until the client closes, and the client waits for an answer."""


def read_head(sock):
    buf = b""
    while data := sock.recv(65536):
        buf += data
    if b"\r\n\r\n" not in buf:
        raise EOFError
    head, blank_line, rest = buf.partition(b"\r\n\r\n")
    return head + blank_line, rest
