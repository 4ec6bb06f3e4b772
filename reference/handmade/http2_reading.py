"""How HTTP/2 is read: from frames to events (RFC 9113 §5, §6, §8), with h2 in the middle.

One frame is read at a time, so what it leads to is known to be its doing.  h2 ends the connection
for whatever is wrong; here stands what RFC 9113 gives a smaller end, or a larger.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from h2 import events as h2_events
from h2.exceptions import ProtocolError as H2Error

from .events import NEED_DATA, Closed, Data, PeerError, Request
from .http2_events import (
    Code,
    ConnectionFailed,
    Http2Event,
    Malformed,
    Nuisance,
    Refused,
    Reset,
)
from .http2_fields import Head, check_trailers, read_head
from .http2_frames import (
    END_HEADERS,
    END_STREAM,
    MOST_SETTINGS,
    PADDED,
    PRIORITY,
    Frame,
    Kind,
    encode_frame,
)
from .http2_stream import Stream
from .http2_streams import Streams

HEADS = (Kind.HEADERS, Kind.CONTINUATION)


class Reader(Streams):
    """Read one connection."""

    def receive(self, data: bytes) -> None:
        """Take bytes from the client; ``b""`` means that it will send no more."""
        if not data and not self.leaving:
            self.leaving = True
            self._events.append(Closed())
        self._frames.receive(data)

    def next_event(self) -> Http2Event:
        """Return the next event, or NEED_DATA.

        Raise ConnectionFailed when the client breaks what all streams share.  ``outgoing`` has the
        GOAWAY that tells it so, and nothing can be read after that.
        """
        while not self._events:
            if self._failed is not None:
                raise self._failed
            try:
                frame = self._frames.next_frame()
                if frame is None:
                    return NEED_DATA
                self._read(frame)
            except ConnectionFailed as error:
                self._h2.close_connection(error.code, error.reason.encode())
                self._failed = error
            except H2Error as error:  # h2 has written the GOAWAY
                self._failed = ConnectionFailed(Code(error.error_code), str(error))
        return self._events.popleft()

    # ------------------------------------------------------------ frames

    def _read(self, frame: Frame) -> None:
        """Give a frame to h2, unless it is one that h2 takes too hard."""
        kind, stream = frame.kind, self.streams.get(frame.stream_id)
        if kind is Kind.GOAWAY:
            self._read_goaway(frame)
            return
        if kind is Kind.PRIORITY:
            self._read_priority(frame)
            return
        if kind is Kind.WINDOW_UPDATE and _adds_nothing(frame) and self._was_opened(frame):
            if stream is not None:
                self._reset_for(frame.stream_id, Code.PROTOCOL_ERROR)  # its error (RFC 9113 §6.9)
            return
        if kind is Kind.DATA and frame.stream_id in self._were_ours:
            self._drop(len(frame.data) - 9)
            return
        if kind is Kind.HEADERS and frame.flags & PRIORITY:
            frame = _without_priority(frame)
        endless = kind is Kind.HEADERS and stream is not None and not frame.flags & END_STREAM
        if endless:  # trailers that are not the end: malformed, once they are decoded (§8.1)
            frame.data = frame.data[:4] + bytes((frame.flags | END_STREAM,)) + frame.data[5:]
        events = self._h2.receive_data(frame.data)
        for event in events:
            if (translate := self._TRANSLATE.get(type(event))) is not None:
                translate(self, event)
        if not events and (kind is Kind.DATA or (frame.flags & END_HEADERS and kind in HEADS)):
            self._frames.spend(Nuisance.RESET)  # h2 has answered it so: the stream was closed
        if endless and frame.stream_id in self.streams:
            self._reset_for(frame.stream_id, Code.PROTOCOL_ERROR)

    def _read_priority(self, frame: Frame) -> None:
        """Look at its length alone: what it says means nothing now (RFC 9113 §5.3.2, §6.3)."""
        if not frame.stream_id:
            raise ConnectionFailed(Code.PROTOCOL_ERROR, "PRIORITY on no stream (RFC 9113 §6.3)")
        if len(frame.data) != 9 + 5 and frame.stream_id in self.streams:
            self._reset_for(frame.stream_id, Code.FRAME_SIZE_ERROR)

    def _was_opened(self, frame: Frame) -> bool:
        """True for the frame of a stream that is open, or was."""
        return 0 < frame.stream_id <= self._frames.highest

    def _read_goaway(self, frame: Frame) -> None:
        """Note that the client goes; what it has asked is still answered (RFC 9113 §6.8).

        h2 would send nothing more on any stream, and drop what it has ready.
        """
        if frame.stream_id:
            raise ConnectionFailed(Code.PROTOCOL_ERROR, "GOAWAY on a stream (RFC 9113 §6.8)")
        if len(frame.data) < 9 + 8:
            raise ConnectionFailed(Code.FRAME_SIZE_ERROR, "GOAWAY is too short (RFC 9113 §6.8)")
        if not self.leaving:
            self.leaving = True
            self._events.append(Closed())

    # ------------------------------------------------------------ h2's events

    def _on_request(self, event: Any) -> None:
        """Open a stream, if there is room for it."""
        stream_id = event.stream_id
        if len(self.streams) >= self.http2.streams or stream_id > self.last:
            self._reset_for(stream_id, Code.REFUSED_STREAM)
            if self._said_last != self.last:
                self.goaway()
            return
        block = event.headers[0]
        try:
            head = block.head
            if head is None:
                head = block.head = read_head(block.fields, self.limits)
            if head.length and event.stream_ended is not None:
                raise Malformed("there is no content, and it was announced (RFC 9113 §8.1.1)")
        except Malformed:
            self._reset_for(stream_id, Code.PROTOCOL_ERROR)
            return
        self._open(head, stream_id)

    def _open(self, head: Head, stream_id: int) -> None:
        """Begin a request; the head may be that of others too."""
        like = head.request
        request = Request(
            *(like.method, like.target, like.fields, like.version),
            *(like.expects_continue, stream_id, like.upgrade, like.scheme),
        )
        stream = self.streams[stream_id] = Stream(request, head.length, like.expects_continue)
        if head.error is None:
            self._events.append(request)
        else:
            stream.refused = True
            self._events.append(Refused(head.error, request, stream_id))

    def _on_data(self, event: Any) -> None:
        """Take content; what pads it is given back at once."""
        stream = self.streams.get(event.stream_id)
        data, size = event.data, event.flow_controlled_length
        if stream is None or stream.refused:
            self._h2.acknowledge_received_data(size, event.stream_id)
            return
        if size > len(data):
            self._h2.acknowledge_received_data(size - len(data), stream.id)
        stream.unread += len(data)
        if not data and event.stream_ended is None:
            self._frames.spend(Nuisance.EMPTY)
        try:
            stream.take(len(data))
        except Malformed:
            self._reset_for(stream.id, Code.PROTOCOL_ERROR)
            return
        if stream.received > self.limits.body:
            stream.refused = True
            error = PeerError(413, f"the body is over {self.limits.body} bytes (RFC 9110 §15.5.14)")
            self._events.append(Refused(error, stream.request, stream.id))
        elif data:
            self._events.append(Data(data, stream.id))

    def _on_trailers(self, event: Any) -> None:
        """Keep the trailers for the end, which comes with them."""
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            try:
                check_trailers(event.headers[0].fields)
            except Malformed:
                self._reset_for(stream.id, Code.PROTOCOL_ERROR)
            else:
                stream.trailers = event.headers[0].fields

    def _on_end(self, event: Any) -> None:
        """End a request."""
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            try:
                end = stream.finish()
            except Malformed:
                self._reset_for(stream.id, Code.PROTOCOL_ERROR)
            else:
                if not stream.refused:
                    self._events.append(end)

    def _on_reset(self, event: Any) -> None:
        """Forget a stream that the client has reset, or h2 for what the client did."""
        if not event.remote_reset:
            self._frames.spend(Nuisance.RESET)
        if event.stream_id in self.streams:
            self._forget(event.stream_id)
            self._events.append(Reset(event.error_code, event.stream_id))

    def _on_settings(self, event: Any) -> None:
        """Look at how many settings h2 remembers: it keeps the unknown ones too."""
        if len(self._h2.remote_settings) > MOST_SETTINGS:
            raise ConnectionFailed(Code.ENHANCE_YOUR_CALM, "too many unknown settings")

    _TRANSLATE: ClassVar[dict[type, Callable[[Reader, Any], None]]] = {
        h2_events.RequestReceived: _on_request,
        h2_events.DataReceived: _on_data,
        h2_events.TrailersReceived: _on_trailers,
        h2_events.StreamEnded: _on_end,
        h2_events.StreamReset: _on_reset,
        h2_events.RemoteSettingsChanged: _on_settings,
    }


def _adds_nothing(frame: Frame) -> bool:
    """True for an increment of 0; the first bit is reserved, and ignored (RFC 9113 §6.9)."""
    return len(frame.data) == 9 + 4 and not int.from_bytes(frame.data[9:], "big") & 0x7FFFFFFF


def _without_priority(frame: Frame) -> Frame:
    """Return a HEADERS frame without what it says of priorities (RFC 9113 §5.3.2)."""
    start = 9 + bool(frame.flags & PADDED)
    if len(frame.data) < start + 5:
        return frame  # too short for it: h2 says so
    payload = frame.data[9:start] + frame.data[start + 5 :]
    flags = frame.flags & ~PRIORITY
    data = encode_frame(Kind.HEADERS, flags, frame.stream_id, payload)
    return Frame(frame.kind, flags, frame.stream_id, data)
