"""Chapter 10, the life of an application: start-up, state, shutdown, and a graceful stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from . import Broken, case
from .asgi_probes import (
    App,
    Message,
    Receive,
    Scope,
    Send,
    answer,
    body,
    hello,
    instant,
    start,
    task_of,
    turns,
    up,
)
from .probes import expect, same
from .wire import PATIENCE, Wire, request

STARTUP = "ASGI Lifespan 2.0, Startup"
COMPLETE = "ASGI Lifespan 2.0, Startup Complete"
FAILED = "ASGI Lifespan 2.0, Startup Failed"
SHUTDOWN = "ASGI Lifespan 2.0, Shutdown"
SCOPE = "ASGI Lifespan 2.0, Scope"
STATE = "ASGI Lifespan 2.0, Lifespan State"
HURRY = 0.5  # seconds: what a server that drops its clients when it stops takes to do so, at most


class Lives(App):
    """Take part in lifespan, answer requests, and note what happens in which order."""

    def __init__(self, server: Any) -> None:
        super().__init__(self.serve)
        self.log: list[str] = []
        self.life_scope: Scope = {}
        self.asked = instant(server, "a request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be an ASGI application."""
        if scope["type"] != "lifespan":
            return await super().__call__(scope, receive, send)
        self.life_scope = scope
        self.log.append((await receive())["type"])
        await self.start(send)
        self.log.append((await receive())["type"])
        await self.stop(send)

    async def start(self, send: Send) -> None:
        """Start up."""
        await send({"type": "lifespan.startup.complete"})

    async def stop(self, send: Send) -> None:
        """Shut down."""
        await send({"type": "lifespan.shutdown.complete"})

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        self.log.append(scope["path"])
        self.asked.happens()
        await answer(send)


ORDER = ["lifespan.startup", "/", "lifespan.shutdown"]


def asks(server: Any, app: Any, **options: Any) -> None:
    """Serve an application, and ask it once."""
    with up(server, app, **options) as connect:
        same(connect().send(request()).response().status, 200, "a request")


@case("asgi", "start-up and shutdown", STARTUP, 10, needs={"lifespan"})
def startup_and_shutdown(server: Any) -> None:
    """An application is told to start up, then serves, then is told to shut down; each once."""
    app = Lives(server)
    asks(server, app)
    same(app.log, ORDER, "what happened")
    same(app.life_scope["asgi"]["version"], "3.0", "the version of ASGI in the lifespan scope")
    version = app.life_scope["asgi"].get("spec_version", "1.0")
    expect(version in ("1.0", "2.0"), f"there is no version {version!r} of the lifespan document")


@case("asgi", "start-up comes first", COMPLETE, 10, needs={"lifespan"})
def startup_comes_first(server: Any) -> None:
    """Nobody is served before the application says that it has started up."""

    class Slow(Lives):
        async def start(self, send: Send) -> None:
            self.log.append("early" if await self.asked.came_within(0.1) else "in time")
            await super().start(send)

    app = Slow(server)
    asks(server, app)
    same(app.log, [ORDER[0], "in time", *ORDER[1:]], "what happened")


@case("asgi", "shutdown comes last", SHUTDOWN, 10, needs={"lifespan", "graceful"})
def shutdown_comes_last(server: Any) -> None:
    """The shutdown is told when the last response is complete, and is waited for."""

    class Slow(Lives):
        async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
            await send(start())
            await send(body(b"first"))
            running.happens()
            await told.comes()
            await turns(10)
            await send(body(b"last", more=False))
            self.log.append("/")

        async def stop(self, send: Send) -> None:
            await turns(10)
            await super().stop(send)
            self.log.append("stopped")

    running = instant(server, "the request to run")
    told = instant(server, "the server to be told to stop")
    app = Slow(server)
    with stopping(server, app) as (wire, stop):
        wire.send(request())
        running.wait()
        stop()
        told.happens()
        same(wire.response().body, b"firstlast", "the response that was under way")
    same(app.log, [*ORDER, "stopped"], "what happened")


