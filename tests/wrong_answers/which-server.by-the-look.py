# trips: behind a proxy
import socket

from workbench.contracts.wire import request


def name_of(address):
    with socket.create_connection(address) as sock:
        sock.sendall(request("/"))
        head = sock.recv(4096).partition(b"\r\n\r\n")[0]
    if head.startswith(b"HTTP/1.1 200 \r\n"):
        return "hypercorn"
    if b"Content-Type" in head:
        return "daphne"
    names = [line.partition(b":")[0] for line in head.split(b"\r\n")]
    if names[1] == b"date":
        return "uvicorn"
    return "granian" if names[-1] == b"date" else "ours"
