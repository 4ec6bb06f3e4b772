"""A WSGI application inside an ASGI server: the bridge from one contract to the other.

The WSGI gateway runs as it is, in a thread, on a channel that speaks ASGI messages instead of
events.  So PEP 3333 is kept entire: blocks are sent when they come, ``close()`` is always called,
and a thread whose client reads slowly waits in ``send``.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from .asgi import Receive, Send
from .asgi_messages import Message
from .events import Data, End, Outgoing, Request, Response
from .gateway import Disconnected, HttpDate
from .wsgi import Application, Gateway
from .wsgi_request import Server


class WsgiInAsgi:
    """Be an ASGI application that runs a WSGI one.

    ``get_loop`` returns the running loop, asyncio's unless told otherwise; of it we use
    ``run_in_executor``, ``call_soon_threadsafe`` and ``create_task``.
    """

    def __init__(
        self, app: Application, get_loop: Callable[[], Any] = asyncio.get_running_loop
    ) -> None:
        self.app = app
        self._get_loop = get_loop
        self._date = HttpDate(time.time)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Run the application in a thread, and wait for it."""
        if scope["type"] != "http":
            raise NotImplementedError(f"WSGI knows nothing of {scope['type']}")
        loop = self._get_loop()
        channel = MessageChannel(scope.get("client"), Bridge(loop), receive, send)
        request = request_of(scope)
        gateway = Gateway(self.app, server_of(scope), self._date)
        context = contextvars.copy_context()  # what the middleware around us has set there
        await loop.run_in_executor(None, context.run, gateway.respond, request, channel)
        if channel.cut:
            raise Disconnected("the response was cut off")


class Bridge:
    """Let a thread call coroutine functions of a loop, and wait for their results."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._tasks: set[Any] = set()  # the loop alone would not keep them alive

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what ``await function(*arguments)`` gives in the loop; raise what it raises."""
        answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._loop.call_soon_threadsafe(self._start, answers, function, arguments)
        result, error = answers.get()
        if error is not None:
            raise error
        return result

    def _start(self, *work: Any) -> None:
        """Start the task, in the loop."""
        task = self._loop.create_task(self._run(*work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(
        self, answers: SimpleQueue[Any], function: Callable[..., Any], arguments: Any
    ) -> None:
        """Await the function; whatever happens, the thread must not wait for ever."""
        error: BaseException = Disconnected("the server stops")
        result = None
        try:
            result = await function(*arguments)
        except Exception as raised:
            error = raised
        else:
            error = None  # type: ignore[assignment]  # nothing went wrong
        finally:
            answers.put((result, error))


class MessageChannel:
    """Be the channel of a WSGI request (``gateway.Channel``), over the messages of ASGI."""

    whole_body: bytes | None = None

    def __init__(self, client: Any, bridge: Bridge, receive: Receive, send: Send) -> None:
        self.client = tuple(client) if client else ("", 0)
        self.cut = False
        self._bridge = bridge
        self._receive = receive
        self._send = send
        self._ended = False

    def receive(self) -> Data | End:
        """Wait for the next piece of the body; raise Disconnected when there will be none."""
        while not self._ended:
            message: Message = self._bridge.call(self._receive)
            if message["type"] == "http.disconnect":
                raise Disconnected("the client has left")
            self._ended = not message.get("more_body", False)
            if body := message.get("body", b""):
                return Data(body)
        return End()

    def send(self, *events: Outgoing) -> None:
        """Send each event as a message, the last content and the end as one."""
        try:
            for message in messages_of(events):
                self._bridge.call(self._send, message)
        except OSError as error:
            raise Disconnected(str(error)) from error

    def abort(self) -> None:
        """Let the ASGI server see a failure: it cuts the connection."""
        self.cut = True


def messages_of(events: tuple[Outgoing, ...]) -> list[Message]:
    """Return the messages that say what the events say.

    >>> messages_of((Data(b"a"), End()))
    [{'type': 'http.response.body', 'body': b'a', 'more_body': False}]
    """
    messages: list[Message] = []
    for event in events:
        if isinstance(event, Response):
            start = {"type": "http.response.start", "status": event.status}
            messages.append({**start, "headers": list(event.fields)})
        elif isinstance(event, Data):
            messages.append({"type": "http.response.body", "body": event.data, "more_body": True})
        elif messages and messages[-1]["type"] == "http.response.body":
            messages[-1]["more_body"] = False
        else:
            messages.append({"type": "http.response.body", "body": b"", "more_body": False})
    return messages


def request_of(scope: Any) -> Request:
    """Return the request that a scope was made of."""
    query = scope["query_string"]
    target = scope["raw_path"] + (b"?" + query if query else b"")
    fields = tuple((bytes(name), bytes(value)) for name, value in scope["headers"])
    version = scope["http_version"].encode()
    if b"." not in version:  # HTTP/2 is HTTP/2.0 to CGI (RFC 3875 §4.1.16)
        version += b".0"
    return Request(scope["method"].encode("ascii"), target, fields, version)


def server_of(scope: Any) -> Server:
    """Return what the gateway tells of the server; several requests run at a time, in threads."""
    host, port = scope.get("server") or ("", 80)
    return Server(
        host=host,
        port=port or 80,
        scheme=scope.get("scheme", "http"),
        script_name=scope.get("root_path", ""),
        multithread=True,
    )
