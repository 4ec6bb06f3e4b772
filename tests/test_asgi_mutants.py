"""Every bug that published ASGI servers have is found by a case of the contract.

A mutant is our server with one bug, made by the smallest change that gives it to us.  The case that
is named beside it fails on the mutant and passes on the server as it is: that is the proof that the
case looks.  ``PUBLISHED`` are bugs that were seen in tutorials and in respected servers, ``OTHERS``
are those that we had ourselves, or fear.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from contracts.async_shells import PATIENT, Ours, WsgiOnOurs

from handmade import (
    aio,
    asgi,
    asgi_messages,
    asgi_websocket,
    async_shell,
    async_wire,
    gateway,
    http1,
    http1_writing,
    lifespan,
    loop_shell,
    protocol,
    protocol_messages,
    protocol_websocket,
    watchdog,
    websocket_handshake,
)
from handmade.events import Informational
from handmade.service import Timeouts
from workbench.contracts import cases, find
from workbench.contracts.asgi import cases_for
from workbench.gauntlet.museum import asgi_exhibits, infected, nothing, wsgi_exhibits
from workbench.gauntlet.museum.asgi_exhibits import scope_with

HURRIED = replace(PATIENT, startup=1.5, shutdown=0.5, graceful=2.5, linger=5)


@dataclass(frozen=True)
class Mutant:
    """A bug, the case that finds it, and how we get it."""

    bug: str
    case: str
    change: Callable[..., Any]
    contract: str = "asgi"
    shell: str = "asyncio"


PUBLISHED: list[Mutant] = []  # their changes are exhibits of the museum
OTHERS: list[Mutant] = []


def mutant(bug: str, case: str, into: list[Mutant] = PUBLISHED, **how: str) -> Callable[..., Any]:
    """Note a mutant; its function is given ``patch(target, name, new)``."""

    def note(change: Callable[..., Any]) -> Callable[..., Any]:
        into.append(Mutant(bug, case, change, **how))
        return change

    return note


def other(bug: str, case: str, **how: str) -> Callable[..., Any]:
    """Note a mutant with a bug that nobody has published."""
    return mutant(bug, case, OTHERS, **how)


# ---------------------------------------------------------------- the life of an application


mutant("an app that returns on the lifespan scope delays start-up", "returns on lifespan")(
    asgi_exhibits.deaf_to_a_return
)

mutant("startup.failed is ignored, and the server serves", "a failed start-up")(
    asgi_exhibits.failed_and_served
)

mutant("the shutdown is never sent", "start-up and shutdown")(asgi_exhibits.never_shut_down)

# ---------------------------------------------------------------- both directions of a request


mutant("no backpressure: all is taken for a client that reads nothing", "a slow reader")(
    asgi_exhibits.no_backpressure
)

mutant("the disconnect is never delivered", "disconnect on a reset")(asgi_exhibits.no_disconnect)

mutant("an error after the start writes a second status line", "error in the body")(
    asgi_exhibits.second_status_line
)

mutant("a body after the end is still written", "after the end")(asgi_exhibits.body_after_the_end)

mutant("chunked input becomes empty", "a short body")(asgi_exhibits.chunks_are_empty)

mutant("raw_path is rebuilt from the decoded path", "the raw path")(asgi_exhibits.rebuilt_raw_path)


mutant("the method is bytes", "the scope's types")(asgi_exhibits.method_in_bytes)

mutant("the path holds the query", "the path")(asgi_exhibits.query_in_the_path)

mutant("the whole response is buffered until the app returns", "each body at once")(
    asgi_exhibits.buffered
)


@mutant("connect and close spins", "who has left costs nothing", shell="loop")
def spinning(patch):
    def receive(self):
        data = self._socket.recv(65536)
        self._protocol.data_received(data) if data else self._protocol.eof_received()

    patch(loop_shell.SocketTransport, "_receive", receive)


@mutant("connect and close freezes the loop", "a crowd that comes and goes")
def frozen(patch):
    connect = async_shell.Newcomer.connection_made
    patience = time.monotonic() + 1.5  # for ever, but for the test that comes next

    def wait_for_a_byte(self, transport):
        connect(self, transport)
        with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as sock:
            while time.monotonic() < patience:
                with contextlib.suppress(OSError):
                    if sock.recv(1, socket.MSG_PEEK):
                        break

    patch(async_shell.Newcomer, "connection_made", wait_for_a_byte)


# ---------------------------------------------------------------- respected adapters


mutant("WSGI in ASGI never calls close()", "close() after the end", contract="server")(
    wsgi_exhibits.never_closes
)

mutant("WSGI in ASGI sends no start for an empty body", "no blocks", contract="server")(
    wsgi_exhibits.no_start
)

mutant("WSGI in ASGI gives SERVER_PORT as int", "native strings", contract="server")(
    wsgi_exhibits.port_is_a_number
)

# ---------------------------------------------------------------- WebSockets


@mutant("an upgrade to a WebSocket reaches the application as plain http", "an upgrade is no http")
def plain_upgrade(patch):
    patch(
        protocol, "exchange_for", lambda request, http: http.shell.gateway.exchange(request, http)
    )


@other("a WebSocket's key is not answered", "the accept key")
def wrong_key(patch):
    patch(websocket_handshake, "accept_key", lambda key: key)


@other("a subprotocol that nobody offered is accepted", "wrong in accept")
def any_subprotocol(patch):
    fields = protocol_messages.accept_fields
    patch(
        protocol_messages, "accept_fields",
        lambda handshake, chosen, extra, agreed: fields(
            replace(handshake, subprotocols=(str(chosen),)), chosen and str(chosen), extra, agreed
        ),
    )  # fmt: skip


@other("what came behind the handshake is lost", "frames behind the handshake")
def forgets_the_rest(patch):
    patch(http1.Connection, "hand_over", lambda self: b"")


@other("pings are answered by nobody", "a ping while the application is busy")
def no_pong(patch):
    patch(protocol_messages, "Ping", protocol_messages.Pong)


@other("a WebSocket takes all for a client that reads nothing", "a reader that does not read")
def all_is_taken(patch):
    patch(protocol_messages.Messages, "writable", True)


@other("messages that nobody takes are kept without end", "an application that does not receive")
def all_is_kept(patch):
    patch(protocol_messages, "BUFFERED", float("inf"))


@other("a close overtakes the messages before it", "messages before the close")
def close_first(patch):
    take = protocol_messages.Messages.take
    patch(protocol_messages.Messages, "take", lambda self: self.closed or take(self))


@other("each end of a WebSocket is told as 1006", "the client closes")
def always_1006(patch):
    end = protocol_messages.Messages._end

    def lost(self, closed, failed=False):
        end(self, closed, failed)
        self.closed = protocol_messages.LOST

    patch(protocol_messages.Messages, "_end", lost)


@other("a message to a closed WebSocket is passed over", "send on a closed WebSocket")
def sends_to_nobody(patch):
    patch(protocol_messages.Messages, "gone", False)
    patch(protocol_messages.Messages, "text", nothing)


@other("an application that fails closes as if it were done", "the application fails")
def fails_well(patch):
    close = protocol_messages.Messages.close
    patch(protocol_messages.Messages, "close", lambda self, code, reason="": close(self, 1000))


@other("a WebSocket's denial ends with its status", "a denial response")
def bare_denial(patch):
    deny = asgi_websocket.WebSocketExchange._deny

    async def bare(self, message):
        await deny(self, {**message, "body": b""} if "body" in message else message)

    patch(asgi_websocket.WebSocketExchange, "_deny", bare)


@other("a WebSocket is cut when the server stops", "the server stops")
def says_nothing(patch):
    patch(protocol_websocket.WebSocketWire, "ask_to_leave", lambda self, last_word: self.abort())


@other("nobody asks whether a silent client is there", "a silent client is asked")
def never_asks(patch):
    patch(protocol_messages.Messages, "overdue", nothing)


@other("a client that answers pings is cut off", "who answers pings may be silent")
def hears_no_pong(patch):
    overdue = protocol_messages.Messages.overdue

    def deaf(self):
        self.heard = self.asked - 1
        overdue(self)

    patch(protocol_messages.Messages, "overdue", deaf)


@other("empty messages weigh nothing", "empty messages count")
def weightless(patch):
    patch(protocol_messages, "MESSAGE", 0)


@other("who is not read from is called silent", "who is not read from is not deaf")
def judged_unheard(patch):
    patch(protocol_websocket.WebSocketWire, "held", False)


@other("a stop makes who sends a failure", "a stop under a sender")
def blamed(patch):
    failed = asgi_websocket.WebSocketExchange._failed

    def blame(self, error):
        gateway.logger.error("websocket failed: %s", error)
        failed(self, error)

    patch(asgi_websocket.WebSocketExchange, "_failed", blame)


# ---------------------------------------------------------------- what we had ourselves


@other("a cut response looks complete to HTTP/1.0", "half answered")
def no_reset(patch):
    def abort(self):
        self.gone = self.left = True
        self.transport.abort()

    patch(async_wire.AsyncWire, "abort", abort)


@other("a stream to who has left never ends", "a stream to nobody")
def failed_writes_unseen(patch):
    send = protocol.HttpProtocol.send

    def blind(self, *events):
        left = self.gone, self.left
        send(self, *events)
        self.gone, self.left = left

    patch(protocol.HttpProtocol, "send", blind)


@other("who pipelines and reads nothing is answered on and on", "a slow reader that asks on")
def answers_on(patch):
    send = asgi.Exchange.send

    async def at_once(self, message):
        writable, self.channel.writable = self.channel.writable, True
        try:
            await send(self, message)
        finally:
            self.channel.writable = self.channel.writable and writable

    patch(asgi.Exchange, "send", at_once)


@other("a broken body is not told before the client leaves", "a broken chunk")
def not_told(patch):
    def refuse(self, error):
        answer = gateway.error_response(error.status, error.reason, b"now")
        self.transport.write(b"".join([self.engine.send(event) for event in answer]))
        self.transport.write_eof()

    patch(protocol.HttpProtocol, "_refuse", refuse)


@other("a task behind the response delays the stop", "a task when we stop")
def sweep_in_silence(patch):
    def sweep(self):
        for connection in list(self._open):
            connection.look(time.monotonic())
        self._sweep_timer = self.loop.call_later(0.05, self._sweep)

    patch(async_shell.AsyncShell, "_sweep", sweep)


@other("a refused trailer is sent with the next ones", "splitting by a trailer")
def trailers_unchecked(patch):
    patch(asgi, "checked_trailers", lambda message: asgi_messages.checked_headers(message).fields)


@other("trailers go to everybody", "no trailers unasked")
def trailers_to_all(patch):
    patch(asgi, "takes_trailers", lambda request: True)


@other("an empty context is taken for none", "context variables", shell="loop")
def context_of_the_caller(patch):
    def run(self, exchange):
        exchange.task = self.loop.create_task(exchange.run())

    patch(async_shell.AsyncShell, "run", run)


# ---------------------------------------------------------------- what we fear


@other("100 is sent before anybody reads", "100 when it is received")
def early_continue(patch):
    begin = protocol.HttpProtocol._begin

    def invite(self, request, first):
        if request.expects_continue:
            self.transport.write(self.engine.send(Informational(100)))
        begin(self, request, first)

    patch(protocol.HttpProtocol, "_begin", invite)


@other("the disconnect comes right behind the body", "receive waits")
def early_disconnect(patch):
    receive = asgi.Exchange.receive

    async def impatient(self):
        return {"type": "http.disconnect"} if self._read_to_end else await receive(self)

    patch(asgi.Exchange, "receive", impatient)


@other("a half-closed client counts as gone", "a half-closed client")
def half_closed_is_gone(patch):
    def eof_received(self):
        self.left = self._ended = True
        self._bell.ring()
        return False

    patch(protocol.HttpProtocol, "eof_received", eof_received)


@other("a half-closed client is never given up", "half-closed for long")
def never_given_up(patch):
    patch(protocol.HttpProtocol, "_give_up", nothing)


@other("send to nobody says nothing", "disconnect on a reset")
def silent_send(patch):
    send = asgi.Exchange.send

    async def polite(self, message):
        with contextlib.suppress(OSError):
            await send(self, message)

    patch(asgi.Exchange, "send", polite)


@other("the head leaves before there is a body", "the start waits")
def eager_head(patch):
    start = asgi.Exchange._TAKES[asgi.START]

    def eager(self, message, moves):
        start(self, message, moves)
        body = {"type": asgi.BODY, "more_body": True}
        self._body(body, asgi.SENDING[self.sending, asgi.BODY])

    patch(asgi.Exchange, "_TAKES", {**asgi.Exchange._TAKES, asgi.START: eager})


@other("the head waits for a byte of content", "an empty body begins")
def lazy_head(patch):
    body = asgi.Exchange._TAKES[asgi.BODY]

    def lazy(self, message, moves):
        if message.get("body") or not message.get("more_body", False):
            body(self, message, moves)

    patch(asgi.Exchange, "_TAKES", {**asgi.Exchange._TAKES, asgi.BODY: lazy})


@other("a body beyond or short of its length is noticed too late", "too short")
def uncounted(patch):
    patch(asgi.Exchange, "_count", nothing)


@other("a str is encoded for the application", "wrong bodies")
def guesses_utf_8(patch):
    checked = asgi.checked_body

    def guess(message):
        body = message.get("body", b"")
        return body.encode() if isinstance(body, str) else checked(message)

    patch(asgi, "checked_body", guess)


@other("a line end in a header splits the response", "response splitting")
def unchecked_fields(patch):
    patch(http1_writing, "check_field", nothing)


@other("an unknown message is passed over", "unknown messages")
def passes_over(patch):
    send = asgi.Exchange.send

    async def tolerant(self, message):
        kind = message.get("type") if isinstance(message, dict) else None
        if kind in ("http.response.start", "http.response.body"):
            await send(self, message)

    patch(asgi.Exchange, "send", tolerant)


@other("the client reads the error", "error before the start")
def talkative(patch):
    error_response = gateway.error_response

    def tell(error, request, channel, date, *, started):
        channel.send(*error_response(500, repr(error), date))
        return 500

    patch(asgi, "answer_failure", tell)


@other("an application that exits ends the server", "the server survives", shell="loop")
def exits(patch):
    failed = asgi.Exchange._failed

    def fail(self, error):
        if isinstance(error, SystemExit):
            raise error
        failed(self, error)

    patch(asgi.Exchange, "_failed", fail)


@other("a stray cancel cuts the connection without a word", "a stray cancel")
def cancelled_in_silence(patch):
    failed = asgi.Exchange._failed

    def fail(self, error):
        if not isinstance(error, Exception):
            raise error
        failed(self, error)

    patch(asgi.Exchange, "_failed", fail)


@other("an upload is held in memory without bound", "a slow application")
def unbounded_upload(patch):
    patch(async_wire.AsyncWire, "hold", nothing)


@other("one who is cancelled takes the others with him", "a receive given up")
def one_future_for_all(patch):
    async def wait(self):
        if not self._waiting or self._waiting[0].done():
            self._waiting[:] = [self._create_future()]
        await self._waiting[0]

    patch(gateway.Bell, "wait", wait)


@other("one request's context is the next one's", "context variables")
def one_context(patch):
    def run(self, exchange):
        exchange.task = self.loop.create_task(exchange.run(), context=self._context)

    patch(aio.Asyncio, "run", run)


@other("requests share one state", "state")
def shared_state(patch):
    scope_with(patch, lambda scope, request, server: {"state": server.state})


@other("requests share one dict of the scope", "a scope each")
def shared_scope(patch):
    versions = {"version": "3.0", "spec_version": "2.5"}
    scope_with(patch, lambda scope, request, server: {"asgi": versions})


@other("requests are served before the start-up is complete", "start-up comes first")
def served_too_soon(patch):
    async def startup(self, seconds):
        self._task = self._loop.create_task(self._run())

    patch(lifespan.Lifespan, "startup", startup)


@other("the shutdown comes before the last response", "shutdown comes last")
def shut_down_too_soon(patch):
    drain = async_shell.AsyncShell._drain
    shutdown = lifespan.Lifespan.shutdown
    lives = []
    startup = lifespan.Lifespan.startup

    async def noted(self, seconds):
        lives.append(self)
        await startup(self, seconds)

    async def drain_late(self):
        await shutdown(lives[-1], 1.0)
        await drain(self)

    patch(lifespan.Lifespan, "startup", noted)
    patch(async_shell.AsyncShell, "_drain", drain_late)


@other("a stop cuts what is under way", "a graceful stop")
def no_drain(patch):
    async def drain(self):
        self.stopping = True

    patch(async_shell.AsyncShell, "_drain", drain)


@other("nobody looks at the deadlines", "stalled requests")
def no_deadlines(patch):
    patch(async_wire.AsyncWire, "look", nothing)


@other("a client that reads nothing is waited for", "a stalled reader")
def endless_patience_with_readers(patch):
    patch(async_wire.AsyncWire, "_look_at_reader", nothing)


@other("an application that thinks is timed out", "an application that takes its time")
def impatient_with_applications(patch):
    patch(protocol, "NEVER", 0.0)


@other("the log says who holds the loop, and not where", "who holds the loop")
def no_stack(patch):
    def tell(self, held):
        watchdog.logger.warning("the event loop has been held for %.2f s", held)

    patch(watchdog.Watchdog, "_tell", tell)


@other("what an application raises is logged twice", "logged once")
def logged_twice(patch):
    failed = asgi.Exchange._failed

    def twice(self, error):
        gateway.logger.error("failed: %s", error, exc_info=error)
        failed(self, error)

    patch(asgi.Exchange, "_failed", twice)


@other("a client that leaves is logged as an error", "a client that leaves is no error")
def alarmed(patch):
    def failed(self, error):
        gateway.logger.error("failed: %s", error, exc_info=error)

    patch(asgi.Exchange, "_failed", failed)


@other("a last body that is read slowly holds a thread", "many slow readers", contract="server")
def waits_behind_the_end(patch):
    send = asgi.Exchange.send

    async def patient(self, message):
        await send(self, message)
        if not self.channel.writable:
            await self.channel.drain()

    patch(asgi.Exchange, "send", patient)


# ---------------------------------------------------------------- the test


def subject(each: Mutant, patience: float, timeouts: Timeouts) -> Any:
    if each.contract == "server":
        return WsgiOnOurs(each.shell, "http1", patience)
    return Ours(each.shell, "http1", patience, timeouts)


@pytest.mark.parametrize(
    "each", [*PUBLISHED, *OTHERS], ids=lambda each: f"{each.bug} -> {each.case}".replace(" ", "_")
)
def test_the_case_finds_the_bug(each):
    case = find(each.contract, each.case)
    case.run(subject(each, 20.0, PATIENT))
    with infected(each.change), pytest.raises(AssertionError):  # Broken, or a server that fails
        run_often(case, each)


def run_often(case, each):
    """Who spins is not seen to spin while others have all of the processor."""
    for _ in range(5):
        case.run(subject(each, 1.0, HURRIED))


def test_the_published_bugs_are_all_here():
    """Three of lifespan, eleven of requests (some of them two), three of adapters."""
    assert len(PUBLISHED) == 18
    assert len({each.bug for each in [*PUBLISHED, *OTHERS]}) == len(PUBLISHED) + len(OTHERS)


def test_the_cases_that_are_named_are_for_our_servers():
    names = {case.name for case in cases_for(Ours("asyncio", "http1"))}
    assert {each.case for each in [*PUBLISHED, *OTHERS] if each.contract == "asgi"} <= names
    assert len(cases("asgi")) == len(names)
