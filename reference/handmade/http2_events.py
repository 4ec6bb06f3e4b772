"""What HTTP/2 says beyond ``events``: streams that end early, connections that fail, and limits.

One connection carries many requests, each on a stream of its own, so what goes wrong is told apart
by how far it reaches: a ``Reset`` ends one stream, a ``ConnectionFailed`` all of them (RFC 9113
§5.4), and a ``Refused`` none: that request is answered, with a status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from h2.errors import ErrorCodes

from .events import Closed, Data, End, PeerError, ProtocolError, Request, Signal

Code = ErrorCodes
"""Why a stream or a connection ends, by the names of RFC 9113 §7."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends first (RFC 9113 §3.4).  It is no request that HTTP/1.1 could serve."""


@dataclass(slots=True)
class Reset:
    """Report that a stream is over before its time: nobody listens there any more (§5.4.2)."""

    code: int
    stream_id: int


@dataclass(slots=True)
class Refused:
    """Report a request that cannot be served: answer ``error``, then forget the stream."""

    error: PeerError
    request: Request
    stream_id: int


Http2Event = Request | Data | End | Reset | Refused | Closed | Signal


class Malformed(ProtocolError):
    """A request breaks the rules of RFC 9113 §8: its stream is reset with PROTOCOL_ERROR."""


class ConnectionFailed(ProtocolError):
    """The peer broke what all streams share: say GOAWAY with ``code``, then close (§5.4.1)."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(f"{code.name}: {reason}")
        self.code = code
        self.reason = reason


class Nuisance(Enum):
    """What a client may do now and then, and what is an attack when it does nothing else."""

    RESET = "streams that are reset"  # rapid reset, CVE-2023-44487, and ours that it provokes
    SETTINGS = "settings"  # each of them wants an answer, CVE-2019-9515
    PING = "pings"  # the same, CVE-2019-9512
    EMPTY = "frames without content"  # CVE-2019-9518
    OTHER = "frames that carry no request"  # window updates, priorities, unknown kinds


# How many at once, and how many a second for ever.  A browser that leaves a page resets all of its
# streams; a client that measures the line sends a few pings a second.
ALLOWANCE: Mapping[Nuisance, tuple[int, int]] = MappingProxyType({
    Nuisance.RESET: (200, 20),
    Nuisance.SETTINGS: (20, 1),
    Nuisance.PING: (100, 10),
    Nuisance.EMPTY: (100, 10),
    Nuisance.OTHER: (1000, 100),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Http2Limits:
    """What one HTTP/2 connection may take.  Windows in bytes.

    ``streams``: requests at a time, also of those whose client has left already.
    ``stream_window``: how much of a body we hold while its application does not read it;
    ``connection_window``: of all bodies together.  It is larger, so an upload that nobody reads
    stops itself and not the others, up to seven of them (RFC 9113 §5.2).
    ``pieces``: how many frames a head may come in.
    """

    streams: int = 100
    stream_window: int = 1 << 18
    connection_window: int = 1 << 21
    pieces: int = 32
    allowance: Mapping[Nuisance, tuple[int, int]] = field(default_factory=lambda: ALLOWANCE)
