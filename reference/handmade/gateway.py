"""What every gateway shares: its way to the client, and what a failure becomes.

A gateway stands between events and an application.  It owns no socket and knows no clock: a shell
hands it a ``Channel`` for each request, and a function that tells the date.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from typing import Any, Protocol

from .events import Data, End, Fields, OurError, Outgoing, PeerError, Request, Response
from .http1_writing import REASONS

logger = logging.getLogger("handmade")


class Channel(Protocol):
    """One request's way to and from its client, as a blocking gateway sees it."""

    client: tuple[str, int]
    whole_body: bytes | None
    """The request's body where all of it is here already, else None: then ``receive`` it."""

    def receive(self) -> Data | End:
        """Wait for the next piece of the request's body.

        Raise PeerError when the client breaks the protocol or stalls, Disconnected when it left.
        """

    def send(self, *events: Outgoing) -> None:
        """Write events, in one piece, and wait until the network has taken them.

        Raise Disconnected when the client has left or does not read.
        """

    def abort(self) -> None:
        """Cut the connection, so that the client sees a broken response and not a short one."""


class AsyncChannel(Protocol):
    """One request's way to and from its client, as an asynchronous gateway sees it."""

    client: tuple[str, int] | None
    gone: bool
    """True when nothing can be sent any more: the connection is lost, or we have parted with it."""
    left: bool
    """True when the client has left as far as we can tell; ``gone`` or not."""
    writable: bool
    """False while the network takes no more: then await ``drain``."""

    def read(self) -> Data | End | None:
        """Return what has come of the request's body; None when ``wait`` must be awaited first."""

    async def wait(self) -> None:
        """Wait until there is more to read, or the client has left."""

    def send(self, *events: Outgoing) -> None:
        """Write events, in one piece, without waiting.  Raise Disconnected, or OurError."""

    async def drain(self) -> None:
        """Wait until the network takes more.  Raise Disconnected when it never will."""

    async def pause(self) -> None:
        """Let everybody else have a turn."""

    def abort(self) -> None:
        """Cut the connection, so that the client sees a broken response and not a short one."""


class Bell:
    """Let any number of tasks wait until somebody rings.

    ``create_future`` is the running loop's: this is how what is awaited here knows no loop.  Each
    task has a future of its own, for who cancels a task cancels what it waits for.
    """

    __slots__ = ("_create_future", "_waiting")

    def __init__(self, create_future: Callable[[], Any]) -> None:
        self._create_future = create_future
        self._waiting: list[Any] = []

    async def wait(self) -> None:
        """Wait for the next ring."""
        future = self._create_future()
        self._waiting.append(future)
        try:
            await future
        finally:
            self._waiting.remove(future)

    def ring(self) -> None:
        """Wake all who wait now."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)


class Disconnected(ConnectionError):
    """The client has left, or no longer reads.  Nobody is there to answer."""


class ApplicationError(OurError):
    """The application broke its contract with the server; the message says which clause."""


class HttpDate:
    """Tell the time as a Date field does (RFC 9110 §6.6.1), formatted once a second."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` returns seconds since 1970."""
        self._clock = clock
        self._now: tuple[int, bytes] = (-1, b"")

    def __call__(self) -> bytes:
        """Return ``b"Sun, 06 Nov 1994 08:49:37 GMT"`` for now."""
        second = int(self._clock())
        if second != self._now[0]:
            self._now = (second, formatdate(second, usegmt=True).encode())
        return self._now[1]


@dataclass(eq=False, slots=True)
class Headers:
    """Hold checked headers, and what they say that the server would otherwise add."""

    fields: Fields
    length: int | None
    dated: bool


@lru_cache(maxsize=512)
def complete(headers: Headers, date: bytes, length: int | None) -> Fields:
    """Return the fields of a response with what the application has left to the server.

    RFC 9110 §6.6.1 asks for a Date; the length is given where the whole content is known.
    """
    fields = list(headers.fields)
    if not headers.dated:
        fields.append((b"date", date))
    if headers.length is None and length is not None:
        fields.append((b"content-length", b"%d" % length))
    return tuple(fields)


def error_response(
    status: int, reason: str, date: bytes, more: Fields = ()
) -> tuple[Response, Data, End]:
    """Return a short plain response for an error; ``reason`` is one sentence for a person."""
    phrase = REASONS[status].decode()
    body = f"{status} {phrase}: {reason}\n".encode()
    fields = (
        (b"date", date),
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        *more,
    )
    return Response(status, fields), Data(body), End()


def answer_failure(
    error: BaseException,
    request: Request,
    channel: Channel | AsyncChannel,
    date: bytes,
    *,
    started: bool,
) -> int:
    """Do what a failure calls for; return the status that the client was told, 0 for none.

    This is the only place that decides it, for every gateway.  Before the response has started
    the client is told: the peer's own error by its status, anything else by 500.  After it the
    connection is cut, for a second status line would land in the body.
    """
    error = _cause(error)
    if isinstance(error, Disconnected):
        logger.debug("the client left %s %s", request.method.decode(), request.target.decode())
    elif not isinstance(error, PeerError):
        what = "%s %s failed: %s"
        logger.error(what, *_name(request), error, exc_info=None if _is_plain(error) else error)
    if started or isinstance(error, Disconnected):
        channel.abort()
        return 0
    status, reason = 500, "the application failed; the server's log says how"
    if isinstance(error, PeerError):
        status, reason = error.status, error.reason
    try:
        channel.send(*error_response(status, reason, date))
    except (OSError, OurError):
        channel.abort()
    return status


def _cause(error: BaseException) -> BaseException:
    """Return the client's fault where that is what led to ``error``, else ``error`` itself.

    An application that reads a broken body gets an OSError, and may wrap it in one of its own.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, PeerError | Disconnected):
        cause = cause.__cause__ or cause.__context__
    return cause or error


def _name(request: Request) -> tuple[str, str]:
    """Return method and target as text for a log line."""
    return request.method.decode("ascii"), request.target.decode("ascii")


def _is_plain(error: BaseException) -> bool:
    """True when the message says it all: a broken contract needs no traceback of ours."""
    return isinstance(error, OurError)
