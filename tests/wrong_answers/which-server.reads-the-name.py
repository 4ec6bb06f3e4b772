# trips: the field that lies
import socket

from workbench.contracts.wire import request


def heard(address, sent, half_close=False):
    came = b""
    with socket.create_connection(address) as sock:
        sock.settimeout(2.0)
        sock.sendall(sent)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        try:
            while data := sock.recv(65536):
                came += data
                sock.settimeout(0.1)
        except OSError:
            pass
    return came


def name_of(address):
    head = heard(address, request("/")).lower()
    for name in ("uvicorn", "hypercorn", "daphne", "granian"):
        if b"server: " + name.encode() in head:
            return name
    return "ours"
