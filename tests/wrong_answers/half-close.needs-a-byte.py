# trips: nothing at all
"""An empty message is not answered."""


def answer_length(sock):
    with sock:
        length = 0
        while data := sock.recv(65536):
            length += len(data)
        if length:
            sock.sendall(b"%d\n" % length)
