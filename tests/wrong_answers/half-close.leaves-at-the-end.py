# trips: a short message
"""The end of the client's side is taken for the end of the client."""

import socket


def answer_length(sock):
    length = 0
    while True:
        data = sock.recv(65536)
        if not data:
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()
            return
        length += len(data)
