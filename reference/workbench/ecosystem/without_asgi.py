"""Our ASGI server without one feature each: what the probes of requests, lifespan, WebSockets see.

Where the museum has a server with that very bug, its change is used.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from handmade import (
    asgi,
    asgi_messages,
    asgi_scope,
    asgi_websocket,
    asgi_websocket_states,
    cli,
    lifespan,
    protocol,
    protocol_messages,
    protocol_websocket,
)
from handmade.gateway import Disconnected, Headers
from handmade.websocket_events import Close, WebSocketLimits
from workbench.gauntlet.museum import asgi_exhibits, nothing, websocket_exhibits

from .without import Patch, without

# ---------------------------------------------------------------- the scope


def every_scope(patch: Patch, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the scope of each request, and so of each WebSocket."""
    http_scope = asgi_scope.http_scope

    def changed(*how: Any) -> Any:
        scope: Any = http_scope(*how)
        change(scope)
        return scope

    for module in (asgi, asgi_websocket_states):
        patch(module, "http_scope", changed)


@without("spec version told")
def no_spec_version(patch: Patch) -> None:
    """Leave out which version of the document is meant."""
    every_scope(patch, lambda scope: scope["asgi"].pop("spec_version"))


@without("extensions of a request")
def nothing_offered(patch: Patch) -> None:
    """Offer no extension to a request."""
    every_scope(patch, lambda scope: scope["extensions"].clear())


@without("extensions of a WebSocket")
def nothing_offered_to_a_websocket(patch: Patch) -> None:
    """Offer no extension to a WebSocket."""
    websocket_scope = asgi_websocket_states.websocket_scope

    def bare(*how: Any) -> dict[str, Any]:
        return {**websocket_scope(*how), "extensions": {}}

    patch(asgi_websocket, "websocket_scope", bare)


without("raw_path")(asgi_exhibits.rebuilt_raw_path)


@without("root_path")
def path_without_the_prefix(patch: Patch) -> None:
    """Give the path as it came, whatever a proxy has taken off."""
    split = asgi_scope.split_path
    patch(asgi_scope, "split_path", lambda target, root_path: split(target, ""))


@without("client and server")
def ports_in_words(patch: Patch) -> None:
    """Give the ports as text."""

    def told(scope: dict[str, Any]) -> None:
        for key in ("client", "server"):
            scope[key] = tuple(map(str, scope[key]))

    every_scope(patch, told)


@without("fields of a request")
def one_of_a_name(patch: Patch) -> None:
    """Keep one field of each name, as who makes a dict of them."""
    every_scope(patch, lambda scope: scope.update(headers=list(dict(scope["headers"]).items())))


@without("fields of an answer")
def one_of_a_name_out(patch: Patch) -> None:
    """Send one field of each name."""
    checked = asgi_messages.checked_headers

    def dictionary(message: Any) -> Headers:
        found = checked(message)
        return Headers(tuple(dict(found.fields).items()), found.length, found.dated)

    patch(asgi, "checked_headers", dictionary)


# ---------------------------------------------------------------- what is sent


def takes(patch: Patch, kind: str, take: Any) -> None:
    """Have a message of the application taken otherwise."""
    patch(asgi.Exchange, "_TAKES", {**asgi.Exchange._TAKES, kind: take})


@without("trailers")
def trailers_dropped(patch: Patch) -> None:
    """Offer trailers, and send none."""
    patch(asgi, "checked_trailers", lambda message: ())


@without("early hints", "early hints over HTTP/2")
def hints_dropped(patch: Patch) -> None:
    """Offer early hints, and send none."""
    takes(patch, asgi_messages.EARLY_HINT, nothing)


@without("a file by its path")
def a_file_by_its_path(patch: Patch) -> None:
    """Send the file that a message names: ours has no such extension, and here it gets one."""
    kind = "http.response.pathsend"
    moves = asgi_messages.SENDING[asgi_messages.NOTED, asgi_messages.BODY]

    def take(self: Any, message: Any, _moves: Any) -> None:
        self._body({"body": Path(message["path"]).read_bytes()}, moves)

    takes(patch, kind, take)
    patch(asgi, "SENDING", {**asgi_messages.SENDING, (asgi_messages.NOTED, kind): moves})
    every_scope(patch, lambda scope: scope["extensions"].update({kind: {}}))


without("body behind the end")(asgi_exhibits.body_after_the_end)


@without("error before the start")
def cut_before_the_start(patch: Patch) -> None:
    """Cut the connection of an application that fails, and say nothing."""
    patch(asgi, "answer_failure", lambda error, request, channel, date, started: channel.abort())


without("error after the start")(asgi_exhibits.second_status_line)


@without("returns too early")
def nobody_answers(patch: Patch) -> None:
    """Forget a request whose application has ended without an answer."""
    patch(asgi, "answer_failure", nothing)


# ---------------------------------------------------------------- a client that leaves


without("told of a reset", "told of a goodbye")(asgi_exhibits.no_disconnect)


@without("half-close")
def cut_at_a_half_close(patch: Patch) -> None:
    """Take a client that sends no more for one that has left: close, as asyncio does by default."""
    patch(protocol.HttpProtocol, "eof_received", lambda self: False)


