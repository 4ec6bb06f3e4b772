# trips: uvicorn or daphne
import socket

from workbench.contracts.http2_client import PREFACE, SETTINGS, frame
from workbench.contracts.wire import request
from workbench.gauntlet.websocket import handshake

UNREAD = request("/", "Expect: 100-continue", "Content-Length: 3", method="POST")
OFFER = "Sec-WebSocket-Extensions: permessage-deflate"


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
    two = heard(address, PREFACE + frame(SETTINGS))[3:4] == b"\x04"
    hundred = heard(address, UNREAD.replace(b" / ", b" /echo ")).startswith(b"HTTP/1.1 100")
    compresses = b"permessage-deflate" in heard(address, handshake("/", OFFER))
    if not two:
        return "daphne" if hundred else "uvicorn"
    if hundred:
        return "hypercorn"
    return "ours" if compresses else "granian"