@case("asgi", "state", STATE, 10, needs={"lifespan", "state"})
def state(server: Any) -> None:
    """What start-up puts into state every request gets, in a copy of its own."""
    shared: list[str] = []
    seen: list[dict[str, Any]] = []

    class Keeps(Lives):
        async def start(self, send: Send) -> None:
            self.life_scope["state"]["shared"] = shared
            await super().start(send)

        async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(dict(scope["state"]))
            scope["state"]["mine"] = scope["path"]
            scope["state"]["shared"].append(scope["path"])
            await answer(send)

    with up(server, Keeps(server)) as connect:
        wire = connect()
        for path in ("/a", "/b"):
            wire.send(request(path)).response()
    same([list(each) for each in seen], [["shared"]] * 2, "the keys that each request found")
    same(shared, ["/a", "/b"], "the object that all of them share")


@case("asgi", "a failed start-up", FAILED, 10, needs={"lifespan"})
def a_failed_startup(server: Any) -> None:
    """An application that could not start up is not served, and its reason is told."""

    class Fails(Lives):
        async def start(self, send: Send) -> None:
            await send({"type": "lifespan.startup.failed", "message": "no database"})

    app = Fails(server)
    message = unstarted(server, app)
    expect("no database" in message, f"the reason is missing in {message!r}")
    expect("/" not in app.log, "a request was served by an application that did not start")


@case("asgi", "start-up never ends", COMPLETE, 10, needs={"lifespan", "timeouts"})
def startup_never_ends(server: Any) -> None:
    """An application that never says that it has started up is not waited for without end."""

    class Sleeps(Lives):
        async def start(self, send: Send) -> None:
            await self.asked.comes()

    unstarted(server, Sleeps(server), impatient=True)


def unstarted(server: Any, app: Any, **options: Any) -> str:
    """Demand that an application is not served; return why."""
    try:
        with server.serve(app, **options):
            pass
    except Exception as error:
        return str(error)
    raise Broken("an application that has not started up is served")