@without("nobody listens")
def cancelled(patch: Patch) -> None:
    """Cancel the application of a client that has left."""
    lost = protocol.HttpProtocol.connection_lost

    def lose_and_cancel(self: Any, error: Exception | None) -> None:
        exchange = self.exchange
        lost(self, error)
        if exchange is not None:
            exchange.task.cancel()

    patch(protocol.HttpProtocol, "connection_lost", lose_and_cancel)


@without("send after disconnect", "a stream to nobody", "a download to nobody")
def sent_in_silence(patch: Patch) -> None:
    """Take what is sent to nobody, and say nothing."""
    send = asgi.Exchange.send

    async def silent(self: Any, message: Any) -> None:
        try:
            await send(self, message)
        except Disconnected:
            return

    patch(asgi.Exchange, "send", silent)


# ---------------------------------------------------------------- lifespan


@without("lifespan")
def no_lifespan(patch: Patch) -> None:
    """Serve, and never call the application for its life."""

    async def startup(self: Any, seconds: float) -> None:
        self.life = lifespan.Life.UNKNOWN

    patch(lifespan.Lifespan, "startup", startup)


without("startup.failed")(asgi_exhibits.failed_and_served)


@without("raises on lifespan")
def lifespan_wanted(patch: Patch) -> None:
    """Take an application without lifespan for one that has failed."""
    begin = lifespan.Lifespan.__init__

    def strict(self: Any, app: Any, loop: Any, wanted: bool = False) -> None:
        begin(self, app, loop, wanted=True)

    patch(lifespan.Lifespan, "__init__", strict)


without("returns on lifespan")(asgi_exhibits.deaf_to_a_return)


@without("state")
def no_state(patch: Patch) -> None:
    """Give no state to requests."""
    every_scope(patch, lambda scope: scope.pop("state", None))


without("shutdown told")(asgi_exhibits.never_shut_down)


# ---------------------------------------------------------------- WebSockets


@without("WebSocket")
def no_websocket(patch: Patch) -> None:
    """Take a handshake for a request like any other, as who speaks HTTP alone."""
    patch(
        protocol, "exchange_for", lambda request, http: http.shell.gateway.exchange(request, http)
    )


def accepting(patch: Patch, change: Callable[[Any, Any], tuple[Any, Any]]) -> None:
    """Change the subprotocol and the fields with which a handshake is accepted."""

    def accept(self: Any, handshake: Any, subprotocol: Any, fields: Any) -> Any:
        changed = change(subprotocol, fields)
        return protocol_websocket.change_to_websocket(self, handshake, *changed)

    patch(protocol.HttpProtocol, "accept", accept)


@without("subprotocol")
def no_subprotocol(patch: Patch) -> None:
    """Forget which subprotocol the application has chosen."""
    accepting(patch, lambda subprotocol, fields: (None, fields))


@without("fields of an accept")
def no_fields(patch: Patch) -> None:
    """Forget the fields of an accept."""
    accepting(patch, lambda subprotocol, fields: (subprotocol, ()))


@without("permessage-deflate")
def no_compression(patch: Patch) -> None:
    """Agree to no compression."""
    patch(protocol_messages, "negotiate", lambda offers, settings: None)


@without("largest message")
def no_limit(patch: Patch) -> None:
    """Take every message, as long as it may be."""
    patch(cli, "WebSocketLimits", lambda message, frame: WebSocketLimits(1 << 40, 1 << 40))


@without("client's close code")
def code_lost(patch: Patch) -> None:
    """Tell the application of every close as of a lost connection."""
    end = protocol_messages.Messages._end

    def forget(self: Any, closed: Close, failed: bool = False) -> None:
        end(self, closed, failed)
        self.closed = protocol_messages.LOST

    patch(protocol_messages.Messages, "_end", forget)


@without("application's close code")
def always_1000(patch: Patch) -> None:
    """Close with 1000, whatever the application says."""
    close = protocol_messages.Messages.close
    patch(protocol_messages.Messages, "close", lambda self, code, reason="": close(self, 1000))


@without("told of a lost WebSocket")
def loss_unnoticed(patch: Patch) -> None:
    """Tell nobody that a WebSocket's connection is lost."""
    patch(protocol_websocket.WebSocketWire, "connection_lost", nothing)


@without("send to a closed WebSocket")
def sent_in_silence_too(patch: Patch) -> None:
    """Take what is sent to nobody."""
    send = asgi_websocket.WebSocketExchange.send

    async def silent(self: Any, message: Any) -> None:
        try:
            await send(self, message)
        except Disconnected:
            return

    patch(asgi_websocket.WebSocketExchange, "send", silent)


@without("denial response")
def denied_by_403(patch: Patch) -> None:
    """Offer the extension, and answer 403 whatever the application sends."""

    async def deny(self: Any, message: Any) -> None:
        if message["type"] == asgi_websocket_states.DENY:
            self._reject(message)

    patch(asgi_websocket.WebSocketExchange, "_deny", deny)


@without("fails before the accept")
def handshake_cut(patch: Patch) -> None:
    """Cut the connection of an application that fails, and say nothing."""
    patch(
        asgi_websocket, "answer_failure",
        lambda error, request, channel, date, started: channel.abort(),
    )  # fmt: skip


without("ping beside a busy application")(websocket_exhibits.no_time_for_a_pong)
