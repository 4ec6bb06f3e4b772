"""What an X-ray puts around an ASGI application, to listen; and how it knows who holds the loop.

Each call of the application, of receive and of send becomes a row, with its answer; so does each
time that somebody has to wait.  Whoever waits lets go of the loop, and the rows tell who has it
then.  A tap changes no message, no order, and nothing of how a task is run or cancelled.
"""

from __future__ import annotations

import asyncio
import threading
import types
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

import handmade.loop as by_hand
from workbench.taps import bytes_told, count_told

FREE = "free"  # who waits lets go of the loop
Answer = TypeVar("Answer")
Message = dict[str, Any]


class Record(Protocol):
    """Where a tap notes what happens; see ``workbench.xray.XRay``."""

    scope: tuple[str, ...]
    holders: Holders
    waiting: int

    def note(
        self,
        source: str,
        target: str,
        label: str,
        detail: str = "",
        data: bytes = b"",
        *,
        bad: bool = False,
        connection: int | None = None,
    ) -> None:
        """Record that ``source`` did something to ``target``."""

    def connection_of(self, client: Any) -> int:
        """Return the number of the connection that an address belongs to."""


# --- Who holds the loop -----------------------------------------------------------------------


class Holders:
    """Names for whoever runs: tasks, the server's own callbacks, threads."""

    def __init__(self) -> None:
        self._names: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        self._tasks = 0

    def now(self) -> str:
        """Name who runs in this thread: a task, the server, or a thread without a loop."""
        loop, task = _running()
        if loop is None:
            return "a thread"
        if task is None:
            return "server"
        if task not in self._names:
            self._tasks += 1
            self.name(task, f"task {self._tasks}")
        return self._names[task]

    def name(self, task: Any, name: str) -> None:
        """Give a task its name, unless it has one."""
        if task is not None:
            self._names.setdefault(task, name)


def _running() -> tuple[Any, Any]:
    """Return the loop that runs in this thread, and its task; asyncio's or one by hand."""
    try:
        return asyncio.get_running_loop(), asyncio.current_task()
    except RuntimeError:
        pass
    try:
        loop = by_hand.get_running_loop()
    except RuntimeError:
        return None, None
    return loop, loop.current


@types.coroutine
def watched(
    awaitable: Awaitable[Answer], waits: Callable[[], None], first_only: bool = True
) -> Generator[Any, Any, Answer]:
    """Await something as ``await`` does, and call ``waits`` when it has to wait.

    What comes from the loop goes in, a cancellation too, and what is waited for goes out.
    """
    steps = awaitable.__await__()
    advance: Callable[[], Any] = lambda: next(steps)  # noqa: E731  # it changes in the loop
    told = False
    while True:
        try:
            future = advance()
        except StopIteration as end:
            answer: Answer = end.value
            return answer
        if not (told and first_only):
            told = True
            waits()
        try:
            value = yield future
        except GeneratorExit:
            _close(steps)
            raise
        except BaseException as error:
            advance = _thrower(steps, error)
        else:
            advance = _sender(steps, value)


async def _plainly(awaitable: Any) -> Any:
    """Await what may be no awaitable: then Python says so, in its own words."""
    return await awaitable


def _awaitable(thing: Any) -> Awaitable[Any]:
    return thing if hasattr(thing, "__await__") else _plainly(thing)


def _close(steps: Any) -> None:
    if hasattr(steps, "close"):
        steps.close()


def _thrower(steps: Any, error: BaseException) -> Callable[[], Any]:
    return lambda: steps.throw(error)


def _sender(steps: Any, value: Any) -> Callable[[], Any]:
    return lambda: next(steps) if value is None else steps.send(value)


# --- The application --------------------------------------------------------------------------


