"""A request's fields, judged (RFC 9113 §8); and a response's fields, as they go out.

The fields of a head come in as HPACK has them; a Request comes out, with the fields that HTTP/1.1
would have: what lies above need not know which of the two was spoken.  A malformed request costs
its stream (§8.1.1), never the connection; what is well formed and not served gets a status.

>>> pseudo = ((b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/a"), (b":authority", b"b"))
>>> read_head(pseudo, Limits()).request.fields
((b'host', b'b'),)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from hpack import NeverIndexedHeaderTuple

from . import grammar
from .events import Fields, Limits, PeerError, Request
from .http1_writing import OURS, WITHOUT_CONTENT, encode_fields
from .http2_events import Malformed

# RFC 9113 §8.2.1: no capitals, so that no two names are the same one; and no colon inside.
NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]++")
METHOD, TARGET = re.compile(grammar.TOKEN), re.compile(grammar.TARGET)
PSEUDO = frozenset((b":method", b":scheme", b":authority", b":path", b":protocol"))
# RFC 9113 §8.2.2: they speak about one connection of HTTP/1.1, and have no meaning here.
CONNECTION = OURS | {b"proxy-connection", b"upgrade"}


@dataclass(frozen=True, slots=True)
class Head:
    """A judged head.  ``length`` is its Content-Length; ``error`` says why it is not served."""

    request: Request
    length: int | None
    error: PeerError | None = None


def read_head(fields: Fields, limits: Limits) -> Head:
    """Return the request of a head; raise Malformed when its stream must be reset."""
    pseudo: dict[bytes, bytes] = {}
    others: list[tuple[bytes, bytes]] = []
    for name, value in fields:
        if name[:1] == b":":
            if name in pseudo or name not in PSEUDO or others:
                raise Malformed(f"{name!r} is unknown, twice there or too late (RFC 9113 §8.3)")
            _check_value(name, value)
            pseudo[name] = value
        else:
            check_field(name, value)
            others.append((name, value))
    request = _request(pseudo)
    length = _length([value for name, value in others if name == b"content-length"])
    request.fields = _with_host(pseudo, _with_one_cookie(others))
    error = _too_much(request, fields, length, limits) or _not_served(request, pseudo)
    return Head(request, length, error)


def check_field(name: bytes, value: bytes) -> None:
    """Raise Malformed for a field that must not be in a request, nor behind it (§8.2)."""
    if not NAME.fullmatch(name):
        raise Malformed(f"{name!r} is no name of a field (RFC 9113 §8.2.1)")
    _check_value(name, value)
    if name in CONNECTION or (name == b"te" and value.lower() != b"trailers"):
        raise Malformed(f"{name!r} speaks about a connection of HTTP/1.1 (RFC 9113 §8.2.2)")


def _check_value(name: bytes, value: bytes) -> None:
    """Raise Malformed for a value with a control character, or blanks around it (§8.2.1)."""
    if (
        not grammar.VALUE.fullmatch(value)
        or value[:1] in (b" ", b"\t")
        or value[-1:] in (b" ", b"\t")
    ):
        raise Malformed(f"the value of {name!r} is no field value (RFC 9113 §8.2.1)")


def check_trailers(fields: Fields) -> None:
    """Raise Malformed for fields that may not follow the content (RFC 9113 §8.1)."""
    for name, value in fields:
        check_field(name, value)  # a pseudo-header field has no valid name here (§8.3)


def _request(pseudo: dict[bytes, bytes]) -> Request:
    """Return the request that the pseudo-header fields make (RFC 9113 §8.3.1, §8.5, RFC 8441)."""
    method, scheme = pseudo.get(b":method", b""), pseudo.get(b":scheme")
    path, protocol = pseudo.get(b":path"), pseudo.get(b":protocol")
    if not METHOD.fullmatch(method):
        raise Malformed("there is no valid :method (RFC 9113 §8.3.1)")
    if method == b"CONNECT" and protocol is None:
        if scheme is not None or path is not None:
            raise Malformed("CONNECT has neither scheme nor path (RFC 9113 §8.5)")
        return Request(method, pseudo.get(b":authority", b""), (), b"2")
    if protocol is not None and (method != b"CONNECT" or not METHOD.fullmatch(protocol)):
        raise Malformed(":protocol goes with CONNECT (RFC 8441 §4)")
    if not scheme or path is None or not TARGET.fullmatch(path):
        raise Malformed(":scheme or :path is missing, or invalid (RFC 9113 §8.3.1)")
    if path[:1] != b"/" and (path != b"*" or method != b"OPTIONS"):
        raise Malformed(":path does not begin with a slash (RFC 9113 §8.3.1)")
    request = Request(method, path, (), b"2", scheme=scheme)
    if protocol is not None:
        request.upgrade = (protocol.lower(),)
    return request


def _with_host(pseudo: dict[bytes, bytes], fields: Fields) -> Fields:
    """Return the fields with one Host, and that first (ASGI HTTP 2.5, HTTP Connection Scope).

    RFC 9113 §8.3.1: one of the two must be there, and where both are they say the same: a proxy
    that goes by the one must not be led past an application that goes by the other.
    """
    hosts = [value for name, value in fields if name == b"host"]
    host = pseudo.get(b":authority") or b"".join(hosts[:1])
    differ = len(hosts) > 1 or any(value != host for value in hosts)
    if differ or not host or not grammar.is_host(host):
        raise Malformed("there is no valid :authority, or another Host (RFC 9113 §8.3.1)")
    return ((b"host", host), *(field for field in fields if field[0] != b"host"))


def _with_one_cookie(fields: Fields) -> Fields:
    """Join the cookies, which may come one by one for the sake of compression (§8.2.3)."""
    cookies = [value for name, value in fields if name == b"cookie"]
    if len(cookies) < 2:
        return fields
    rest = [field for field in fields if field[0] != b"cookie"]
    return (*rest, (b"cookie", b"; ".join(cookies)))


def _length(values: list[bytes]) -> int | None:
    """Return the announced length of the content (RFC 9113 §8.1.1, RFC 9110 §8.6)."""
    if not values:
        return None
    if len(values) > 1 or not grammar.CONTENT_LENGTH.fullmatch(values[0]):
        raise Malformed("Content-Length is not one decimal number (RFC 9113 §8.1.1)")
    return int(values[0][:20])  # beyond that it is too much anyhow, and int() has its limits


def _too_much(
    request: Request, fields: Fields, length: int | None, limits: Limits
) -> PeerError | None:
    """Return the error for a request that is well formed and too large (RFC 9110 §15.5)."""
    if len(request.target) > limits.request_line:
        return PeerError(414, f"the path is over {limits.request_line} bytes (RFC 9110 §4.1)")
    size = sum([len(name) + len(value) + 32 for name, value in fields])
    if len(fields) > limits.fields or size > limits.head:
        return PeerError(431, f"over {limits.fields} fields or {limits.head} bytes (RFC 6585 §5)")
    if (length or 0) > limits.body:
        return PeerError(413, f"the body is over {limits.body} bytes (RFC 9110 §15.5.14)")
    return None


def _not_served(request: Request, pseudo: dict[bytes, bytes]) -> PeerError | None:
    """Return the error for what other servers may serve; note the client's expectation."""
    if request.method == b"CONNECT" and not request.upgrade:
        return PeerError(501, "CONNECT is for proxies (RFC 9110 §9.3.6)")
    if request.scheme not in (b"http", b"https"):
        return PeerError(400, "this server has http and https only (RFC 9110 §4.2)")
    expects = [value.lower() for name, value in request.fields if name == b"expect"]
    if any(value != b"100-continue" for value in expects):
        return PeerError(417, "the only expectation is 100-continue (RFC 9110 §10.1.1)")
    request.expects_continue = bool(expects)
    return None


