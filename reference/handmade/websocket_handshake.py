"""The opening handshake (RFC 6455 §4.2.1): a request that would become a WebSocket, and its answer.

A Request comes in, the fields of a 101 go out, or an error with the status that the client gets.
Frames are not known here, nor who accepts.

>>> accept_key(b"dGhlIHNhbXBsZSBub25jZQ==")
b's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
"""

from __future__ import annotations

import binascii
import hashlib
import re
from dataclasses import dataclass

from . import grammar
from .events import Fields, OurError, PeerError, Request
from .websocket_deflate import Agreed, Offer, read_offers

# RFC 6455 §1.3: nobody who does not speak this protocol would append that to a key.
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

# RFC 6455 §4.1: the base64 of 16 bytes.  The last digit has four bits that no byte is made of;
# section 4 of RFC 4648 wants them zero, and there are clients that do not care, so nor do we.
KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")


class HandshakeError(PeerError):
    """The client's handshake is wrong; ``fields`` belong into the answer."""

    def __init__(self, status: int, reason: str, fields: Fields = ()) -> None:
        super().__init__(status, reason)
        self.fields = fields


@dataclass(frozen=True, slots=True)
class Handshake:
    """Hold what a client's handshake says; ``offers`` are those to compress, the best first.

    Over HTTP/2 there is no ``key``: no old server takes a stream for something else (RFC 8441 §5).
    """

    key: bytes
    subprotocols: tuple[str, ...] = ()
    offers: tuple[Offer, ...] = ()


def is_upgrade(request: Request) -> bool:
    """Tell whether a request asks for a WebSocket; whether it asks rightly is not looked at."""
    options = _tokens(request.fields, b"connection")
    return b"upgrade" in options and b"websocket" in _tokens(request.fields, b"upgrade")


def read_handshake(request: Request) -> Handshake:
    """Return what a handshake says, after every check of RFC 6455 §4.2.1, or RFC 8441 §5.

    Raise HandshakeError: 426 for another version, with the one that we speak (§4.2.2) and Upgrade
    (RFC 9110 §15.5.22), 405 for another method, 400 for all else.
    """
    fields = request.fields
    key = b"" if request.version == b"2" else _read_upgrade(request)
    version = _only(fields, b"sec-websocket-version")
    if version != b"13":
        ours = ((b"Upgrade", b"websocket"), (b"Sec-WebSocket-Version", b"13"))
        raise HandshakeError(426, "the version must be 13 (RFC 6455 §4.2.2)", ours)
    extensions = b",".join(_values(fields, b"sec-websocket-extensions"))
    return Handshake(key, _subprotocols(fields), read_offers(extensions))


def _read_upgrade(request: Request) -> bytes:
    """Return the key, after the checks of what only HTTP/1.1 has."""
    fields = request.fields
    if request.method != b"GET":
        allow = ((b"Allow", b"GET"),)
        raise HandshakeError(405, "a WebSocket is asked for by GET (RFC 6455 §4.2.1)", allow)
    if request.version < b"1.1":
        raise HandshakeError(400, "a WebSocket needs HTTP/1.1 (RFC 6455 §4.2.1)")
    if len(_values(fields, b"host")) != 1:
        raise HandshakeError(400, "a handshake has one Host field (RFC 6455 §4.2.1)")
    if not is_upgrade(request):
        raise HandshakeError(400, "Upgrade or Connection do not ask for it (RFC 6455 §4.2.1)")
    key = _only(fields, b"sec-websocket-key")
    if not KEY.fullmatch(key):
        raise HandshakeError(400, "Sec-WebSocket-Key is not 16 bytes in base64 (RFC 6455 §4.2.1)")
    return key


def _values(fields: Fields, wanted: bytes) -> list[bytes]:
    return [value for name, value in fields if name == wanted]


def _tokens(fields: Fields, wanted: bytes) -> list[bytes]:
    values = _values(fields, wanted)
    return grammar.split_list(b",".join(values)) if values else []


def _only(fields: Fields, wanted: bytes) -> bytes:
    """Return the value of a field that must be there, and once (RFC 6455 §4.2.1)."""
    values = _values(fields, wanted)
    if len(values) != 1:
        raise HandshakeError(400, f"there must be one {wanted.decode()} (RFC 6455 §4.2.1)")
    return values[0]


def _subprotocols(fields: Fields) -> tuple[str, ...]:
    """Return the subprotocols that a client speaks, in its order: tokens, all different (§4.1)."""
    value = b",".join(_values(fields, b"sec-websocket-protocol"))
    names = [name for part in value.split(b",") if (name := part.strip(b" \t"))]
    if not all(grammar.FIELD_NAME.fullmatch(name) for name in names):
        raise HandshakeError(400, "a subprotocol is no token (RFC 6455 §4.1)")
    if len(set(names)) < len(names):
        raise HandshakeError(400, "a subprotocol is offered twice (RFC 6455 §4.1)")
    return tuple([name.decode() for name in names])


def accept_key(key: bytes) -> bytes:
    """Return the answer to a key (RFC 6455 §4.2.2): it proves that we know what was asked."""
    digest = hashlib.sha1(key + GUID, usedforsecurity=False).digest()
    return binascii.b2a_base64(digest, newline=False)


def accept_fields(
    handshake: Handshake, subprotocol: str | None, extra: Fields, deflate: Agreed | None
) -> Fields:
    """Return the fields of the answer that accepts (RFC 6455 §4.2.2), ``extra`` at the end.

    Raise OurError for a subprotocol that was not offered, and for extra fields that are ours.
    """
    fields = []
    if handshake.key:  # RFC 8441 §5: a stream of HTTP/2 needs none of these
        fields = [
            (b"Upgrade", b"websocket"),
            (b"Connection", b"Upgrade"),
            (b"Sec-WebSocket-Accept", accept_key(handshake.key)),
        ]
    if subprotocol is not None:
        if subprotocol not in handshake.subprotocols:
            raise OurError(f"the client did not offer {subprotocol!r:.80} (RFC 6455 §4.2.2)")
        fields.append((b"Sec-WebSocket-Protocol", subprotocol.encode()))
    if deflate is not None:
        fields.append((b"Sec-WebSocket-Extensions", deflate.answer))
    for name, _ in extra:
        lower = name.lower()
        if lower.startswith(b"sec-websocket-") or lower in (b"upgrade", b"connection"):
            raise OurError(f"the field {name!r} is a part of the handshake (RFC 6455 §4.2.2)")
    return [*fields, *extra]
