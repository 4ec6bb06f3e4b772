"""The words that an engine, a gateway and a shell use with each other.

An engine turns bytes into these events and these events into bytes.  A gateway turns them into
a call of the application and back.  Nothing in this module knows how a message looks on the wire,
what an application is, or that sockets exist; it imports no other module of ours.

The same events serve HTTP/1 and HTTP/2: ``stream_id`` tells requests on one connection apart and
is always 0 where a connection carries one request at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

Fields = Sequence[tuple[bytes, bytes]]
"""Field lines in the order of the wire: ``(name in lower case, value without outer blanks)``."""


@dataclass(slots=True)
class Request:
    """Report that a whole request head has arrived (RFC 9112 §2.1).

    ``method`` and ``target`` are as they came, ``version`` is ``b"1.0"``, ``b"1.1"`` or ``b"2"``.
    ``expects_continue``: the client holds its body back until it hears 100 (RFC 9110 §10.1.1).
    ``upgrade``: other protocols that the client would speak from here on (RFC 9110 §7.8).
    """

    method: bytes
    target: bytes
    fields: Fields
    version: bytes = b"1.1"
    expects_continue: bool = False
    stream_id: int = 0
    upgrade: tuple[bytes, ...] = field(default=(), repr=False)  # hardly ever there
    scheme: bytes = field(default=b"", repr=False)  # HTTP/2 says it (RFC 9113 §8.3.1)


@dataclass(slots=True)
class Informational:
    """Announce something before the final response, 1xx (RFC 9110 §15.2)."""

    status: int
    fields: Fields = ()
    stream_id: int = 0


@dataclass(slots=True)
class Response:
    """Begin the final response: status 200 to 599 and its fields (RFC 9110 §15)."""

    status: int
    fields: Fields = ()
    reason: bytes = b""
    stream_id: int = 0


@dataclass(slots=True)
class Data:
    """Carry some bytes of content, never its framing.  One message has any number of these."""

    data: bytes
    stream_id: int = 0


@dataclass(slots=True)
class End:
    """End a message.  ``trailers`` are the fields that followed it (RFC 9110 §6.5)."""

    trailers: Fields = ()
    stream_id: int = 0


@dataclass(slots=True)
class Closed:
    """Report that the peer will send nothing more, and owes nothing."""


class Signal(Enum):
    """What ``next_event`` returns when there is no event."""

    NEED_DATA = "feed me bytes"
    PAUSED = "the next request waits until this one is answered"


NEED_DATA = Signal.NEED_DATA
PAUSED = Signal.PAUSED

Event = Request | Data | End | Closed | Signal
Outgoing = Informational | Response | Data | End


class ProtocolError(Exception):
    """Somebody broke the protocol: see which of the two below."""


class PeerError(ProtocolError):
    """The peer broke it.  Answer ``status`` (4xx or 5xx), say ``reason``, then close.

    ``reason`` is one sentence for the person who debugs the client; it ends with the clause.
    ``fields`` go into the answer.
    """

    fields: Fields = ()

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason


class OurError(ProtocolError):
    """We broke it, or the application that we speak for: its response cannot be sent as asked."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a peer's bytes we keep before we refuse.  All lengths in bytes.

    RFC 9112 §3 recommends to take at least 8,000 bytes of request line; RFC 9110 §5.4 leaves the
    limit on fields to us and asks for a 4xx beyond it.
    """

    request_line: int = 8190
    head: int = 65536
    fields: int = 100
    chunk_line: int = 4096
    body: int = 1 << 30


class Engine(Protocol):
    """The one surface of every protocol engine: bytes in, events out, events in, bytes out.

    An engine does no I/O, has no clock and starts no thread, so the same one serves sockets,
    tests and notebooks.
    """

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer; ``b""`` says that it will send no more."""

    def next_event(self) -> Event:
        """Return the next event or a ``Signal``.  Raise PeerError on a broken request."""

    def send(self, event: Outgoing) -> bytes:
        """Return the bytes that carry ``event``.  Raise OurError when it cannot be sent now."""

    @property
    def between_requests(self) -> bool:
        """True when nothing of a request has arrived and no response is owed: idle."""

    @property
    def owes_response(self) -> bool:
        """True from the request's head until the first byte of its final response."""

    @property
    def owes_continue(self) -> bool:
        """True while the client waits for 100 (Continue) before it sends the body."""

    @property
    def must_close(self) -> bool:
        """True when this connection can carry no further request."""

    def give_up(self) -> None:
        """Read no more of this request; a client that has had no answer is now owed one."""

    def hand_over(self) -> bytes:
        """Return what came behind the request: from now on it is another protocol's."""

    def close_after_response(self) -> None:
        """Make this response the last one on the connection, and say so in its head."""
