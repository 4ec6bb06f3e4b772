"""The WSGI gateway: from a request's events to ``app(environ, start_response)`` and back.

It knows PEP 3333 and nothing of sockets, threads or the bytes of HTTP.  Sections of the PEP are
cited by their titles.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any

from .events import Data, End, Request, Response
from .gateway import (
    ApplicationError,
    Channel,
    Headers,
    HttpDate,
    answer_failure,
    complete,
    logger,
)
from .http1_writing import WITHOUT_CONTENT
from .wsgi_request import Body, Environ, Server, base_environ, request_environ
from .wsgi_response import checked_headers, checked_status

ExcInfo = tuple[type[BaseException], BaseException, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class Gateway:
    """Serve requests with one WSGI application."""

    def __init__(self, app: Application, server: Server, date: HttpDate) -> None:
        self.app = app
        self.server = server
        self.date = date
        self.base = base_environ(server)

    def respond(self, request: Request, channel: Channel) -> tuple[int, int]:
        """Run the application for one request; return the status and the bytes of content sent.

        Never raises for what an application or a client does: the failure is logged, and answered.
        """
        exchange = Exchange(self, request, channel)
        try:
            exchange.run(self.app)
        except (Exception, SystemExit) as error:  # a view that calls sys.exit() ends its request
            status = answer_failure(error, request, channel, self.date(), started=exchange.started)
            return status or exchange.status, exchange.sent
        return exchange.status, exchange.sent


class Exchange:
    """Take one request through the application.

    ``started`` turns True when the head of the response has left for the client: from then on
    nothing about it can be changed, only ended or cut.
    """

    __slots__ = (
        *("request", "channel", "date", "body", "status", "reason", "headers"),
        *("left", "bare", "called", "started", "sent", "environ"),
    )

    def __init__(self, gateway: Gateway, request: Request, channel: Channel) -> None:
        self.request = request
        self.channel = channel
        self.date = gateway.date
        self.body: Body | None = None
        self.status = 0
        self.reason = b""
        self.headers: Headers | None = None
        self.left: int | None = None
        self.bare = False
        self.called = False
        self.started = False
        self.sent = 0
        self.environ = request_environ(request, gateway.base, gateway.server.script_name)
        self.environ["REMOTE_ADDR"], port = channel.client
        self.environ["REMOTE_PORT"] = str(port)
        self.environ["wsgi.input"] = self._input()

    def _input(self) -> io.BytesIO | io.BufferedReader:
        """Return wsgi.input: over what is here already, or over what is still to come."""
        if self.channel.whole_body is not None:
            return io.BytesIO(self.channel.whole_body)
        self.body = Body(self.channel)
        return io.BufferedReader(self.body)

    # ------------------------------------------------------------ what the application calls

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """Note status and headers; return ``write`` (PEP 3333, The start_response() Callable).

        Nothing is sent yet: until the first byte of content the application may still fail, and
        call again with ``exc_info`` to say something else.
        """
        if exc_info is not None:
            try:
                if self.started:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # a traceback that holds this frame would never be freed
        elif self.called:  # also when the first call has raised
            raise ApplicationError("start_response was called again without exc_info")
        self.called = True
        self.status, self.reason = checked_status(status)
        self.headers = checked_headers(headers)
        return self.write

    def write(self, block: bytes) -> None:
        """Send a block at once (PEP 3333, The write() Callable); raise past Content-Length."""
        self._transmit(block)
        if self.left is not None and self.left < 0:
            raise ApplicationError("write() went past Content-Length (PEP 3333)")

    # ------------------------------------------------------------ what we do with its answer

    def run(self, app: Application) -> None:
        """Call the application, send what it returns, and close it whatever happens."""
        iterable = app(self.environ, self.start_response)
        try:
            if type(iterable) in (list, tuple):
                self._send_whole(iterable)
            else:
                self._send_blocks(iterable)
        finally:
            _close(iterable)

    def _send_whole(self, blocks: Iterable[bytes]) -> None:
        """Send a body that is all here in one write, with the length that we can now know."""
        for block in blocks:
            _check_block(block)
        body = b"".join(blocks)
        if self.started:  # by write()
            self._transmit(body)
            self.channel.send(End())
            return
        response = self._begin(len(body))
        if self.left is not None and len(body) < self.left:
            raise ApplicationError(f"the body is {self.left - len(body)} bytes short of its length")
        self.channel.send(response, Data(self._within_length(body)), End())
        self.started = True

    def _send_blocks(self, iterable: Iterable[bytes]) -> None:
        """Send each block when it comes, before the next is asked for (PEP 3333, Buffering)."""
        try:
            blocks = iter(iterable)
        except TypeError:
            kind = type(iterable).__name__
            raise ApplicationError(f"the application returned {kind}, not an iterable") from None
        for block in blocks:
            self._transmit(block)
            if self.started and (self.bare or (self.left is not None and self.left <= 0)):
                break  # all that may be sent has been: the rest would go nowhere
        if not self.started:
            response = self._begin(0)
            self.channel.send(response)
            self.started = True
        self.channel.send(End())

    def _transmit(self, block: bytes) -> None:
        """Send a block, and before the first one the head."""
        _check_block(block)
        if not block:
            return
        if self.started:
            self.channel.send(Data(self._within_length(block)))
        else:
            response = self._begin(None)
            self.channel.send(response, Data(self._within_length(block)))
            self.started = True

    def _begin(self, length: int | None) -> Response:
        """Return the response's head; ``length`` is that of the content where it is known."""
        if self.body is not None and self.body.error:
            raise self.body.error  # the request was broken, whatever the application made of it
        headers = self.headers
        if headers is None:
            raise ApplicationError("the application never called start_response")
        self.bare = self.request.method == b"HEAD" or self.status in WITHOUT_CONTENT
        self.left = None if self.bare else headers.length
        if self.bare and (not length or self.request.method != b"HEAD"):
            # An empty body tells nothing about the length that GET would have, and what is not sent
            # with a 304 nothing about the length of a 200 (RFC 9110 §8.6).
            length = None
        return Response(self.status, complete(headers, self.date(), length), self.reason)

    def _within_length(self, block: bytes) -> bytes:
        """Return what of ``block`` may go (PEP 3333, Handling the Content-Length Header)."""
        if self.left is not None:
            if len(block) > self.left:
                logger.error("%s: the body is longer than its Content-Length", self._name)
            block, self.left = block[: max(self.left, 0)], self.left - len(block)
        self.sent += 0 if self.bare else len(block)
        return block

    @property
    def _name(self) -> str:
        """Return the request's line for the log."""
        return f"{self.environ['REQUEST_METHOD']} {self.environ['REQUEST_URI']}"


def _check_block(block: object) -> None:
    """Demand bytes: the server does not guess an encoding (PEP 3333, Unicode Issues)."""
    if not isinstance(block, bytes):
        hint = "; encode it first" if isinstance(block, str) else "; return [body], not body"
        raise ApplicationError(f"the application gave {type(block).__name__}, not bytes{hint}")


def _close(iterable: object) -> None:
    """Close what the application returned (PEP 3333, Specification Details).

    It must be called after an error too: it is where applications give back their files and locks.
    What it raises comes too late for the client, so the log is told.
    """
    close = getattr(iterable, "close", None)
    if close is not None:
        try:
            close()
        except Exception as error:
            logger.error("close() of the response failed: %s", error, exc_info=error)
