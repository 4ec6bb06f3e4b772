"""The states of an HTTP/1.1 connection, seen from the server, and the moves between them.

Both engines keep to these tables, and the pictures in the notebooks are drawn from them.  A move
that is not in its table is not allowed; there is no other list of what is.
"""

from __future__ import annotations

from enum import Enum

from .events import (
    Closed,
    Data,
    End,
    Event,
    Informational,
    OurError,
    PeerError,
    Request,
    Response,
)


class State(Enum):
    """Name a state.

    Each is one object, so its identity will do for a key; Enum's own hash is that of the name and
    is computed anew, in Python, for every look into a table.
    """

    __hash__ = object.__hash__


class Reading(State):
    """Where we are in the request (RFC 9112 §2.1)."""

    HEAD = "waiting for a head"
    BODY = "reading the body"
    DONE = "the request is complete"
    CLOSED = "the client has said goodbye"
    FAILED = "the client broke the protocol"


class Writing(State):
    """Where we are in the response."""

    IDLE = "nothing was asked"
    OWED = "a response is owed"
    BODY = "writing the body"
    DONE = "the response is complete"


# In Python 3.11 it takes ten times as long to look up ``Reading.DONE`` as a name of this module,
# and every request does so a dozen times.
HEAD, READ, BROKEN = Reading.HEAD, Reading.DONE, Reading.FAILED
IDLE, OWED, WRITTEN = Writing.IDLE, Writing.OWED, Writing.DONE

# The request's side:
#
#        ┌────────────── both sides DONE, connection kept ─────────────┐
#        ▼                                                             │
#      HEAD ──Request──▶ BODY ──End──▶ DONE ───────────────────────────┘
#        │               │  ▲
#      Closed            └──┘ Data                  any PeerError ──▶ FAILED
#        ▼
#      CLOSED
#
# A client that closes its sending side in BODY has broken its word: that is a PeerError.  In DONE
# it has not, it waits for its answer (RFC 9112 §9.6), so DONE has no way to CLOSED of its own.
READING: dict[tuple[Reading, type], Reading] = {
    (Reading.HEAD, Request): Reading.BODY,
    (Reading.HEAD, Closed): Reading.CLOSED,
    (Reading.BODY, Data): Reading.BODY,
    (Reading.BODY, End): Reading.DONE,
}

# The response's side:
#
#      IDLE ──Request──▶ OWED ──Response──▶ BODY ──End──▶ DONE ──next cycle──▶ IDLE
#                        │  ▲               │  ▲
#                        └──┘ Informational └──┘ Data
WRITING: dict[tuple[Writing, type], Writing] = {
    (Writing.IDLE, Request): Writing.OWED,
    (Writing.OWED, Informational): Writing.OWED,
    (Writing.OWED, Response): Writing.BODY,
    (Writing.BODY, Data): Writing.BODY,
    (Writing.BODY, End): Writing.DONE,
}


class BothSides:
    """Hold where both sides of a connection are, and answer what a shell asks about that.

    ``_buf`` is what has come of the client's bytes and is not read yet.
    """

    def __init__(self) -> None:
        self.reading = HEAD
        self.writing = IDLE
        self._buf = bytearray()
        self._keep_alive = True
        self._eof = False

    def _after(self, kind: type) -> Writing:
        """Return the state after an event of ours; raise OurError if it may not come now."""
        state = WRITING.get((self.writing, kind))
        if state is None or kind is Request:  # that move is the client's
            raise OurError(f"{kind.__name__} cannot be sent: {self.writing.value}")
        return state

    def _refuse(self) -> Event:
        """Answer a further call after a PeerError."""
        raise PeerError(400, "the client broke the protocol before (RFC 9112 §9.6)")

    @property
    def _is_over(self) -> bool:
        """True when request and response are complete and the connection goes on."""
        return self.writing is WRITTEN and self.reading is READ and self._keep_alive

    @property
    def between_requests(self) -> bool:
        """True when nothing of a request has arrived and no response is owed."""
        return self.reading is HEAD and self.writing is IDLE and not self._buf

    @property
    def owes_response(self) -> bool:
        """True from the request's head until the first byte of its final response."""
        return self.writing is OWED

    @property
    def must_close(self) -> bool:
        """True when this connection can carry no further request."""
        if self.reading in (Reading.CLOSED, Reading.FAILED):
            return True
        return self.writing is Writing.DONE and not self._is_over

    def close_after_response(self) -> None:
        """Make this response the last one; its head will say so (RFC 9112 §9.6)."""
        self._keep_alive = False
