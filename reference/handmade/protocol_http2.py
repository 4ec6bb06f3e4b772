"""One client's HTTP/2 connection in the shells that never wait: a task for each stream.

Engine, gateway and transport meet here, as in ``protocol`` for HTTP/1.1.  What all streams have to
say in one turn of the loop leaves in one write.
"""

from __future__ import annotations

import time
from typing import Any

from .async_wire import NEVER, AsyncWire
from .events import NEED_DATA, Data, End, Request
from .gateway import logger
from .http2 import Connection
from .http2_events import Code, ConnectionFailed, Refused, Reset
from .protocol_http2_stream import StreamChannel
from .protocol_http2_websocket import accept, begin_websocket

BURST = 1 << 18  # bytes of content in one turn of the loop: then everybody else has one


class Http2Protocol(AsyncWire):
    """Serve one client; ``channels`` are its streams, by number."""

    __slots__ = (
        *(
            "engine",
            "channels",
            "_flushing",
            "_past",
            "_asked",
            "_last_word",
            "_in_head",
            "_refilled_at",
        ),
    )

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.engine = Connection(shell.service.limits, shell.service.http2)
        self.channels: dict[int, StreamChannel] = {}
        self._flushing = False
        self._past: list[Any] = []
        self._asked = False
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

    def resume_writing(self) -> None:
        """Send what waits."""
        super().resume_writing()
        self.flush_soon()

    def connection_lost(self, error: Exception | None) -> None:
        """End, also in the middle of responses."""
        self._lose_all()
        super().connection_lost(error)

    # ------------------------------------------------------------ streams

    def _begin(self, request: Request) -> None:
        """Run the application for a request."""
        if self._past and self._too_many():
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
        self._past = [task for task in self._past if not task.done()]
        return len(self._past) + len(self.channels) >= self.engine.http2.streams

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
            exchange = channel.exchange
            if exchange is not None and exchange.task is not None:
                self._past.append(exchange.task)
            channel.lose()
            self.forget(channel)

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

    # ------------------------------------------------------------ sending

    def flush_soon(self) -> None:
        """Send before the next turn of the loop, once for all that is said in this one."""
        if not self._flushing:
            self._flushing = True
            self.shell.loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Send what can be sent, and let those go on whose turn it was."""
        self._flushing = False
        if self.gone:
            return
        engine = self.engine
        if data := engine.outgoing(BURST if self.writable else 0):
            self.transport.write(data)
            if self.transport.is_closing():  # a write has failed: who streams must not go on
                self._lose_all()
                return
        self._settle()
        if engine.must_close:
            self._leave()
        elif engine.more and self.writable:
            self.flush_soon()

    def _settle(self) -> None:
        """Let applications go on whose bytes have left, and count out the streams that are over.

        Of a client that sends no more no window opens again: who waits for that waits in vain.
        """
        streams, dead = self.engine.streams, self._ended and self.writable and not self.engine.more
        for channel in list(self.channels.values()):
            if channel.id not in streams:
                channel.gone = True
                self.forget(channel)
            elif dead and self.engine.waiting(channel.id):
                channel.cut(Code.CANCEL)
            else:
                channel.taken()

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

        Who has asked nothing is told at once (RFC 9113 §6.8), who waits for an answer behind it:
        clients that use h2, httpx for one, drop what they wait for when they hear GOAWAY.
        """
        self._asked, self._last_word = True, last_word
        if not self.channels:
            self.engine.goaway()
        for channel in list(self.channels.values()):
            channel.ask_to_leave()
        self.flush_soon()
        super().ask_to_leave(last_word)

    def _leave(self) -> None:
        """Say our last word, and part."""
        self._lose_all()
        self.engine.take_no_more()
        self.engine.goaway()
        self.transport.write(self.engine.outgoing(0))
        self.part()

    def overdue(self) -> None:
        """End a connection on which nothing is asked."""
        if self.gone:
            self.transport.abort()
        else:
            self._leave()

    def abort(self) -> None:
        """Cut the connection, and all that runs on it."""
        self._lose_all()
        super().abort()
