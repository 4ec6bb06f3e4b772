"""One client's HTTP/2 connection: how what its streams have to say leaves, and how it ends.

Responses leave as they are sent.  All else that happens in one turn of the loop, windows given back
and room that came free, is settled once, before the next turn.
"""

from __future__ import annotations

import time
from typing import Any

from .async_wire import AsyncWire
from .http2 import Connection
from .http2_events import Code
from .protocol_http2_stream import StreamChannel

BURST = 1 << 18  # bytes of content in one turn of the loop: then everybody else has one


class Http2Wire(AsyncWire):
    """Write to one client; ``channels`` are its streams, by number.

    ``past`` are tasks whose stream was over before they were, as far as we have not seen them end.
    """

    __slots__ = ("_asked", "_flushing", "channels", "engine", "past")

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.engine = Connection(shell.service.limits, shell.service.http2)
        self.channels: dict[int, StreamChannel] = {}
        self.past: list[Any] = []
        self._flushing = False
        self._asked = False  # to leave

    # ------------------------------------------------------------ sending

    def flush_soon(self) -> None:
        """Settle before the next turn of the loop, once for all that happens in this one."""
        if not self._flushing:
            self._flushing = True
            self.shell.loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Send what can be sent, and let those go on whose turn it was."""
        self._flushing = False
        if self.gone:
            return
        self._write()
        if self.transport.is_closing():  # a write has failed: who streams must not go on
            self._lose_all()
            return
        self._settle()
        if self.engine.must_close:
            self._leave()
        elif self.engine.more and self.writable:
            self.flush_soon()

    def flush_now(self) -> None:
        """Send what can be sent before who calls goes on; the rest is settled as ever."""
        self._write()
        self.flush_soon()

    def _write(self) -> None:
        """Write what the client takes."""
        if data := self.engine.outgoing(BURST if self.writable else 0):
            self.transport.write(data)

    def _settle(self) -> None:
        """Let applications go on whose bytes have left, and count out the streams that are over.

        Of a client that sends no more no window opens again, and no request that is not whole
        becomes so (RFC 9113 §8.1): who waits for that waits in vain.
        """
        engine, dead = self.engine, self._ended and self.writable and not self.engine.more
        for channel in list(self.channels.values()):
            stream = engine.streams.get(channel.id)
            if stream is None:
                channel.gone = True
                self.forget(channel)
            elif (self._ended and not stream.ended) or (dead and engine.waiting(channel.id)):
                channel.cut(Code.CANCEL)
            else:
                channel.taken()

    # ------------------------------------------------------------ the end

    def _lose_all(self) -> None:
        """Be done with all streams."""
        for channel in list(self.channels.values()):
            channel.lose()
        self.channels.clear()

    def forget(self, channel: StreamChannel) -> None:
        """Count a stream out; with the last one the connection is idle."""
        if self.channels.pop(channel.id, None) is not None and not self.channels:
            self.deadline = time.monotonic() + self.shell.idle
            if self._asked:
                self.engine.goaway()
                self.flush_soon()

    def _leave(self) -> None:
        """Say our last word, and part."""
        self._lose_all()
        self.engine.take_no_more()
        self.engine.goaway()
        self.transport.write(self.engine.outgoing(0))
        self.part()

    def resume_writing(self) -> None:
        """Send what waits."""
        super().resume_writing()
        self.flush_soon()

    def connection_lost(self, error: Exception | None) -> None:
        """End, also in the middle of responses."""
        self._lose_all()
        super().connection_lost(error)

    def abort(self) -> None:
        """Cut the connection, and all that runs on it."""
        self._lose_all()
        super().abort()
