# trips: the socket is given back
"""Ends the sending side, and never closes."""

from __future__ import annotations

import socket


def answer_length(sock: socket.socket) -> None:
    """Tell the client how many bytes it has sent, when it has sent them all."""
    length = 0
    while data := sock.recv(65536):
        length += len(data)
    sock.sendall(b"%d\n" % length)
    sock.shutdown(socket.SHUT_WR)
