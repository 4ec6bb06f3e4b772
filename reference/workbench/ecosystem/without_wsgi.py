"""Our server without what the probes of HTTP and of WSGI look for, one change for each.

Those of HTTP are made where both interfaces pass: in the engine, in the options, in how the
application is loaded.
"""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from handmade import (
    async_shell,
    blocking,
    cli,
    http1,
    http1_heads,
    http1_reading,
    http1_writing,
    options,
    processes,
    wsgi,
    wsgi_request,
)
from handmade.events import Data, End, Fields, Response
from handmade.http1_heads import Head, encode_head
from handmade.http1_writing import choose_writer
from handmade.loading import interface_of, load
from workbench.gauntlet.museum import nothing, wsgi_exhibits

from .without import Patch, without

HELD = 2.0  # seconds: what a bug that holds everybody up holds them, at most
FAR = 1 << 30  # as good as no limit

# ---------------------------------------------------------------- one connection, many requests


def _heads(change: Callable[..., tuple[Any, ...]]) -> Callable[..., Head]:
    """Return ``encode_head`` with its arguments changed."""
    return lambda *arguments: encode_head(*change(*arguments))


@without("keep-alive")
def close_always(patch: Patch) -> None:
    """Close behind every answer, and say so."""
    patch(http1, "encode_head", _heads(lambda *all_of: (*all_of[:-1], False)))


@without("keep-alive, HTTP/1.0")
def close_the_old(patch: Patch) -> None:
    """Close behind every answer to HTTP/1.0."""

    def change(*arguments: Any) -> tuple[Any, ...]:
        *first, version, keep_alive = arguments
        return *first, version, keep_alive and version != b"1.0"

    patch(http1, "encode_head", _heads(change))


@without("pipelining")
def forget_the_second(patch: Patch) -> None:
    """Drop what has come behind a request when that is answered."""
    send = http1.Connection.send

    def forgetful(self: Any, event: Any) -> bytes:
        if isinstance(event, End):
            self._buf.clear()
        return send(self, event)

    patch(http1.Connection, "send", forgetful)


@without("idle connection")
def short_idle(patch: Patch) -> None:
    """Keep an idle connection for half a second."""
    patch(options, "TIMEOUTS", dataclasses.replace(options.TIMEOUTS, idle=0.5))


@without("stalled head")
def short_head(patch: Patch) -> None:
    """Wait half a second for a head."""
    patch(options, "TIMEOUTS", dataclasses.replace(options.TIMEOUTS, head=0.5))


# ---------------------------------------------------------------- many at one time


@without("at one time", "wsgi.multithread")
def one_by_one(patch: Patch) -> None:
    """Let one request into the application at a time, whatever the application is told."""

    def guarded(name: str) -> Any:
        app = load(name)
        return _one_by_one_asgi(app) if interface_of(app) == "asgi" else _one_by_one_wsgi(app)

    patch(cli, "load", guarded)


def _one_by_one_wsgi(app: Any) -> Any:
    lock = threading.Lock()

    def locked(environ: Any, start_response: Any) -> Any:
        with lock:
            return list(app(environ, start_response))

    return locked


