# trips: a million bytes
"""Reads a part, and closes while bytes wait unread: the close becomes a reset."""


def answer_length(sock):
    with sock:
        length = 0
        while length < 100_000 and (data := sock.recv(1000)):
            length += len(data)
        sock.sendall(b"%d\n" % length)
