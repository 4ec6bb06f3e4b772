"""What an application may send, and when: the states of an ASGI response, and the checks.

A message comes in; checked values come out, or ApplicationError, which the application gets raised
at its own ``send``, where the mistake is.  Nothing here sends anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from typing import Any

from .events import Fields, OurError
from .gateway import ApplicationError, Headers
from .http1_writing import check_trailers, encode_fields

Message = dict[str, Any]


class Sending(Enum):
    """Where an application is in its response; ``send`` moves it on."""

    __hash__ = object.__hash__  # see http1_states.State

    NOTHING = "nothing was sent"
    NOTED = "the head is known, and can still change"
    BODY = "the head is sent, content follows"
    TRAILERS = "the content is sent, trailers follow"
    DONE = "the response is complete"


# Names of the module: in Python 3.11 ``Sending.DONE`` takes ten times as long to look up.
NOTHING, NOTED, DONE = Sending.NOTHING, Sending.NOTED, Sending.DONE

# The moves (ASGI HTTP 2.5, Response Start and Response Body):
#
#   NOTHING ──start──▶ NOTED ──body──▶ BODY ──last body──▶ DONE
#    │  ▲                │              │ ▲                 ▲
#    └──┘ early_hint     │              └─┘ body            │
#                        └─────last body────────────────────┤
#               (with trailers: True)   last body ──▶ TRAILERS ──trailers──┘
#
# "body" moves to three states: ``more_body`` and ``trailers`` tell to which.  The head waits for
# the first body, as the specification allows: until then the application may fail, and 500 can be
# said instead.
START, BODY = "http.response.start", "http.response.body"
TRAILERS, EARLY_HINT = "http.response.trailers", "http.response.early_hint"

SENDING: dict[tuple[Sending, str], tuple[Sending, ...]] = {
    (Sending.NOTHING, EARLY_HINT): (Sending.NOTHING,),
    (Sending.NOTHING, START): (Sending.NOTED,),
    (Sending.NOTED, BODY): (Sending.BODY, Sending.TRAILERS, Sending.DONE),
    (Sending.BODY, BODY): (Sending.BODY, Sending.TRAILERS, Sending.DONE),
    (Sending.TRAILERS, TRAILERS): (Sending.TRAILERS, Sending.DONE),
}


def refuse(state: Sending, message: object) -> ApplicationError:
    """Return the error for a message that may not come now, or is none."""
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return ApplicationError(f"send() takes a dict with a 'type', not {message!r:.80}")
    kind = message["type"]
    if kind not in {kind for _, kind in SENDING}:
        return ApplicationError(f"{kind!r} is no message that an HTTP response is made of")
    return ApplicationError(f"{kind} may not come now: {state.value}")


def checked_status(message: Message) -> int:
    """Return the status of a Response Start; raise ApplicationError unless it is 200 to 599."""
    status = message.get("status")
    if not isinstance(status, int) or isinstance(status, bool):
        raise ApplicationError(f"the status must be an int, not {status!r}")
    if not 200 <= status <= 599:
        raise ApplicationError(f"the status must be from 200 to 599, not {status!r}")
    return int(status)  # http.HTTPStatus is an int too


def checked_headers(message: Message) -> Headers:
    """Return the headers of a message as an engine takes them.

    Raise ApplicationError for what is not pairs of bytes, or would split the response in two.

    >>> checked_headers({"headers": [[b"x-a", b"1"]]}).fields
    ((b'x-a', b'1'),)
    """
    headers = message.get("headers", ())
    try:
        headers = tuple(headers)  # once: an iterator gives its pairs to nobody else
        return _checked(headers)
    except TypeError:  # a list in it, which cannot be remembered; or no pairs at all
        return _checked(_pairs(headers))


def _pairs(headers: Iterable[Iterable[bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers as tuples: the specification allows any iterable of two."""
    try:
        return tuple((name, value) for name, value in headers)
    except (TypeError, ValueError):
        raise ApplicationError(
            f"headers must be pairs of name and value, not {headers!r:.80}"
        ) from None


@lru_cache(maxsize=512)
def _checked(headers: tuple[tuple[bytes, bytes], ...]) -> Headers:
    """Check the headers; an application answers with the same few again and again."""
    for header in headers:
        if not (len(header) == 2 and type(header[0]) is bytes and type(header[1]) is bytes):
            raise ApplicationError(f"a header must be two byte strings, not {header!r:.80}")
    try:
        length = encode_fields(headers).length
    except OurError as error:
        raise ApplicationError(str(error)) from None
    return Headers(headers, length, any(name.lower() == b"date" for name, _ in headers))


def checked_trailers(message: Message) -> Fields:
    """Return the fields of Response Trailers; raise ApplicationError for what must not be one."""
    fields = checked_headers(message).fields
    try:
        check_trailers(fields)
    except OurError as error:
        raise ApplicationError(str(error)) from None
    return fields


def checked_body(message: Message) -> bytes:
    """Return the content of a Response Body; raise ApplicationError for what is not bytes."""
    body = message.get("body", b"")
    if type(body) is bytes:
        return body
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)  # a copy: the application may change its own
    hint = "; encode it first" if isinstance(body, str) else ""
    raise ApplicationError(f"body must be bytes, not {type(body).__name__}{hint}")


def checked_links(message: Message) -> tuple[tuple[bytes, bytes], ...]:
    """Return the Link fields of an Early Hint (RFC 8297); raise ApplicationError for others."""
    links = message.get("links", ())
    if not all(type(link) is bytes for link in links):
        raise ApplicationError(f"links must be byte strings, not {links!r:.80}")
    return checked_headers({"headers": [(b"link", link) for link in links]}).fields  # type: ignore[return-value]  # made of the tuples above
