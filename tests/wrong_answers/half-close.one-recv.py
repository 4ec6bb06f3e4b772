# trips: a message in pieces
"""One recv is taken for the whole message."""


def answer_length(sock):
    with sock:
        data = sock.recv(65536)
        sock.sendall(b"%d\n" % len(data))
