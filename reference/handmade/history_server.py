"""The protocol server of ASGI 1, as an ASGI 3 application: the bridge to the channel layer.

A request comes in as scope and messages; it leaves as one message into ``http.request``.  What
comes back on the reply channel of that request is the response.  Who answers is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from .asgi import Receive, Send
from .asgi_messages import Message
from .gateway import ApplicationError, Disconnected
from .history_channels import LARGEST, ChannelFull, ChannelLayer, MessageTooLarge

# What a request message takes over from a scope ("HTTP", "Request").
TAKEN = ("http_version", "method", "scheme", "path", "query_string", "root_path", "headers")
ADDRESSES = ("client", "server")


class ThroughLayer:
    """Be an ASGI 3 application that lets workers answer, through a channel layer.

    After ``seconds`` without an answer the client gets 503.  ``get_loop`` returns the running loop.
    """

    def __init__(
        self,
        layer: ChannelLayer,
        seconds: float = 30.0,
        get_loop: Callable[[], Any] = asyncio.get_running_loop,
    ) -> None:
        self.layer = layer
        self.seconds = seconds
        self._get_loop = get_loop

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Hand a request to the layer, and what comes back to the client."""
        if scope["type"] != "http":
            raise NotImplementedError(f"this bridge knows nothing of {scope['type']}")
        body = await whole_body(receive)
        reply = self.layer.new_channel("http.response!")
        try:
            self.layer.send("http.request", request_message(scope, body, reply))
        except ChannelFull:  # "preferably 503 Service Unavailable" ("Request")
            await refuse(send, 503, b"all workers are busy\n")
        except MessageTooLarge:
            await refuse(send, 413, b"a request must fit into one message\n")
        else:
            await self._respond(reply, send)

    async def _respond(self, reply: str, send: Send) -> None:
        """Wait for the messages of the response, and send them on."""
        loop = self._get_loop()
        # The layer has no timeout that a loop could wait for, so we send the end to ourselves.
        timer = loop.call_later(self.seconds, give_up, self.layer, reply)
        begun = more = False
        try:
            while more or not begun:
                _, message = await self.layer.receive_asyncio([reply], loop)
                if message.get("given_up") and begun:
                    raise ApplicationError("a worker has not finished its response in time")
                if message.get("given_up"):
                    await refuse(send, 503, b"no worker has answered\n")
                    return
                if not begun:
                    await send(start_of(message))
                begun, more = True, message.get("more_content", False)
                content = message.get("content", b"")
                await send({"type": "http.response.body", "body": content, "more_body": more})
        finally:
            timer.cancel()


async def whole_body(receive: Receive) -> bytes:
    """Return the body of a request; more than one message holds is not gathered."""
    body, more = b"", True
    while more and len(body) <= LARGEST:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected("the client has left")
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def request_message(scope: Any, body: bytes, reply: str) -> Message:
    """Return the one message that a request is in ASGI 1 ("Request")."""
    message = {name: scope[name] for name in TAKEN}
    message.update({name: list(scope[name]) for name in ADDRESSES if scope.get(name)})
    return {"reply_channel": reply, **message, "body": body}


def start_of(message: Message) -> Message:
    """Return the start of a response; its message has no type, "status" tells what it is."""
    if "status" not in message:
        raise ApplicationError("the first message of a response has a status (ASGI 1, Response)")
    return {
        "type": "http.response.start",
        "status": message["status"],
        "headers": message.get("headers", []),
    }


def give_up(layer: ChannelLayer, reply: str) -> None:
    """Tell who waits on a reply channel that nobody will answer."""
    try:
        layer.send(reply, {"given_up": True})
    except ChannelFull:  # then somebody has answered
        pass


async def refuse(send: Send, status: int, words: bytes) -> None:
    """Answer without any worker."""
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": words})
