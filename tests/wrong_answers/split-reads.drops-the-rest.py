# trips: bytes behind the head are kept
"""What was read behind the head is thrown away."""


def read_head(sock):
    buf = b""
    while b"\r\n\r\n" not in buf:
        data = sock.recv(65536)
        if not data:
            raise EOFError
        buf += data
    return buf.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", b""