def knows_none(server: Any, app: Any) -> None:
    """Demand that an application without lifespan is served, and without any delay."""
    ended = instant(server, "the application to leave the lifespan")
    times: list[float] = []

    async def timed(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        finally:
            if scope["type"] == "lifespan":
                times.append(time.monotonic())
                ended.happens()

    with up(server, timed) as connect:
        ended.wait()
        delay = time.monotonic() - times[0]
        same(connect().send(request()).response().status, 200, "an application without lifespan")
    most = getattr(server, "patience", PATIENCE) / 2
    expect(delay < most, f"an application without lifespan has delayed the start by {delay:.1f} s")


@case("asgi", "returns on lifespan", SCOPE, 10, needs={"lifespan"})
def returns_on_lifespan(server: Any) -> None:
    """An application that returns on the lifespan scope is served at once."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await answer(send)

    knows_none(server, app)


@case("asgi", "raises on lifespan", SCOPE, 10, needs={"lifespan"})
def raises_on_lifespan(server: Any) -> None:
    """An application that raises on the lifespan scope, as small ones do, is served at once."""
    knows_none(server, hello())

    async def asserts(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await answer(send)

    knows_none(server, asserts)


@case("asgi", "reads, then leaves", SCOPE, 10, needs={"lifespan"})
def reads_then_leaves(server: Any) -> None:
    """An application may receive the start-up and then return, or raise: it is served as well."""

    async def returns(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if scope["type"] == "http":
            await answer(send)

    knows_none(server, returns)


@case("asgi", "a life that breaks off", SCOPE, 10, needs={"lifespan"})
def a_life_that_breaks_off(server: Any) -> None:
    """An application whose lifespan ends too early goes on serving, and the server still stops."""

    class Breaks(Lives):
        async def start(self, send: Send) -> None:
            await super().start(send)
            raise ValueError("the heart stopped")

    class Leaves(Lives):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "lifespan":
                return await super().__call__(scope, receive, send)
            await receive()
            await self.start(send)

    asks(server, Breaks(server))
    asks(server, Leaves(server))


@case("asgi", "wrong messages in life", "ASGI 3.0, Error Handling", 10, needs={"lifespan"})
def wrong_messages_in_life(server: Any) -> None:
    """What may not come now raises at the application's own send, and changes nothing."""
    raised: list[bool] = []

    async def wrong(send: Send, *messages: Any) -> None:
        for message in messages:
            try:
                await send(message)
            except Exception:
                raised.append(True)
            else:
                raise Broken(f"send() took {message!r}")

    up_again: Message = {"type": "lifespan.startup.complete"}
    down: Message = {"type": "lifespan.shutdown.complete"}

    class Errs(Lives):
        async def start(self, send: Send) -> None:
            await wrong(send, down, start(), {"type": "lifespan.nonsense"}, {}, None, "up")
            await super().start(send)
            await wrong(send, up_again, {"type": "lifespan.startup.failed"}, down)

        async def stop(self, send: Send) -> None:
            await wrong(send, up_again)
            await super().stop(send)
            await wrong(send, down)

    app = Errs(server)
    asks(server, app)
    same(app.log, ORDER, "what happened")
    same(len(raised), 11, "the messages that raised")


@case("asgi", "a failed shutdown", "ASGI Lifespan 2.0, Shutdown Failed", 10, needs={"lifespan"})
def a_failed_shutdown(server: Any) -> None:
    """A shutdown that fails, or raises, does not keep the server from stopping."""

    class Fails(Lives):
        async def stop(self, send: Send) -> None:
            await send({"type": "lifespan.shutdown.failed", "message": "cannot close"})

    class Raises(Lives):
        async def stop(self, send: Send) -> None:
            raise ValueError("cannot close")

    for app in (Fails(server), Raises(server)):
        asks(server, app)
        same(app.log, ORDER, "what happened")


@case("asgi", "a shutdown without end", SHUTDOWN, 10, needs={"lifespan", "timeouts"})
def a_shutdown_without_end(server: Any) -> None:
    """A shutdown that does not end is waited for some time, not for ever."""

    class Sleeps(Lives):
        async def stop(self, send: Send) -> None:
            await instant(server, "the end of time").comes()

    app = Sleeps(server)
    began = time.monotonic()
    asks(server, app, impatient=True)
    took = time.monotonic() - began
    expect(took < getattr(server, "patience", PATIENCE), f"the server took {took:.1f} s to stop")
    same(app.log, ORDER, "what happened")


@case("asgi", "what start-up began goes on", STARTUP, 10, needs={"lifespan"})
def what_startup_began_goes_on(server: Any) -> None:
    """A task that start-up has begun runs beside the requests, until shutdown ends it."""

    class Works(Lives):
        async def start(self, send: Send) -> None:
            self.task = task_of(self.work())
            await super().start(send)

        async def stop(self, send: Send) -> None:
            self.task.cancel()
            await turns()
            self.log.append("ended" if self.task.done() else "still running")
            await super().stop(send)

        async def work(self) -> None:
            await self.asked.comes()
            worked.happens()
            await instant(server, "the end of time").comes()

    worked = instant(server, "the task of the start-up to go on")
    app = Works(server)
    with up(server, app) as connect:
        connect().send(request()).response()
        worked.wait()
    same(app.log, [*ORDER, "ended"], "what happened")


# ---------------------------------------------------------------- the end


@contextmanager
def stopping(server: Any, app: App) -> Iterator[tuple[Wire, Callable[[], None]]]:
    """Serve ``app``; give a client of it, and a function that tells the server to stop."""
    patience = getattr(server, "patience", PATIENCE)
    app.ended.patience = patience
    with ExitStack() as stack:
        service = stack.enter_context(ExitStack())
        address = service.enter_context(server.serve(app))
        wire = stack.enter_context(Wire(address, patience))
        thread = threading.Thread(target=service.close, daemon=True)

        def stop() -> None:
            thread.start()
            # A server that cuts its clients off does so before the application goes on.
            wire.hears_more(getattr(server, "hurry", HURRY))

        yield wire, stop
        wire.closed("it stops")
        wire.close()
        thread.join(patience)
        expect(not thread.is_alive(), f"the server has not stopped after {patience:g} s")


@case("asgi", "a graceful stop", "RFC 9112 §9.6", 10, needs={"graceful"})
def a_graceful_stop(server: Any) -> None:
    """A request that waits in the application when the server stops is answered, as the last."""
    running = instant(server, "the request to run")
    told = instant(server, "the server to be told to stop")
    came: list[Message] = []

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def listen() -> None:
            await receive()
            came.append(await receive())

        task = task_of(listen())
        running.happens()
        await told.comes()
        early = list(came)
        await answer(send, b"gone" if early else b"still there")
        await task

    with stopping(server, app) as (wire, stop):
        wire.send(request())
        running.wait()
        stop()
        told.happens()
        got = wire.response()
    same(got.body, b"still there", "the client has not left, although the server stops")
    same(got.value("connection"), "close", "the last response says that it is the last")


@case("asgi", "a stream when we stop", "RFC 9112 §9.6", 10, needs={"graceful"})
def a_stream_when_we_stop(server: Any) -> None:
    """A stream, and an upload, that run when the server stops come to their end."""
    running = instant(server, "the request to run")
    told = instant(server, "the server to be told to stop")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        message = await receive()
        await send(body(message["body"]))
        running.happens()
        await told.comes()
        message = await receive()
        await send(body(message["body"], more=False))

    with stopping(server, app) as (wire, stop):
        wire.send(request("/", "Content-Length: 10", method="POST") + b"first")
        running.wait()
        stop()
        told.happens()
        same(wire.send(b" last").response().body, b"first last", "the stream that was under way")


@case("asgi", "a task when we stop", "RFC 9112 §9.6", 10, needs={"graceful"})
def a_task_when_we_stop(server: Any) -> None:
    """What an application still does behind its response is waited for, too."""
    running = instant(server, "the task behind the response")
    told = instant(server, "the server to be told to stop")
    done: list[str] = []

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send)
        running.happens()
        await told.comes()
        await turns()
        done.append("done")

    with stopping(server, app) as (wire, stop):
        wire.send(request()).response()
        running.wait()
        stop()
        told.happens()
    same(done, ["done"], "the task behind the response")