@lru_cache(maxsize=512)
def response_fields(
    status: int, fields: tuple[tuple[bytes, bytes], ...], trailers: bool = False
) -> tuple[tuple[tuple[bytes, bytes], ...], int | None]:
    """Return the fields of a response as HPACK takes them, and the content's length.

    Raise OurError for what cannot be sent.  Names become lower case, what speaks about a connection
    is left out (RFC 9113 §8.2.2), and a cookie never enters the table, where its bytes could be
    guessed by the length of what is sent (RFC 7541 §7.1.3).

    >>> response_fields(200, ((b"Connection", b"close"), (b"Content-Length", b"2")))
    (((b':status', b'200'), (b'content-length', b'2')), 2)
    """
    length = encode_fields(fields).length  # which has checked them all
    out: list[tuple[bytes, bytes]] = [] if trailers else [(b":status", b"%d" % status)]
    for name, value in fields:
        name, value = name.lower(), value.strip(b" \t")
        if name == b"set-cookie":
            out.append(NeverIndexedHeaderTuple(name, value))
        elif name not in CONNECTION and name != b"content-length":
            out.append((name, value))
    if status == 205:
        out.append((b"content-length", b"0"))
    elif length is not None and status >= 200 and status != 204 and not trailers:
        out.append((b"content-length", b"%d" % length))
    return tuple(out), None if status in WITHOUT_CONTENT else length