class AsgiTap:
    """An ASGI application, watched."""

    def __init__(self, app: Any, x: Record, lifespan: bool) -> None:
        self._app = app
        self._x = x
        self._lifespan = lifespan
        self._requests = 0
        self._lock = threading.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Run the application, and note what it is told, what it says and how it ends."""
        if scope["type"] == "lifespan" and not self._lifespan:
            await self._app(scope, receive, send)
            return
        call = _Call(self._x, self._x.connection_of(scope.get("client")), scope["type"])
        self._x.holders.name(_running()[1], self._name(scope["type"]))
        call.note("gateway", "application", "call", _scope_told(scope, self._x.scope))
        try:
            running = self._app(scope, call.receiver(receive), call.sender(send))
            await watched(_awaitable(running), call.app_waits, first_only=False)
        except BaseException as error:
            call.note("application", "gateway", "raise", _error_told(error), bad=True)
            raise
        call.note("application", "gateway", "return")

    def _name(self, kind: str) -> str:
        if kind == "lifespan":
            return kind
        with self._lock:
            self._requests += 1
            return f"{'request' if kind == 'http' else 'ws'} {self._requests}"


class _Call:
    """One call of an application, with its receive and its send."""

    def __init__(self, x: Record, connection: int, kind: str) -> None:
        self._x = x
        self._connection = connection
        self._prefix = f"{kind}."
        self._client = int(kind != "lifespan")  # whom receive waits for, there it is the server
        self._inside: set[Any] = set()  # the tasks that wait in receive or in send

    def note(self, source: str, target: str, label: str, *told: Any, bad: bool = False) -> None:
        self._x.note(source, target, label, *told, bad=bad, connection=self._connection)

    def app_waits(self) -> None:
        """Note that the application waits for something else than its client."""
        if _running()[1] not in self._inside:
            self.note("application", "application", "waits", self._x.holders.now())

    def receiver(self, receive: Any) -> Any:
        """Return a receive that is watched."""

        async def watched_receive() -> Message:
            self.note("application", "gateway", "receive")
            self._x.waiting += self._client
            try:
                why = "for the client" if self._client else "for the server to stop"
                message: Message = await self._asked(receive(), why)
            finally:
                self._x.waiting -= self._client
            self.note("gateway", "application", self._short(message), *_message_told(message))
            return message

        return watched_receive

    def sender(self, send: Any) -> Any:
        """Return a send that is watched."""

        async def watched_send(message: Message) -> None:
            self.note("application", "gateway", self._short(message), *_message_told(message))
            await self._asked(send(message), "for the client to read")

        return watched_send

    async def _asked(self, answer: Awaitable[Answer], why: str) -> Answer:
        """Await what the server gives."""
        task = _running()[1]
        self._inside.add(task)

        def waits() -> None:
            self.note("gateway", "gateway", "waits", f"{self._x.holders.now()}, {why}")

        try:
            return await watched(_awaitable(answer), waits)
        except Exception as error:
            self.note("gateway", "application", "raise", _error_told(error), bad=True)
            raise
        finally:
            self._inside.discard(task)

    def _short(self, message: Any) -> str:
        kind = message.get("type") if isinstance(message, dict) else None
        return str(kind).removeprefix(self._prefix)


# --- Few words --------------------------------------------------------------------------------


def _scope_told(scope: Any, keys: tuple[str, ...]) -> str:
    """Say what of the scope is shown; headers by their number, for they may be secret."""
    shown = {key: scope[key] for key in keys if scope.get(key) not in (None, "", b"", [])}
    return ", ".join(
        count_told(value, "header") if key == "headers" else f"{key} {_text(value)}"
        for key, value in shown.items()
    )


def _error_told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _message_told(message: Any) -> tuple[str, bytes]:
    """Say what a message brings, and return the bytes in it."""
    if not isinstance(message, dict):
        return f"{type(message).__name__}, not a dict", b""
    if str(message.get("type")).startswith("websocket.") and "http" not in message["type"]:
        return _websocket_told(message)
    more = "more_body, " if message.get("more_body") else ""
    if "body" in message or str(message.get("type")).endswith((".request", ".body")):
        told, data = bytes_told(message.get("body", b""))
        return more + told, data
    if "status" in message:
        return f"{message['status']}, {count_told(message.get('headers'), 'header')}", b""
    return str(message.get("message", "")), b""


def _websocket_told(message: Any) -> tuple[str, bytes]:
    """Say what a message of a WebSocket brings."""
    if message.get("bytes") is not None:
        return bytes_told(message["bytes"])
    text = message.get("text")
    if text is not None:
        return f"text {text[:60]!r}" + (f", {len(text)} characters" if len(text) > 60 else ""), b""
    names = ("code", "reason", "subprotocol")
    return ", ".join(f"{name} {message[name]}" for name in names if message.get(name)), b""
