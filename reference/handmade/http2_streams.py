"""The streams of one connection, and how they end (RFC 9113 §5.4.2, §6.8).

A stream that we reset was perhaps full of what is still on its way to us.  That costs the client
its place in the window of the connection, which all streams share: it is given back.
"""

from __future__ import annotations

import struct
from collections import deque

from .events import Limits
from .http2_events import ConnectionFailed, Http2Event, Http2Limits, Nuisance, Reset
from .http2_frames import FrameReader, Kind, encode_frame
from .http2_library import NO_LIMIT, Library
from .http2_stream import Stream

PORTION = 1 << 14  # bytes of window
REMEMBERED = 1000  # streams


class Streams:
    """Hold the streams that are open.  ``last`` is the last that we take."""

    def __init__(self, limits: Limits | None = None, http2: Http2Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.http2 = http2 or Http2Limits()
        self.streams: dict[int, Stream] = {}
        self.last = self._said_last = NO_LIMIT
        self.leaving = False
        """True when the client has said that it goes (RFC 9113 §6.8), or has closed its side."""
        self._h2 = Library(self.limits, self.http2)
        self._frames = FrameReader(self.limits, self.http2)
        self._events: deque[Http2Event] = deque()
        self._failed: ConnectionFailed | None = None
        self._were_ours: dict[int, None] = {}  # streams that we have reset, the latest ones
        self._to_give_back = 0
        self._beside = b""  # frames that we write past h2

    def _drop(self, size: int) -> None:
        """Drop content that was on its way when we reset its stream (RFC 9113 §5.1, closed).

        h2 would answer each of these frames with another reset.  The window that they used is
        every stream's, so it is given back, in larger portions.
        """
        self._frames.spend(Nuisance.OTHER)
        self._to_give_back += size
        if self._to_give_back > PORTION:
            update = struct.pack(">I", self._to_give_back)
            self._beside += encode_frame(Kind.WINDOW_UPDATE, 0, 0, update)
            self._to_give_back = 0

    def reset(self, stream_id: int, code: int) -> None:
        """End a stream at once (RFC 9113 §5.4.2): nothing more is sent there, or read."""
        self._forget(stream_id)
        self._h2.reset_stream(stream_id, code)
        self._were_ours[stream_id] = None
        if len(self._were_ours) > REMEMBERED:
            del self._were_ours[next(iter(self._were_ours))]

    def _reset_for(self, stream_id: int, code: int) -> None:
        """Reset a stream for what its client has done; who provokes many of them is no client."""
        if stream_id in self.streams:
            self._events.append(Reset(code, stream_id))
        self.reset(stream_id, code)
        self._frames.spend(Nuisance.RESET)

    def _forget(self, stream_id: int) -> None:
        """Be done with a stream; what nobody has read of it no longer burdens the connection."""
        stream = self.streams.pop(stream_id, None)
        if stream is not None and stream.unread:
            self._h2.acknowledge_received_data(stream.unread, stream_id)

    # ------------------------------------------------------------ the end

    def take_no_more(self) -> None:
        """Refuse streams from now on: the client may try them again elsewhere (RFC 9113 §8.7)."""
        self.last = self._frames.highest

    def goaway(self) -> None:
        """Tell the client to open no more streams, and which was the last one (RFC 9113 §6.8).

        While we take more there is no last one: requests are perhaps on their way.
        """
        self._said_last = self.last
        self._beside += encode_frame(Kind.GOAWAY, 0, 0, struct.pack(">II", self.last, 0))
