# trips: a request byte by byte
"""The blank line is looked for in the newest piece alone."""


def read_head(sock):
    buf = b""
    while True:
        data = sock.recv(65536)
        if not data:
            raise EOFError
        buf += data
        if b"\r\n\r\n" in data:
            head, blank_line, rest = buf.partition(b"\r\n\r\n")
            return head + blank_line, rest
