"""What the tests of TLS serve with, and talk with: clients that behave, and clients that do not."""

from __future__ import annotations

import ssl
from contextlib import contextmanager

from contracts import async_shells, shells

from handmade.tls_files import load
from workbench.certificates import certificate
from workbench.contracts.wire import Wire

PATIENCE = 10.0
CERTIFICATE = certificate()
ASYNC = ("asyncio", "uvloop", "loop")
BLOCKING = ("one", "threads")
BIG = 10_000_000
BLOCK = b"x" * 65536


def tls(*protocols):
    """Return what a server needs, new each time: a test may change what it offers."""
    made = load(CERTIFICATE.certfile, CERTIFICATE.keyfile)
    if protocols:
        made.offer(*protocols)
    return made


async def asgi(scope, receive, send):
    """Do what ``wsgi`` does, the ASGI way."""
    if scope["type"] != "http":
        raise NotImplementedError
    pieces, more = [], scope["path"] != "/early"
    while more:
        message = await receive()
        pieces.append(message["body"])
        more = message["more_body"]
    content = b"".join(pieces) or b"Hello, world!"
    headers = []
    if scope["path"] == "/early":
        headers = [(b"connection", b"close")]
    elif scope["path"] != "/stream":
        headers = [(b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["path"] == "/half":
        await send({"type": "http.response.body", "body": content[:5], "more_body": True})
        raise RuntimeError("half way")
    if scope["path"] == "/stream":
        for _ in range(int(scope["query_string"])):
            await send({"type": "http.response.body", "body": BLOCK, "more_body": True})
        content = b""
    await send({"type": "http.response.body", "body": content})


def wsgi(environ, start_response):
    """Echo a body, or say hello; /stream sends many blocks, /half fails in the middle, /early
    does not read."""
    path = environ["PATH_INFO"]
    content = b"" if path == "/early" else environ["wsgi.input"].read()
    content = content or b"Hello, world!"
    if path == "/stream":
        start_response("200 OK", [])
        return (BLOCK for _ in range(int(environ["QUERY_STRING"])))
    start_response("200 OK", [("Content-Length", str(len(content)))])
    return fails(content[:5]) if path == "/half" else [content]


def fails(content):
    yield content
    raise RuntimeError("half way")


@contextmanager
def serving(shell, engine="http1", *, app=None, **how):
    """Serve over TLS in a thread; give the address."""
    how = {"tls": tls(), **how}
    if shell in ASYNC:
        with async_shells.serving(app or asgi, shell, engine, **how) as server:
            yield server.address
    else:
        with shells.serving(app or wsgi, shell, engine, **how) as address:
            yield address


@contextmanager
def connected(address, *protocols, version=None, context=None, session=None):
    """Give a client that has shaken hands; it takes an end without close_notify for a reset."""
    context = context or CERTIFICATE.context(*protocols)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    with Wire(address, PATIENCE) as wire:
        wire.socket = context.wrap_socket(
            wire.socket,
            server_hostname="localhost",
            suppress_ragged_eofs=False,
            session=session,
        )
        yield wire


def ask(wire, sent):
    """Send a request; return its answer."""
    return wire.send(sent).response()


def get(path="/", *fields):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *fields, "", ""]).encode()


def post(body, path="/", *fields):
    length = f"Content-Length: {len(body)}"
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", length, *fields, "", ""])
    return head.encode() + body


class Bio:
    """A client's TLS without a socket: whoever wants to cut ciphertext where it hurts needs it."""

    def __init__(self, *protocols):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = CERTIFICATE.context(*protocols).wrap_bio(
            self.incoming, self.outgoing, server_hostname="localhost"
        )
        self.ended = False

    def shake(self, data=b""):
        """Take the server's words; return ours, and whether all is said."""
        self.incoming.write(data)
        try:
            self.object.do_handshake()
        except ssl.SSLWantReadError:
            return self.outgoing.read(), False
        return self.outgoing.read(), True

    def encrypt(self, data):
        self.object.write(data)
        return self.outgoing.read()

    def close(self):
        try:
            self.object.unwrap()
        except ssl.SSLError:
            pass
        return self.outgoing.read()

    def decrypt(self, data):
        self.incoming.write(data)
        pieces = []
        try:
            while piece := self.object.read(65536):
                pieces.append(piece)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:  # close_notify, when we have sent ours
            self.ended = True
        return b"".join(pieces)
