# trips: two clients, one after the other
"""The loop closes the socket while the thread still reads from it."""

import socket
import threading


def read_head(sock: socket.socket) -> bytes:
    """Return the head of a request; b"" when the client left before its end."""
    buf = b""
    while b"\r\n\r\n" not in buf:
        data = sock.recv(1024)
        if not data:
            return b""
        buf += data
    return buf[: buf.index(b"\r\n\r\n") + 4]


def mirror(sock: socket.socket) -> None:
    """Answer one request with its own head, and part from the client."""
    if head := read_head(sock):
        fields = b"Connection: close\r\nContent-Length: %d\r\n" % len(head)
        sock.sendall(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + head)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass


def serve(listener):
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=mirror, args=(sock,), daemon=True).start()
        sock.close()
