# trips: all five, in any order, twice
import socket

from workbench.contracts.http2_client import PREFACE, SETTINGS, frame
from workbench.contracts.wire import request

UNREAD = request("/", "Expect: 100-continue", "Content-Length: 3", method="POST")


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
    hundred = heard(address, UNREAD).startswith(b"HTTP/1.1 100")
    left = {True: ["hypercorn", "granian", "ours"], False: ["uvicorn", "daphne"]}[two]
    if hundred:
        name = "hypercorn" if two else "daphne"
    elif not two:
        name = "uvicorn"
    else:
        name = next((each for each in left[1:] if each not in seen), "ours")
    seen.add(name)
    return name


seen = set()
