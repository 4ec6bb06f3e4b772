"""permessage-deflate (RFC 7692): what a client offers, and what both agree on.

The value of a Sec-WebSocket-Extensions field comes in, and that of the answer goes out.  How one
compresses is not known here: see ``websocket_zlib``.

>>> offers = read_offers(b"permessage-deflate; client_max_window_bits, x-unknown")
>>> negotiate(offers).answer
b'permessage-deflate; server_max_window_bits=12; client_max_window_bits=12'
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from . import grammar
from .events import PeerError

# RFC 6455 §9.1: extension = extension-token *( ";" extension-param )
#                extension-param = token [ "=" (token | quoted-string) ]
PARAMETER = re.compile(
    grammar.OWS + rb";" + grammar.OWS + rb"(" + grammar.TOKEN + rb")"
    rb"(?:" + grammar.OWS + rb"=" + grammar.OWS + rb"(" + grammar.TOKEN + rb"|" + grammar.QUOTED
    + rb"))?"
)  # fmt: skip
TOKEN = re.compile(grammar.TOKEN)
BETWEEN = re.compile(rb"[ \t]*+(?:,[ \t]*+)*")  # a list may have empty elements

NAME = b"permessage-deflate"
BITS = {b"%d" % bits: bits for bits in range(8, 16)}  # RFC 7692 §7.1.2.1: no leading zeros


@dataclass(frozen=True, slots=True)
class Offer:
    """Hold one way in which a client would compress (RFC 7692 §7.1).

    Window sizes are powers of two, 8 to 15; None where the client says nothing.  A
    ``client_max_window_bits`` without a value is 15 (§7.1.2.2).
    """

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int | None = None
    client_max_window_bits: int | None = None


@dataclass(frozen=True, slots=True)
class DeflateSettings:
    """How we would compress.

    A window of 2**12 bytes and ``memory`` 5 (zlib's memLevel) take some 30 KiB for each WebSocket,
    zlib's largest about 300.  What is smaller than a page finds its repetitions in 4 KiB too.
    """

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = 12
    client_max_window_bits: int = 12
    level: int = 6
    memory: int = 5


DEFAULT = DeflateSettings()


@dataclass(frozen=True, slots=True)
class Agreed:
    """Hold what both sides have agreed on; a window that nobody spoke of, None, is 2**15 bytes."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int | None = None
    client_max_window_bits: int | None = None
    level: int = 6
    memory: int = 8

    @property
    def answer(self) -> bytes:
        """Return the value of the answer's Sec-WebSocket-Extensions (RFC 7692 §7.1)."""
        parts = [NAME]
        for name in (b"server_no_context_takeover", b"client_no_context_takeover"):
            if getattr(self, name.decode()):
                parts.append(name)
        for name in (b"server_max_window_bits", b"client_max_window_bits"):
            if (bits := getattr(self, name.decode())) is not None:
                parts.append(b"%s=%d" % (name, bits))
        return b"; ".join(parts)


def read_offers(value: bytes) -> tuple[Offer, ...]:
    """Return the valid offers of permessage-deflate in a Sec-WebSocket-Extensions, in order.

    An offer with a parameter that we do not know, twice the same one, or a wrong value is declined,
    as if it were not there (RFC 7692 §7.1).  Raise PeerError 400 where the value is no list of
    extensions at all (RFC 6455 §9.1).
    """
    offers = []
    at = BETWEEN.match(value).end()  # type: ignore[union-attr]  # it matches nothing, too
    while at < len(value):
        name = TOKEN.match(value, at)
        if name is None:
            raise PeerError(400, "Sec-WebSocket-Extensions is no list (RFC 6455 §9.1)")
        at = name.end()
        parameters: list[tuple[bytes, bytes | None]] = []
        while parameter := PARAMETER.match(value, at):
            parameters.append((parameter[1], _unquoted(parameter[2])))
            at = parameter.end()
        behind = BETWEEN.match(value, at).end()  # type: ignore[union-attr]
        if behind < len(value) and b"," not in value[at:behind]:
            raise PeerError(400, "Sec-WebSocket-Extensions is no list (RFC 6455 §9.1)")
        at = behind
        if name[0].lower() == NAME and (offer := _offer(parameters)):
            offers.append(offer)
    return tuple(offers)


def _unquoted(value: bytes | None) -> bytes | None:
    """Return a parameter's value without its quotes; it must be a token then (RFC 6455 §9.1)."""
    if value is None or not value.startswith(b'"'):
        return value
    inner = re.sub(rb"\\(.)", rb"\1", value[1:-1])
    if not TOKEN.fullmatch(inner):
        raise PeerError(400, "an extension's value in quotes is no token (RFC 6455 §9.1)")
    return inner


def _offer(parameters: Sequence[tuple[bytes, bytes | None]]) -> Offer | None:
    """Return one offer, or None where it must be declined (RFC 7692 §7.1)."""
    found: dict[str, int | bool] = {}
    for name, value in parameters:
        bits = BITS.get(value) if value is not None else None
        match name:
            case b"server_no_context_takeover" | b"client_no_context_takeover" if value is None:
                known: int | bool = True
            case b"server_max_window_bits" | b"client_max_window_bits" if bits:
                known = bits
            case b"client_max_window_bits" if value is None:
                known = 15
            case _:
                return None
        if name.decode() in found:
            return None
        found[name.decode()] = known
    return Offer(**found)  # type: ignore[arg-type]  # the cases above give each its type


def negotiate(offers: Sequence[Offer], settings: DeflateSettings = DEFAULT) -> Agreed | None:
    """Return what we agree to of a client's offers, the first being its favourite (RFC 7692 §5).

    Either side's wish to save memory is granted: a smaller window, no context taken over.  Only of
    ``client_max_window_bits`` nothing may be said to a client that did not offer it (§7.1.2.2).
    """
    if not offers:
        return None
    offer = offers[0]
    client_bits = offer.client_max_window_bits
    if client_bits is not None:
        client_bits = min(client_bits, settings.client_max_window_bits)
    return Agreed(
        offer.server_no_context_takeover or settings.server_no_context_takeover,
        offer.client_no_context_takeover or settings.client_no_context_takeover,
        min(offer.server_max_window_bits or 15, settings.server_max_window_bits),
        client_bits,
        settings.level,
        settings.memory,
    )
