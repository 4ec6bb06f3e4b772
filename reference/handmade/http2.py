"""HTTP/2 on one connection (RFC 9113), over h2: many requests at once, each a stream.

The surface is that of every engine: bytes come in by ``receive`` and leave as events by
``next_event``; events come in by ``send`` and leave as bytes.  An event's ``stream_id`` says whose
it is.  Two things are new.  What is sent may have to wait, for the client tells how much it takes:
the rest comes out of ``outgoing`` later.  And what was read is given back by ``acknowledge``, or
the client sends no more.

h2 knows the states of streams and counts the windows.  ``http2_frames`` stands before it,
``http2_hpack`` and ``http2_fields`` beside it; each says which gap of h2's it closes.

>>> connection = Connection()
>>> connection.receive(PREFACE + bytes.fromhex("000000 04 00 00000000"))
>>> connection.receive(bytes.fromhex("000006 01 05 00000001  82 86 84 41 01 61"))
>>> connection.next_event().fields, connection.next_event()
(((b'host', b'a'),), End(trailers=(), stream_id=1))
>>> greeting = connection.outgoing()
>>> (connection.send(Response(204, stream_id=1)) + connection.send(End(stream_id=1))).hex(" ")
'00 00 01 01 04 00 00 00 01 89 00 00 00 00 01 00 00 00 01'
"""

from __future__ import annotations

from .events import Data, End, Informational, Limits, OurError, Outgoing, Response
from .http2_events import PREFACE, Code, Http2Limits, Nuisance
from .http2_fields import response_fields
from .http2_library import NO_LIMIT
from .http2_reading import Reader
from .http2_sending import PIECE, Outbox, Queue
from .http2_stream import Stream

__all__ = ["PREFACE", "Connection"]

UPDATES = 3  # of windows that a client may send for a piece: its stream's, the connection's
ALL = 1 << 62  # bytes: as much as there is


class Connection(Reader):
    """Speak HTTP/2 as the server, on one connection.

    ``limits`` are for each request, ``http2`` for the connection.
    """

    def __init__(self, limits: Limits | None = None, http2: Http2Limits | None = None) -> None:
        super().__init__(limits, http2)
        self.more = False
        """True when ``outgoing`` had no room for all that could have been sent."""
        self._outbox = Outbox(self._send_piece)

    # ------------------------------------------------------------ events in, bytes out

    def send(self, event: Outgoing) -> bytes:
        """Return what can be sent after ``event``; the rest waits for the client's windows.

        Raise OurError when the event may not come now, or cannot be written as it is.
        """
        self.put(event, event.stream_id)
        return self.outgoing()

    def put(self, event: Outgoing, stream_id: int) -> None:
        """Let ``event`` wait for ``outgoing``.  Raise OurError as ``send`` does."""
        stream = self.streams.get(stream_id)
        if stream is None or self._failed is not None:
            raise OurError(f"stream {stream_id} is not open")
        kind = type(event)
        if kind is Data:
            stream.check(Data)
            data = stream.content(event.data)  # type: ignore[union-attr]  # kind tells mypy nothing
            if data:
                self._outbox.queue(stream_id).put(data)
        elif kind is Response:
            stream.begin(event)  # type: ignore[arg-type]
            self._outbox.queue(stream_id).head = event  # type: ignore[assignment]
        elif kind is End:
            self._outbox.queue(stream_id).end = stream.last(event)  # type: ignore[arg-type]
        else:
            self._inform(stream, event)  # type: ignore[arg-type]

    def _inform(self, stream: Stream, event: Informational) -> None:
        """Write an interim response; it waits for nothing (RFC 9113 §8.1)."""
        stream.check(Informational)
        if event.status not in range(100, 200) or event.status == 101:
            raise OurError(f"{event.status} is no interim status of HTTP/2 (RFC 9113 §8.6)")
        fields, _ = response_fields(event.status, tuple(event.fields))
        stream.invite = stream.invite and event.status != 100
        self._h2.send_headers(stream.id, fields)

    def outgoing(self, room: int = ALL) -> bytes:
        """Return what is to be sent, of content at most about ``room`` bytes."""
        if self._outbox and self._failed is None:
            self.more = self._outbox.pump(room) <= 0
        data = self._h2.data_to_send()
        if self._beside:
            data, self._beside = data + self._beside, b""
        return data

    def _send_piece(self, queue: Queue) -> int:
        """Send head, some content or the end of a stream; return the size of the content.

        Return -1 when nothing could be sent: its window, or that of all streams, is shut.
        """
        h2, stream_id, sent = self._h2, queue.stream_id, -1
        if queue.head is not None:
            head, queue.head, sent = queue.head, None, 0
            fields, _ = response_fields(head.status, tuple(head.fields))
            last = queue.is_last
            h2.send_headers(stream_id, fields, last)
            if last:
                self._sent(queue)
                return 0
        if queue.data:
            most = min(h2.local_flow_control_window(stream_id), PIECE)
            if most <= 0:
                return sent
            data = queue.take(most)
            sent = len(data)
            self.streams[stream_id].sent += sent
            self._frames.earn(Nuisance.OTHER, UPDATES)
            last = queue.is_last
            h2.send_data(stream_id, data, last)
            if last:
                self._sent(queue)
                return sent
        if queue.end is not None and not queue.data:
            self._send_end(queue)
            return max(sent, 0)
        return sent

    def _send_end(self, queue: Queue) -> None:
        """Send what is behind the content: trailers, or nothing but the end itself."""
        assert queue.end is not None  # or there would be nothing to send
        fields, _ = response_fields(200, tuple(queue.end.trailers), trailers=True)
        if fields:
            self._h2.send_headers(queue.stream_id, fields, True)
        else:
            self._h2.end_stream(queue.stream_id)
        self._sent(queue)

    def _sent(self, queue: Queue) -> None:
        """Be done with a stream whose response is sent; a request that goes on is stopped.

        RFC 9113 §8.1: the reset comes behind the whole response, and means no error.
        """
        queue.end = None
        if self.streams[queue.stream_id].ended:
            self._forget(queue.stream_id)
        else:
            self.reset(queue.stream_id, Code.NO_ERROR)

    def _forget(self, stream_id: int) -> None:
        """Be done with a stream, also with what waits there."""
        super()._forget(stream_id)
        self._outbox.drop(stream_id)

    # ------------------------------------------------------------ windows

    def acknowledge(self, stream_id: int, size: int) -> None:
        """Give back the window of content that was read: the client may send as much again.

        h2 saves it up to half a window, so there is an update for many frames (RFC 9113 §6.9).
        """
        stream = self.streams.get(stream_id)
        if stream is not None:
            stream.unread -= size
            self._h2.acknowledge_received_data(size, stream_id)

    def waiting(self, stream_id: int) -> int:
        """Return how many bytes of a stream's content wait for the client, or for their turn."""
        return self._outbox.size(stream_id)

    def refill(self, seconds: float) -> None:
        """Let time go by for who has tried our patience."""
        self._frames.refill(seconds)

    # ------------------------------------------------------------ questions that a shell asks

    @property
    def between_requests(self) -> bool:
        """True when no stream is open and nothing of a request has arrived: idle."""
        return not self.streams and not self._frames.in_the_middle

    @property
    def must_close(self) -> bool:
        """True when this connection can carry no further request."""
        return self._failed is not None or (
            not self.streams and (self.leaving or self.last != NO_LIMIT)
        )
