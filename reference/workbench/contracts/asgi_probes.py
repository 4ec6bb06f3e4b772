"""Little ASGI applications that the contract serves, and what they found out.

They name no event loop, so they run on asyncio and on a loop made by hand: what they need of one,
they ask of ``running_loop``, by the names that both have.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from handmade import loop as handmade_loop
from handmade.loop_tasks import wake

from . import Broken
from . import wire as wires
from .probes import Moment, same
from .wire import PATIENCE, Answer, Wire, request

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
View = Callable[[Scope, Receive, Send], Awaitable[None]]

TEXT = (b"content-type", b"text/plain")


def running_loop() -> Any:
    """Return the loop that runs in this thread: asyncio's, or the one made by hand."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return handmade_loop.get_running_loop()


def task_of(coroutine: Any) -> Any:
    """Run a coroutine beside all others; return its task."""
    return running_loop().create_task(coroutine)


async def turns(number: int = 3) -> None:
    """Let everybody else have a few turns."""
    loop = running_loop()
    for _ in range(number):
        future = loop.create_future()
        loop.call_soon(wake, future)
        await future


async def ended(task: Any) -> None:
    """Wait until a task has ended, however it ends."""
    future = running_loop().create_future()
    task.add_done_callback(lambda task: wake(future))
    await future


class Instant(Moment):
    """A Moment that coroutines can wait for too: ``await instant.comes()``."""

    def __init__(self, what: str, patience: float = PATIENCE) -> None:
        super().__init__(what, patience)
        self._lock = threading.Lock()
        self._waiting: list[tuple[Any, Any]] = []

    def happens(self) -> None:
        """Let it happen, in any thread."""
        with self._lock:
            super().happens()
            waiting, self._waiting = self._waiting, []
        for loop, future in waiting:
            try:
                loop.call_soon_threadsafe(wake, future)
            except RuntimeError:  # that loop has stopped: nobody waits there any more
                pass

    async def comes(self) -> None:
        """Wait for it; raise Broken when it does not happen."""
        if not await self.came_within(self.patience):
            raise Broken(f"still waiting for {self.what} after {self.patience:g} s")

    async def came_within(self, seconds: float) -> bool:
        """Wait for it at most some time; tell whether it has happened."""
        loop = running_loop()
        future = loop.create_future()
        with self._lock:
            if self:
                return True
            self._waiting.append((loop, future))
        timer = loop.call_later(seconds, wake, future)
        try:
            await future
        finally:
            timer.cancel()
        return bool(self)


def instant(server: Any, what: str) -> Instant:
    """Return an Instant that is waited for as long as ``server`` may take."""
    return Instant(what, getattr(server, "patience", PATIENCE))


class App:
    """An ASGI application of one coroutine function, which notes what it was given and raised.

    It knows scopes of some ``kinds`` and no others, as most small applications do.
    """

    kinds: tuple[str, ...] = ("http",)

    def __init__(self, view: View) -> None:
        self.view = view
        self.scopes: list[Scope] = []
        self.errors: list[BaseException] = []
        self.ended = Instant("the application to end")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be an ASGI application."""
        if scope["type"] not in self.kinds:
            raise NotImplementedError(f"this application knows nothing of {scope['type']}")
        self.scopes.append(scope)
        try:
            await self.view(scope, receive, send)
        except BaseException as error:
            self.errors.append(error)
            raise
        finally:
            self.ended.happens()

    @property
    def paths(self) -> list[str]:
        """The paths of the calls so far."""
        return [scope["path"] for scope in self.scopes]


@contextmanager
def up(server: Any, app: Any, **options: Any) -> Iterator[Callable[[], Wire]]:
    """Serve ``app``; give a function that opens connections, as ``wire.up`` does."""
    if isinstance(app, App):
        app.ended.patience = getattr(server, "patience", PATIENCE)
    with wires.up(server, app, **options) as connect:
        yield connect


def ask(server: Any, app: Any, sent: bytes) -> Answer:
    """Serve ``app`` for one request, and return the whole answer."""
    with up(server, app) as connect:
        return connect().send(sent).response(head_only=sent.startswith(b"HEAD "))


def start(status: Any = 200, *headers: Any) -> Message:
    """Return the message that begins a response."""
    return {"type": "http.response.start", "status": status, "headers": [TEXT, *headers]}


def body(content: Any, more: bool = True) -> Message:
    """Return a message with content."""
    return {"type": "http.response.body", "body": content, "more_body": more}


async def answer(send: Send, content: bytes = b"ok", status: int = 200, *headers: Any) -> None:
    """Answer with a short body."""
    length = (b"content-length", b"%d" % len(content))
    await send(start(status, length, *headers))
    await send(body(content, more=False))


async def _hello(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send)


def hello() -> App:
    """Return an application that answers ``ok`` to everything."""
    return App(_hello)


def echo_path() -> App:
    """Return an application that answers with the path of the request."""

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, scope["path"].encode())

    return App(view)


def taking(took: list[bytes]) -> App:
    """Return an application that adds each request's body to a list."""

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        took.append(await body_of(receive))
        await answer(send)

    return App(view)


async def body_of(receive: Receive) -> bytes:
    """Read a request's body to its end; raise Broken when the client leaves before."""
    content: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Broken(f"the body broke off: {message!r}")
        content += message.get("body", b"")
        if not message.get("more_body", False):
            return content


def scope_of(server: Any, sent: bytes, **options: Any) -> Scope:
    """Return the scope that the application is given for a request."""
    app = hello()
    with up(server, app, **options) as connect:
        got = connect().send(sent).response()
    if got.status != 200 or len(app.scopes) != 1:
        raise Broken(
            f"the request should reach the application once and be answered 200; the application "
            f"was called {len(app.scopes)} times and the status is {got.status}",
            sent=sent,
            got=got.head,
        )
    return app.scopes[0]


def value_of(server: Any, sent: bytes, key: str, wanted: object, **options: Any) -> None:
    """Demand the value of one key of the scope."""
    scope = scope_of(server, sent, **options)
    same(scope.get(key, "(not there)"), wanted, f"scope[{key!r}] is not right", sent)


def seen_by(server: Any, sent: bytes, view: Callable[[Scope, Receive], Awaitable[Any]]) -> Any:
    """Return what ``view(scope, receive)`` makes of a request that is sent whole."""
    found: list[Any] = []

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(await view(scope, receive))
        await answer(send)

    with up(server, app) as connect:
        got = connect().send(sent).response()
    if app.errors:
        raise Broken(f"in the application: {app.errors[0]!r}", sent=sent) from app.errors[0]
    if not found:
        raise Broken("the application was never called", sent=sent, got=got.head)
    return found[0]


def failed(server: Any, app: Any, why: str, sent: bytes | None = None) -> Answer:
    """Demand that an application's mistake is answered with 500."""
    got = ask(server, app, sent or request())
    same(got.status, 500, f"{why}: that is the application's error, and 500", sent)
    return got
