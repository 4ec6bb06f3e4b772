"""What an application says in ``start_response``, checked and turned into what an engine takes.

PEP 3333, The start_response() Callable.  What is here is pure, and an application answers with
the same few statuses and headers again and again, so the last ones are remembered.
"""

from __future__ import annotations

import re
from functools import lru_cache

from .events import OurError
from .gateway import ApplicationError, Headers
from .http1_writing import encode_fields

# PEP 3333: 'a status string of the form "999 Message here"', without control characters.
STATUS = re.compile(r"([2-5][0-9][0-9]) ([ -~\x80-\xff]*[!-~\x80-\xff])")

# RFC 9110 §7.6.1, and PEP 3333, Other HTTP Features: these speak about our connection, which is
# the server's affair alone.  A server "should consider it a fatal error" when an application sends
# them (PEP 3333, The start_response() Callable).
HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer")
    + ("trailers", "transfer-encoding", "upgrade", "proxy-connection")
)


@lru_cache(maxsize=64)
def checked_status(status: str) -> tuple[int, bytes]:
    """Return code and reason phrase; raise ApplicationError for anything but ``"200 OK"``'s form.

    >>> checked_status("404 Not Found")
    (404, b'Not Found')
    """
    if not isinstance(status, str):
        raise ApplicationError(f"the status must be a str like '200 OK', not {status!r}")
    if (match := STATUS.fullmatch(status)) is None:
        raise ApplicationError(f"the status must look like '200 OK', not {status!r}")
    return int(match[1]), match[2].encode("latin-1")


def checked_headers(headers: list[tuple[str, str]]) -> Headers:
    """Return the headers as an engine takes them; raise ApplicationError for what the PEP forbids.

    >>> checked_headers([("Content-Type", "text/plain")]).fields
    ((b'Content-Type', b'text/plain'),)
    """
    if type(headers) is not list:
        raise ApplicationError(f"the headers must be a list, not {type(headers).__name__}")
    try:
        return _encoded(tuple(headers))
    except TypeError:  # what cannot be hashed is not a tuple of two str either
        raise ApplicationError("each header must be a tuple of two str") from None


@lru_cache(maxsize=512)
def _encoded(headers: tuple[tuple[str, str], ...]) -> Headers:
    """Check and encode the headers."""
    fields = tuple(_encoded_one(header) for header in headers)
    try:
        length = encode_fields(fields).length
    except OurError as error:
        raise ApplicationError(str(error)) from None
    return Headers(fields, length, any(name.lower() == b"date" for name, _ in fields))


def _encoded_one(header: tuple[str, str]) -> tuple[bytes, bytes]:
    """Check and encode one header (PEP 3333, Unicode Issues: ISO-8859-1)."""
    if not (type(header) is tuple and len(header) == 2 and all(isinstance(s, str) for s in header)):
        raise ApplicationError(f"each header must be a tuple of two str, not {header!r}")
    name, value = header
    if name.lower() in HOP_BY_HOP:
        raise ApplicationError(f"{name} is the server's to set (PEP 3333, Other HTTP Features)")
    try:
        return name.encode("ascii"), value.encode("latin-1")
    except UnicodeEncodeError:
        raise ApplicationError(f"the header {header!r} is not ISO-8859-1 text") from None
