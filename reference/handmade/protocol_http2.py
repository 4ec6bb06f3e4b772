"""One client's HTTP/2 connection in the shells that never wait: a task for each stream.

Engine, gateway and transport meet here, as in ``protocol`` for HTTP/1.1.
"""

from __future__ import annotations

import time
from typing import Any

from .async_wire import NEVER
from .events import NEED_DATA, Data, End, Request
from .gateway import logger
from .http2_events import Code, ConnectionFailed, Refused, Reset
from .protocol_http2_stream import StreamChannel
from .protocol_http2_websocket import accept, begin_websocket
from .protocol_http2_wire import Http2Wire


class Http2Protocol(Http2Wire):
    """Serve one client."""

    __slots__ = ("_in_head", "_last_word", "_refilled_at")

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._last_word = NEVER
        self._in_head = False
        self._refilled_at = 0.0

    # ------------------------------------------------------------ callbacks of the transport

    def connection_made(self, transport: Any) -> None:
        """Begin: our settings need not wait for the client's (RFC 9113 §3.4)."""
        super().connection_made(transport)
        self.flush_soon()

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        if self.gone:
            return  # we have parted; what still comes is dropped
        self.engine.receive(data)
        self._advance()

    def _advance(self) -> None:
        """Do what has come."""
        engine = self.engine
        try:
            while (event := engine.next_event()) is not NEED_DATA:
                kind = type(event)
                if kind is Request:
                    self._begin(event)  # type: ignore[arg-type]  # kind tells mypy nothing
                elif kind is Data or kind is End:
                    if channel := self.channels.get(event.stream_id):  # type: ignore[union-attr]
                        channel.feed(event)  # type: ignore[arg-type]
                elif kind is Reset:
                    self._lose(event.stream_id)  # type: ignore[union-attr]
                elif kind is Refused:
                    self._refuse(event)  # type: ignore[arg-type]
        except ConnectionFailed as error:
            logger.info("HTTP/2: the connection of %s failed: %s", self.client, error)
            self._lose_all()
            self.transport.write(engine.outgoing(0))  # with the GOAWAY that says why
            self.part()
            return
        if not self.channels and not self._in_head and not engine.between_requests:
            self._in_head = True  # once between two requests: pings and drips do not count
            self.deadline = time.monotonic() + self.timeouts.head
        if self.shell.stopping and not self._asked:
            self.ask_to_leave(time.monotonic() + self.timeouts.drain)
        self.flush_soon()

    def eof_received(self) -> bool:
        """Note that the client will send no more: its requests may still wait for answers."""
        self._ended = True
        if self.gone:
            self.transport.close()
            return True
        self.engine.receive(b"")
        self._advance()
        self.shell.loop.call_later(self.timeouts.half_closed, self._doubt)
        return True

    def _doubt(self) -> None:
        """Believe that the client has left."""
        for channel in self.channels.values():
            channel.leave()

    # ------------------------------------------------------------ streams

    def _begin(self, request: Request) -> None:
        """Run the application for a request."""
        if self.past and self._too_many():
            self.engine.reset(request.stream_id, Code.REFUSED_STREAM)
            return
        channel = self.channels[request.stream_id] = StreamChannel(self, request)
        self.deadline = NEVER
        self._in_head = False
        if request.upgrade:
            self._begin_websocket(channel, request)
            return
        exchange = channel.exchange = self.shell.gateway.exchange(request, channel)
        self.shell.run(exchange)

    def _too_many(self) -> bool:
        """True when too many applications run, those counted whose clients have reset them.

        This is what rapid reset is about (CVE-2023-44487): a stream that is reset makes room for
        the next one at once, and its application does not.
        """
        self.past = [task for task in self.past if not task.done()]
        return len(self.past) + len(self.channels) >= self.engine.http2.streams

    _begin_websocket = begin_websocket
    accept = staticmethod(accept)

    def _refuse(self, event: Refused) -> None:
        """Answer what cannot be served."""
        channel = self.channels.get(event.stream_id)
        if channel is None:
            channel = self.channels[event.stream_id] = StreamChannel(self, event.request)
        channel.refuse(event.error)

    def _lose(self, stream_id: int) -> None:
        """Be done with a stream that was reset."""
        if channel := self.channels.get(stream_id):
            channel.lose()
            self.forget(channel)

    # ------------------------------------------------------------ time, and the end

    @property
    def is_idle(self) -> bool:
        """True when no stream is open."""
        return not self.channels

    def look(self, now: float) -> None:
        """Look at every stream, then at the connection; the shell calls this."""
        self.engine.refill(now - self._refilled_at)
        self._refilled_at = now
        for channel in list(self.channels.values()):
            channel.look(now)
        if now > self._last_word and not self.gone:
            self._last_word = NEVER
            self.engine.take_no_more()
            self.flush_soon()
        super().look(now)

    def ask_to_leave(self, last_word: float) -> None:
        """Take what is on its way until ``last_word``, and finish all that was asked.

        A client that waits for nothing is told at once (RFC 9113 §6.8).  One that waits is told
        when it has its answers: clients that use h2, httpx for one, give them up for a GOAWAY.
        """
        self._asked, self._last_word = True, last_word
        if not self.channels:
            self.engine.goaway()
        for channel in list(self.channels.values()):
            channel.ask_to_leave()
        self.flush_soon()
        super().ask_to_leave(last_word)

    def overdue(self) -> None:
        """End a connection on which nothing is asked."""
        if self.gone:
            self.transport.abort()
        else:
            self._leave()
