"""★★ which-server: five ASGI servers without a name. Who answers there?

Uvicorn (with httptools), Hypercorn, Daphne, Granian and ours, each started plainly, run the same
application. Write ``name_of(address)``: ask whatever you like at ``address``, a pair of host and
port, and return who answers: "uvicorn", "hypercorn", "daphne", "granian" or "ours".

The application knows `/` (at once, reads no body), `/echo` (reads the body first), `/slow` (after
0.15 s), `/stream` (two parts, without a length), and is a WebSocket that echoes. It sends a Server
field, and the field lies. Look into the feature table of the chapter for rows in which the five
differ: three of them are enough.

``heard`` is given. The check asks for each server more than once, in any order, also behind a proxy
that makes their heads look alike. A name may take three seconds.
"""

import socket

from workbench.contracts.http2_client import PREFACE, SETTINGS, frame
from workbench.contracts.wire import request
from workbench.gauntlet.websocket import handshake

Address = tuple[str, int]


def heard(address: Address, sent: bytes, half_close: bool = False) -> bytes:
    """Send bytes on a connection of their own; return what comes until the end, or a silence."""
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
        except OSError:  # silence, or a reset
            pass
    return came


def name_of(address: Address) -> str:
    """Return who answers at an address."""
    ### BEGIN SOLUTION
    # "HTTP/2 without TLS": the answer to the preface is a frame of SETTINGS, or an error.
    speaks_http2 = heard(address, PREFACE + frame(SETTINGS))[3:4] == bytes([SETTINGS])
    # "Expect, unread": the application answers without reading; who says 100 first?
    fields = "Connection: close", "Expect: 100-continue", "Content-Length: 3"
    unread = request("/", *fields, method="POST")
    says_100 = heard(address, unread).startswith(b"HTTP/1.1 100")
    if not speaks_http2:
        return "daphne" if says_100 else "uvicorn"
    if says_100:
        return "hypercorn"
    # "permessage-deflate"
    offer = "Sec-WebSocket-Extensions: permessage-deflate"
    compresses = b"permessage-deflate" in heard(address, handshake("/", offer))
    return "ours" if compresses else "granian"
    ### END SOLUTION
