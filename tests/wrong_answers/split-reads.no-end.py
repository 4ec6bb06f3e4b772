# trips: a client that leaves early
"""The end of the stream is not noticed."""


def read_head(sock):
    buf = b""
    while b"\r\n\r\n" not in buf:
        buf += sock.recv(65536)
    head, blank_line, rest = buf.partition(b"\r\n\r\n")
    return head + blank_line, rest
