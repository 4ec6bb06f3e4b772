"""Exhibits of ASGI: each function is one bug of a published server, put into ours."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable
from typing import Any
from unittest import mock
from urllib.parse import quote

from handmade import (
    asgi,
    asgi_messages,
    asgi_scope,
    async_wire,
    lifespan,
    protocol,
    protocol_choice,
)
from handmade.events import End
from workbench.contracts.wire import request

from . import Patch, exhibit_of, nothing
from .wsgi_exhibits import BOOK, HELD

TALK = "ASGI servers in talks and tutorials"


# ---------------------------------------------------------------- the life of an application


@exhibit_of(
    "waiting for a life", "asgi",
    symptom="an application that returns on the lifespan scope starts ten seconds late", seen=TALK,
    packet=b"", check="returns on lifespan", clause="ASGI Lifespan 2.0, Scope",
)  # fmt: skip
def deaf_to_a_return(patch: Patch) -> None:
    """Wait for startup.complete from an application that has gone."""
    startup = lifespan.Lifespan.startup

    async def patient(self: lifespan.Lifespan, seconds: float) -> None:
        with contextlib.suppress(lifespan.LifespanFailed):
            await startup(self, seconds)

    patch(lifespan.Lifespan, "_ended", nothing)
    patch(lifespan.Lifespan, "startup", patient)


@exhibit_of(
    "failed and served", "asgi",
    symptom="an application without its database answers 500 all day", seen=BOOK,
    packet=request("/ok"), check="a failed start-up", clause="ASGI Lifespan 2.0, Startup Complete",
)  # fmt: skip
def failed_and_served(patch: Patch) -> None:
    """Take startup.failed for startup.complete."""
    failed = lifespan.Life.STARTING, "lifespan.startup.failed"
    patch(lifespan, "LIFE", {**lifespan.LIFE, failed: lifespan.Life.UP})


@exhibit_of(
    "no goodbye", "asgi",
    symptom="the application's connections are not closed when the server stops", seen=TALK,
    packet=b"", check="shutdown", clause="ASGI Lifespan 2.0, Shutdown",
)  # fmt: skip
def never_shut_down(patch: Patch) -> None:
    """Cancel the application instead of telling it."""

    async def forget(self: Any, seconds: float) -> None:
        self._task.cancel()

    patch(lifespan.Lifespan, "shutdown", forget)


# ---------------------------------------------------------------- both directions of a request


@exhibit_of(
    "bottomless", "asgi",
    symptom="a client that reads nothing fills the memory: 400 MB for one download", seen=BOOK,
    packet=request("/endless?token=bottomless"), check="a client that does not read",
    clause="ASGI HTTP 2.5, Response Body",
)  # fmt: skip
def no_backpressure(patch: Patch) -> None:
    """Take what the application sends, whatever the network takes."""
    patch(async_wire.AsyncWire, "pause_writing", nothing)


@exhibit_of(
    "talking to nobody", "asgi",
    symptom="a long poll whose client has left waits for ever", seen=TALK,
    packet=request("/a/listen?token=nobody", method="POST", body=b"hello"),
    check="told of a reset", clause="ASGI HTTP 2.5, Disconnect",
)  # fmt: skip
def no_disconnect(patch: Patch) -> None:
    """Never tell of a disconnect."""

    async def receive(self: Any) -> Any:
        while not self._read_to_end:
            if (event := self._next()) is not None:
                return self._request_message(event)
            await self.channel.wait()
        return await asyncio.get_running_loop().create_future()

    patch(asgi.Exchange, "receive", receive)


@exhibit_of(
    "an error in the page", "asgi",
    symptom="the user reads HTTP/1.1 500 in the middle of a page", seen=TALK,
    packet=request("/fail?when=after"), check="a stream that fails", clause="RFC 9112 §8",
)  # fmt: skip
def second_status_line(patch: Patch) -> None:
    """Write an error response, wherever the response is."""

    def failed(self: Any, error: BaseException) -> None:
        self.channel.transport.write(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n")
        self.channel.transport.close()

    patch(asgi.Exchange, "_failed", failed)
    patch(async_wire.AsyncWire, "abort", nothing)


@exhibit_of(
    "beyond the end", "asgi",
    symptom="what is sent behind the last part stands before the next answer", seen=TALK,
    packet=request("/a/after?then=send&token=beyond"), check="after the end",
    clause="ASGI HTTP 2.5, Response Body",
)  # fmt: skip
def body_after_the_end(patch: Patch) -> None:
    """Write whatever is sent."""
    send = asgi.Exchange.send

    async def generous(self: Any, message: Any) -> None:
        if self.sending == asgi_messages.DONE and message["type"] == "http.response.body":
            self.channel.transport.write(message["body"])
        else:
            await send(self, message)

    patch(asgi.Exchange, "send", generous)


@exhibit_of(
    "chunks are nothing", "asgi",
    symptom="an upload without a length arrives empty", seen=BOOK,
    packet=request("/a/messages", method="POST", chunks=(b"he", b"llo")),
    check="a body in messages", clause="ASGI HTTP 2.5, Request",
)  # fmt: skip
def chunks_are_empty(patch: Patch) -> None:
    """Read a body only where there is a length."""
    begin = protocol.HttpProtocol._begin

    def only_by_length(self: Any, request: Any, first: Any) -> None:
        sized = any(name == b"content-length" for name, _ in request.fields)
        begin(self, request, first if sized else End())

    patch(protocol.HttpProtocol, "_begin", only_by_length)


@exhibit_of(
    "gathered", "asgi",
    symptom="a stream comes all at once, when the application returns", seen=TALK,
    packet=request("/steps?token=gathered"), check="each part at once",
    clause="ASGI HTTP 2.5, Response Body",
)  # fmt: skip
def buffered(patch: Patch) -> None:
    """Send when the application has returned."""
    run = asgi.Exchange.run

    async def run_buffered(self: Any) -> None:
        app = self.gateway.app

        async def gather(scope: Any, receive: Any, send: Any) -> None:
            messages = []

            async def keep(message: Any) -> None:
                messages.append(message)

            await app(scope, receive, keep)
            for message in messages:
                await send(message)

        self.gateway = mock.Mock(wraps=self.gateway, app=gather, running=self.gateway.running)
        await run(self)

    patch(asgi.Exchange, "run", run_buffered)


@exhibit_of(
    "empty for ever", "asgi",
    symptom="who waits for the client to leave gets empty bodies, and spins",
    seen="a server whose later release mends it",
    packet=request("/a/listen?token=empty", method="POST", body=b"hello"),
    check="receive waits", clause="ASGI HTTP 2.5, Request",
)  # fmt: skip
def empty_for_ever(patch: Patch) -> None:
    """Give an empty body wherever there is no other."""
    receive = asgi.Exchange.receive

    async def impatient(self: Any) -> Any:
        if self._read_to_end:
            return {"type": "http.request", "body": b"", "more_body": False}
        return await receive(self)

    patch(asgi.Exchange, "receive", impatient)


# ---------------------------------------------------------------- the scope


@exhibit_of(
    "a raw path made up", "asgi",
    symptom="a signature over the path does not match", seen=TALK,
    packet=request("/%66act%73?q=1"), check="the raw path",
    clause="ASGI HTTP 2.5, HTTP Connection Scope",
)  # fmt: skip
def rebuilt_raw_path(patch: Patch) -> None:
    """Encode the decoded path again."""
    split = asgi_scope.split_path

    def rebuild(target: bytes, root_path: str) -> tuple[str, bytes, bytes]:
        path, _, query = split(target, root_path)
        return path, quote(path).encode(), query

    patch(asgi_scope, "split_path", rebuild)


def scope_with(patch: Patch, change: Callable[[Any, Any, Any], dict[str, Any]]) -> None:
    """Change every scope by a function of it and of its request."""
    http_scope = asgi_scope.http_scope

    def changed(request: Any, client: Any, server: Any) -> Any:
        scope: Any = http_scope(request, client, server)
        scope.update(change(scope, request, server))
        return scope

    patch(asgi, "http_scope", changed)


@exhibit_of(
    "a method of bytes", "asgi",
    symptom="no view is for the method b'GET'", seen=TALK, packet=request("/facts"),
    check="the scope's types", clause="ASGI HTTP 2.5, HTTP Connection Scope",
)  # fmt: skip
def method_in_bytes(patch: Patch) -> None:
    """Give the method as it came."""
    scope_with(patch, lambda scope, request, server: {"method": request.method})


@exhibit_of(
    "the query in the path", "asgi",
    symptom="/posts is found, /posts?page=2 is not", seen=TALK,
    packet=request("/facts?x=1"), check="the path",
    clause="ASGI HTTP 2.5, HTTP Connection Scope",
)  # fmt: skip
def query_in_the_path(patch: Patch) -> None:
    """Give the target as the path."""
    scope_with(patch, lambda scope, request, server: {"path": request.target.decode()})


@exhibit_of(
    "a frozen loop", "asgi",
    symptom="one client that connects and says nothing stops all of them", seen=TALK,
    packet=b"", check="silent clients", clause="RFC 9112 §9.5",
)  # fmt: skip
def frozen(patch: Patch) -> None:
    """Wait in the loop for a client's first byte."""
    connect = protocol_choice.Newcomer.connection_made
    end = time.monotonic() + HELD  # for ever, but for who comes next

    def wait_for_a_byte(self: Any, transport: Any) -> None:
        connect(self, transport)
        with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as sock:
            while time.monotonic() < end:
                try:
                    sock.recv(1, socket.MSG_PEEK)
                    break
                except BlockingIOError:
                    time.sleep(0.001)
                except OSError:
                    break

    patch(protocol_choice.Newcomer, "connection_made", wait_for_a_byte)