@case("asgi", "stopped is stopped", "RFC 9112 §9.6", 10, needs={"graceful"})
def stopped_is_stopped(server: Any) -> None:
    """A server that has stopped listens no more, and its idle connections are closed."""
    patience = getattr(server, "patience", PATIENCE)
    with ExitStack() as stack:
        with server.serve(hello()) as address:
            silent = stack.enter_context(Wire(address, patience))
            idle = stack.enter_context(Wire(address, patience))
            idle.send(request()).response()
        for wire in (silent, idle):
            same(wire.closed("the server has stopped"), b"", "an idle client was answered")
        try:
            Wire(address, patience).close()
        except Broken:
            return
    raise Broken("a server that has stopped still accepts clients")


@case("asgi", "who holds the loop", "Python, Developing with asyncio", 10, needs={"watchdog"})
def who_holds_the_loop(server: Any) -> None:
    """An application that blocks the loop is found: the log shows the line that blocks.

    And it shows the line of the application that asked for it, deep as that may be.
    """
    log: list[str] = []
    never = threading.Event()

    def library(depth: int) -> None:
        never.wait(0.05) if not depth else library(depth - 1)

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/block":
            deadline = time.monotonic() + getattr(server, "patience", PATIENCE)
            while not any("never.wait" in line for line in log) and time.monotonic() < deadline:
                library(depth=20)
        await answer(send)

    with up(server, app, log=log, slow_callback=0.1) as connect:
        connect().send(request()).response()
        same([line for line in log if "held" in line], [], "before anybody blocks")
        connect().send(request("/block")).response()
    told = [line for line in log if "has been held for" in line]
    same(len(told), 1, "once for each time that the loop is held")
    for part in ("never.wait", "library(depth=20)"):
        expect(any(part in line for line in log), f"{part} is not in {log}")