def _one_by_one_asgi(app: Any) -> Any:
    lock = asyncio.Lock()

    async def locked(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
            return
        async with lock:
            await app(scope, receive, send)

    return locked


@without("slow clients")
def wait_for_the_slow(patch: Patch) -> None:
    """Wait for the rest of a head on the spot, with everybody behind it."""
    read_head = http1_reading.read_head

    def patient(buf: Any, *more: Any) -> Any:
        found = read_head(buf, *more)
        if found is None:
            time.sleep(HELD)
        return found

    patch(http1_reading, "read_head", patient)


# ---------------------------------------------------------------- bodies

without("chunked input")(wsgi_exhibits.framing_is_content)
without("HEAD")(wsgi_exhibits.head_with_content)


@without("upload")
def whole_uploads(patch: Patch) -> None:
    """Give no byte of a body before all of it is there."""
    read = http1_reading.LengthReader.read

    def whole(self: Any, buf: bytearray) -> Data | End | None:
        return None if len(buf) < self.remaining else read(self, buf)

    patch(http1_reading.LengthReader, "read", whole)


class Hoarder(http1_writing.ChunkedWriter):
    """Keep all chunks back until the end."""

    def __init__(self) -> None:
        self._kept = b""

    def fresh(self) -> Hoarder:
        """Return another one: this one keeps."""
        return Hoarder()

    def data(self, data: bytes) -> bytes:
        """Keep a chunk."""
        self._kept += super().data(data)
        return b""

    def end(self, trailers: Fields) -> bytes:
        """Return all of them."""
        return self._kept + super().end(trailers)


@without("streaming out")
def hoard(patch: Patch) -> None:
    """Send the whole content at its end."""
    patch(http1_writing, "ChunkedWriter", Hoarder)


@without("no length, HTTP/1.0")
def chunks_for_all(patch: Patch) -> None:
    """Send chunks also to who does not know them."""

    def chunked(method: bytes, version: bytes, status: int, length: int | None) -> Any:
        return choose_writer(method, b"1.1", status, length)

    patch(http1_heads, "choose_writer", chunked)


# ---------------------------------------------------------------- 100 (Continue)


@without("100-continue")
def never_invite(patch: Patch) -> None:
    """Never say 100."""
    patch(http1.Connection, "owes_continue", False)


@without("Expect, unread")
def invite_always(patch: Patch) -> None:
    """Say 100 in front of every answer to who expects it."""
    write_head = http1.Connection._write_head

    def inviting(self: Any, response: Any) -> bytes:
        asked = self._request is not None and self._request.expects_continue
        return (b"HTTP/1.1 100 Continue\r\n\r\n" if asked else b"") + write_head(self, response)

    writers: Any = {**http1.Connection._WRITERS, Response: inviting}
    patch(http1.Connection, "_WRITERS", writers)


# ---------------------------------------------------------------- limits, fields, the end


def _limits(**without_limit: int) -> Callable[[Patch], None]:
    """Return a change that takes limits away."""
    return lambda patch: patch(
        options, "LIMITS", dataclasses.replace(options.LIMITS, **without_limit)
    )


without("longest request line")(_limits(request_line=FAR, head=FAR))
without("longest field")(_limits(head=FAR))


@without("most fields")
def any_fields(patch: Patch) -> None:
    """Take any number of fields."""
    _limits(fields=FAR)(patch)


@without("Date and Server")
def timeless(patch: Patch) -> None:
    """Leave the Date out."""

    def change(status: int, reason: bytes, fields: Fields, *more: Any) -> tuple[Any, ...]:
        return status, reason, tuple(each for each in fields if each[0] != b"date"), *more

    patch(http1, "encode_head", _heads(change))


@without("graceful stop")
def deaf_to_signals(patch: Patch) -> None:
    """Leave SIGTERM to the system, which ends the process at once."""
    patch(cli, "_stop_on_signals", nothing)


# ---------------------------------------------------------------- what WSGI tells and offers


def _environ(**change: Any) -> Callable[[Patch], None]:
    """Return a change of what environ has for every request; None leaves a key out."""
    base_environ = wsgi_request.base_environ

    def changed(server: Any) -> dict[str, Any]:
        found = {**base_environ(server), **{f"wsgi.{key}": change[key] for key in change}}
        return {key: value for key, value in found.items() if value is not None}

    return lambda patch: patch(wsgi, "base_environ", changed)


without("wsgi.multiprocess")(_environ(multiprocess=False))
without("wsgi.input_terminated")(_environ(input_terminated=None))
without("file_wrapper")(_environ(file_wrapper=None))


class Endless:
    """A wsgi.input as the socket itself would be: behind the body it waits for more."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """Read; wait where there is nothing."""
        data: bytes = self._stream.read(size)
        if size < 0 or len(data) < size:
            time.sleep(HELD)
        return data


@without("read() ends")
def endless_input(patch: Patch) -> None:
    """Give an input that does not end with the body."""
    _input = wsgi.Exchange._input
    patch(wsgi.Exchange, "_input", lambda self: Endless(_input(self)))


# ---------------------------------------------------------------- processes


@without("process tree")
def one_worker(patch: Patch) -> None:
    """Start one worker, however many were asked for."""
    begin = processes.Processes.__init__

    def alone(self: Any, make_shell: Any, workers: int, *more: Any) -> None:
        begin(self, make_shell, 1, *more)

    patch(processes.Processes, "__init__", alone)


@without("crash of a worker")
def let_them_die(patch: Patch) -> None:
    """Never start another worker for one that has died."""
    bury = processes.Processes._bury

    def fewer(self: Any) -> None:
        before = len(self._born)
        bury(self)
        self.workers -= before - len(self._born)

    patch(processes.Processes, "_bury", fewer)


def _reload_by(number: int) -> Callable[[Patch], None]:
    """Return a change by which SIGHUP ends all workers with a signal; others take their place.

    Ours has no reload, so there is nothing to switch off: this puts one in, a good one or a bad.
    """

    def change(patch: Patch) -> None:
        serve = processes.Processes.serve

        def reloading(self: Any, *arguments: Any, **more: Any) -> None:
            signal.signal(signal.SIGHUP, lambda *_: self._signal(number))
            serve(self, *arguments, **more)

        patch(processes, "SHORT_LIFE", 0.0)
        # A worker that stops shuts the door for all, who share it: here others still come.
        patch(blocking, "let_nobody_in", nothing)
        patch(async_shell, "let_nobody_in", nothing)
        patch(processes.Processes, "serve", reloading)

    return change


without("graceful reload")(_reload_by(signal.SIGTERM))
without("graceful reload, by force")(_reload_by(signal.SIGKILL))
