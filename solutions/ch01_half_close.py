"""★★ half-close: answer a client that has finished speaking.

Given: a connected socket. Its client sends as many bytes as it likes, then closes its sending side
(``shutdown(SHUT_WR)``) and waits.

Write ``answer_length(sock)``. It reads all that the client sends, answers with the number of bytes
as decimal digits and a newline (``b"5\\n"`` for ``hello``), and closes the socket.

The check sends a short message, one in pieces, an empty one and a million bytes. Each time the
client must hear the right number, and then the end of the connection. At last it looks whether
your socket is closed.
"""

from __future__ import annotations

import socket


def answer_length(sock: socket.socket) -> None:
    """Tell the client how many bytes it has sent, when it has sent them all."""
    ### BEGIN SOLUTION
    with sock:
        length = 0
        while data := sock.recv(65536):
            length += len(data)
        sock.sendall(b"%d\n" % length)
    ### END SOLUTION
