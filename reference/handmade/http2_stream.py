"""One stream: a request and its response, and where both are (RFC 9113 §5.1, seen from the server).

h2 knows whether a frame may come now.  What it may *say* is kept here: how much content was
announced, how much of it has come, and how far the response is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .events import End, Fields, OurError, Request, Response
from .http1_states import OWED, WRITING, Writing
from .http1_writing import BodyWriter, NoBodyWriter, check_trailers, choose_writer
from .http2_events import Malformed
from .http2_fields import response_fields

NOTHING: BodyWriter = NoBodyWriter()
END = End()


@dataclass(slots=True, eq=False)
class Stream:
    """Hold one stream.  ``length`` is the announced one, ``received`` what has come of it.

    ``unread`` bytes were received and not acknowledged yet: the client may not replace them.
    ``sent`` bytes of content have left.  ``refused``: it gets an answer, but no application, and
    what still comes of it is not kept.
    """

    request: Request
    length: int | None
    invite: bool = False
    received: int = 0
    unread: int = 0
    sent: int = 0
    ended: bool = False
    refused: bool = False
    trailers: Fields = ()
    writing: Writing = OWED
    writer: BodyWriter = field(default=NOTHING)

    @property
    def id(self) -> int:
        """Its number on the connection."""
        return self.request.stream_id

    def take(self, size: int) -> None:
        """Count content; raise Malformed for more than was announced (RFC 9113 §8.1.1)."""
        self.invite = False
        self.received += size
        if self.length is not None and self.received > self.length:
            raise Malformed("the content is longer than its Content-Length (RFC 9113 §8.1.1)")

    def finish(self) -> End:
        """End the request; raise Malformed when less has come than was announced."""
        if self.length is not None and self.received != self.length:
            raise Malformed("the content is shorter than its Content-Length (RFC 9113 §8.1.1)")
        self.ended = True
        self.invite = False
        return End(self.trailers, self.id)

    def check(self, kind: type) -> Writing:
        """Return the state after an event of ours; raise OurError if it may not come now."""
        state = WRITING.get((self.writing, kind))
        if state is None or kind is Request:
            raise OurError(f"{kind.__name__} cannot be sent: {self.writing.value}")
        return state

    def begin(self, response: Response) -> None:
        """Choose how the content is counted; raise OurError for a head that cannot be sent."""
        state = self.check(Response)
        if response.status not in range(200, 600):
            raise OurError(f"{response.status} is not from 200 to 599 (RFC 9110 §15)")
        _, length = response_fields(response.status, tuple(response.fields))
        # The end of a stream is the end of its content, as a connection's is in HTTP/1.0.
        self.writer = choose_writer(self.request.method, b"1.0", response.status, length).fresh()
        self.writing = state
        self.invite = False

    def content(self, data: bytes) -> bytes:
        """Return what is sent of the content: nothing for HEAD, 204, 205 and 304."""
        return self.writer.data(data)

    def last(self, end: End) -> End:
        """Return the end, without trailers where there is no content for them to follow."""
        state = self.check(End)
        self.writer.end(())
        check_trailers(end.trailers)
        self.writing = state
        return END if self.writer.__class__ is NoBodyWriter else end

    @property
    def invites(self) -> bool:
        """True while the client waits for 100 before it sends its body (RFC 9110 §10.1.1)."""
        return self.invite and self.writing is OWED
